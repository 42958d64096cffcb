using Quickq.Spool;

namespace Quickq.Agent.Settings;

/// <summary>What <c>--check-config</c> prints: what the agent would do, in a few lines, without any password.</summary>
internal static class SettingsSummary
{
    public static IEnumerable<string> LinesOf(AgentSettings settings)
    {
        var spool = settings.Spool;
        var floor = spool.MinFreeDiskBytes is { } bytes ? ByteSize.Format(bytes) : "512MiB or 5 %";
        yield return $"spool {spool.Path}: up to {ByteSize.Format(spool.MaxSizeBytes)}, messages up to {ByteSize.Format(spool.MaxMessageSizeBytes)}, " +
            $"delivered ones kept {Duration.Format(spool.Retention)}, {floor} of the disk left free";
        foreach (var server in settings.Servers)
        {
            var exchange = server.Exchange.Length == 0 ? "the default exchange" : $"exchange {server.Exchange}";
            var only = server.Exchanges.Count == 0 ? "" : $", only for {string.Join(", ", server.Exchanges)}";
            yield return $"server {server.Name}: {string.Join(", ", server.Hosts)} ({(server.Tls is null ? "not encrypted" : "TLS")}), vhost {server.VirtualHost}, " +
                $"user {server.User}, password {server.Password}, {exchange}{only}, window {server.Window} messages and {ByteSize.Format(server.WindowBytes)}";
        }
    }
}
