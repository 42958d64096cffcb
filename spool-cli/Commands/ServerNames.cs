using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Commands;

/// <summary>Says which servers there are when one is named that is not.</summary>
internal static class ServerNames
{
    public static void Require(SpoolReader reader, string? name)
    {
        if (name is null)
        {
            return;
        }

        List<string> known = [.. reader.ReadOverview().Servers.Select(server => server.Name)];
        if (!known.Contains(name))
        {
            throw CommandException.NoInput($"there is no server '{name}'", known.Count == 0 ? "no agent has run on this spool yet" : $"there are {string.Join(", ", known)}");
        }
    }
}
