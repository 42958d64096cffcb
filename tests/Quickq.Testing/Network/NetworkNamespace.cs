using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Quickq.Testing.Network;

/// <summary>A network of its own for some child processes: own addresses, own ports, own firewall, own name servers. Gone with the test run.</summary>
/// <remarks>
/// A sleeping child holds it, and everything that is entered into it; it has no name that could be left over. Making one takes root: a test
/// that may not fails with that reason.
/// </remarks>
public sealed partial class NetworkNamespace : IDisposable
{
    private const int NewNetwork = 0x40000000;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly ChildProcess _holder;

    private NetworkNamespace(ChildProcess holder)
    {
        _holder = holder;
    }

    /// <summary>The process whose network it is.</summary>
    public int Pid => _holder.Pid;

    /// <summary>Makes one, with nothing in it but its loopback.</summary>
    public static async Task<NetworkNamespace> CreateAsync()
    {
        var made = new NetworkNamespace(ChildProcess.Start("unshare", ["--net", "--mount", "--", "sleep", "infinity"]));
        await Eventually.Is("a network namespace is made (unshare --net --mount)", Limit, () => made._holder.HasExited || File.ReadAllText($"/proc/{made.Pid}/comm").Trim() is "sleep");
        if (made._holder.HasExited)
        {
            throw new InvalidOperationException($"No network namespace can be made here; run the tests as root, in a container with CAP_SYS_ADMIN and CAP_NET_ADMIN. unshare says: {made._holder.Stderr}");
        }

        await made.RunAsync("ip", "link", "set", "lo", "up");
        return made;
    }

    /// <summary>The command that runs another one in here.</summary>
    public IReadOnlyList<string> Entering(string program, IEnumerable<string> arguments) =>
        ["-t", Pid.ToString(CultureInfo.InvariantCulture), "-n", "-m", "--", program, .. arguments];

    /// <summary>Starts a program in here.</summary>
    public ChildProcess Start(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null) =>
        ChildProcess.Start("nsenter", Entering(program, arguments), environment);

    /// <summary>Runs a command in here and gives its output; throws when it fails.</summary>
    public async Task<string> RunAsync(string program, params string[] arguments)
    {
        using var child = Start(program, arguments);
        child.Stdin.Close();
        var code = await child.WaitForExitAsync(Limit);
        return code == 0
            ? child.Stdout
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: exit {code}: {child.Stderr}{child.Stdout} (iproute2 and nftables are installed by tests/run.sh)");
    }

    /// <summary>A socket of the test's own process that lives in here, whatever thread uses it.</summary>
    public Socket OpenSocket(AddressFamily family, SocketType type = SocketType.Stream)
    {
        // A thread that has changed its network must not serve anybody else: it makes the one socket and ends.
        var made = new BlockingCollection<object>();
        var thread = new Thread(() =>
        {
            try
            {
                using var network = File.OpenHandle($"/proc/{Pid}/ns/net");
                made.Add(Enter((int)network.DangerousGetHandle(), NewNetwork) == 0
                    ? new Socket(family, type, type == SocketType.Stream ? ProtocolType.Tcp : ProtocolType.Udp)
                    : new InvalidOperationException($"setns failed with errno {Marshal.GetLastPInvokeError()}; run the tests as root"));
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or SocketException)
            {
                made.Add(failure);
            }
        });
        thread.Start();
        return made.Take() is var result && result is Socket socket ? socket : throw (Exception)result;
    }

    public void Dispose() => _holder.Dispose();

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int Enter(int network, int kind);
}
