using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Commands;

/// <summary>Finds the messages that ids name: an exact match first, then a unique prefix.</summary>
internal static class MessageIds
{
    /// <summary>The whole id; 66 when no message has it, 64 when several begin with it.</summary>
    public static string Resolve(SpoolReader reader, string idOrPrefix)
    {
        var found = idOrPrefix.Length == 0 ? [] : reader.ResolveIds(idOrPrefix);
        return found.Count switch
        {
            1 => found[0],
            0 => throw CommandException.NoInput(
                $"there is no message '{idOrPrefix}' in the spool", "see 'quickq-spool list'; what was delivered everywhere is removed after the retention time"),
            _ => throw CommandException.WrongUse($"several messages begin with '{idOrPrefix}'", $"give more of the id: {found[0]} or {found[1]}, for example"),
        };
    }

    /// <summary>At least one id, as typed.</summary>
    public static IReadOnlyList<string> Required(IReadOnlyList<string> typed, string command) => typed is { Count: > 0 }
        ? typed
        : throw CommandException.WrongUse($"{command} needs an ID", $"quickq-spool {command} ID; 'quickq-spool list' shows them");
}
