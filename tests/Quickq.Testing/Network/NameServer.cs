using System.Net;
using System.Net.Sockets;

namespace Quickq.Testing.Network;

/// <summary>A real dnsmasq that a namespace's programs ask, with names that a test changes as it goes.</summary>
/// <remarks>
/// A name that is not there gets NXDOMAIN when it ends in <c>.test</c>, no answer at all when it ends in <c>.silent</c>, and is refused otherwise.
/// </remarks>
public sealed class NameServer : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly TempFolder _folder;
    private readonly Socket _silent;
    private readonly Dictionary<string, string[]> _names = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private readonly ChildProcess _server;

    private NameServer(TempFolder folder, Socket silent, ChildProcess server)
    {
        (_folder, _silent, _server) = (folder, silent, server);
    }

    /// <summary>Starts it in the namespace, whose programs ask it from then on.</summary>
    public static async Task<NameServer> StartAsync(NetworkNamespace network)
    {
        var folder = new TempFolder("names");
        File.WriteAllText(folder.File("hosts"), "");
        File.WriteAllText(folder.File("resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
        await network.RunAsync("mount", "--bind", folder.File("resolv.conf"), "/etc/resolv.conf");

        // It takes questions and never answers.
        var silent = network.OpenSocket(AddressFamily.InterNetwork, SocketType.Dgram);
        silent.Bind(new IPEndPoint(IPAddress.Loopback, 5353));
        var server = network.Start("dnsmasq",
        [
            "--keep-in-foreground", "--user=root", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", $"--addn-hosts={folder.File("hosts")}", "--local=/test/",
            "--server=/silent/127.0.0.1#5353", "--listen-address=127.0.0.1", "--bind-interfaces", "--local-ttl=2", $"--pid-file={folder.File("pid")}", "--log-facility=-",
        ]);
        server.Stdin.Close();
        await Eventually.Is("dnsmasq serves (dnsmasq-base is installed by tests/run.sh)", Limit, () =>
            server.HasExited ? throw new InvalidOperationException($"dnsmasq ended: {server.Stderr}") : server.Stderr.Contains("started", StringComparison.Ordinal));
        return new NameServer(folder, silent, server);
    }

    /// <summary>From now on the name leads to these addresses; to none: it does not exist.</summary>
    public void Set(string name, params string[] addresses)
    {
        lock (_gate)
        {
            _names[name] = addresses;
            File.WriteAllText(_folder.File("hosts.new"), string.Concat(_names.SelectMany(pair => pair.Value.Select(address => $"{address} {pair.Key}\n"))));
            File.Move(_folder.File("hosts.new"), _folder.File("hosts"), overwrite: true);
            _server.Signal(ChildProcess.HangUp);
        }
    }

    public void Dispose()
    {
        _server.Dispose();
        _silent.Dispose();
        _folder.Dispose();
    }
}
