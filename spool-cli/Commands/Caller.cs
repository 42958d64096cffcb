using System.Globalization;
using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary>Who asks for a change: the peer of the spool service, or the account of this process, under the name that sudo or the login gave it.</summary>
internal static class Caller
{
    private static readonly string[] NotAFilter = [Options.SpoolName, Options.DirectName, Options.ServiceName, "--yes"];

    public static OperationSource Of(ParsedArguments typed)
    {
        var filter = string.Join(' ', typed.Without(NotAFilter).Skip(1).Where(word => word is not "--"));
        if (ServedCaller.OfProcess()?.Name.Split(' ', 2) is [var uid, var name] && uint.TryParse(uid, CultureInfo.InvariantCulture, out var peer))
        {
            return new OperationSource(peer, name, filter);
        }

        var login = new[] { "SUDO_USER", "USER", "LOGNAME" }.Select(Environment.GetEnvironmentVariable).FirstOrDefault(found => found is { Length: > 0 });
        return OperationSource.OfProcess() with { Name = login, Filter = filter };
    }
}
