using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Quickq.Testing.Network;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Quickq.Testing;

/// <summary>A real RabbitMQ node of its own: name, ports, cookie, data and log folder, bound to 127.0.0.1.</summary>
/// <remarks>
/// The broker is a direct child of the test process (tests/rabbit-node.sh becomes it), so <see cref="Kill"/> and
/// <see cref="PauseAsync"/> mean the Erlang machine itself. Ports and data survive stop, kill and restart; the node's own port
/// mapper (epmd) lives from the first start to the dispose. If the test process dies, the kernel ends both.
/// </remarks>
public sealed class RabbitNode : IAsyncDisposable
{
    private const int LogTailLines = 60;
    private const int OwnPort = 5672;
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan CtlLimit = TimeSpan.FromSeconds(60);
    private readonly TempFolder _folder;
    private readonly string _script = Path.Combine(AppContext.BaseDirectory, "rabbit-node.sh");
    private readonly int _distributionPort = FreePort.Next();
    private readonly int _mapperPort;
    private readonly bool _sharesMapper;
    private readonly NetworkNamespace? _inside;
    private ChildProcess? _mapper;
    private ChildProcess? _broker;

    private RabbitNode(string name, string? extraConfiguration, NetworkNamespace? inside, IReadOnlyList<string> addresses, RabbitNode? mate = null)
    {
        Name = name;
        (_sharesMapper, _mapperPort) = (mate is not null, mate?._mapperPort ?? FreePort.Next());
        _inside = inside;
        (Host, Port) = inside is null ? ("127.0.0.1", FreePort.Next()) : (addresses[0], OwnPort);
        _folder = new TempFolder($"node-{name}");
        File.WriteAllText(_folder.File("node.env"), string.Create(CultureInfo.InvariantCulture,
            $"NODE_NAME={name}\nNODE_AMQP_PORT={Port}\nNODE_DIST_PORT={_distributionPort}\nNODE_EPMD_PORT={_mapperPort}\n"));
        string[] extra = inside is null ? [] : ["loopback_users = none", .. addresses.Select((address, at) => $"listeners.tcp.{at + 2} = {address}:{OwnPort}")];
        File.WriteAllLines(_folder.File("extra.conf"), [.. extra, extraConfiguration ?? ""]);

        FailureReport.Watch(this, () => $"log of node {Name} (last {LogTailLines} lines):\n{LogTail(LogTailLines)}");
    }

    public string Name { get; }

    /// <summary>Where agents reach it.</summary>
    public string Host { get; }

    /// <summary>The AMQP port, the same for the node's whole life.</summary>
    public int Port { get; }

    public string Folder => _folder.Path;

    public bool IsRunning => _broker is { HasExited: false };

    /// <summary>The process id of the Erlang machine.</summary>
    public int Pid => Broker.Pid;

    private ChildProcess Broker => _broker ?? throw new InvalidOperationException($"Node {Name} was not started");

    /// <summary>A node that is not running yet.</summary>
    /// <param name="extraConfiguration">Lines for rabbitmq.conf, for example a TLS listener or a memory limit.</param>
    /// <param name="inside">The network that it runs in, if it is not the machine's; then it listens on port 5672 of the loopback and of its addresses.</param>
    /// <param name="addresses">Its addresses in that network.</param>
    public static RabbitNode Create(string name, string? extraConfiguration = null, NetworkNamespace? inside = null, IReadOnlyList<string>? addresses = null) =>
        new(name, extraConfiguration, inside, addresses ?? []);

    /// <summary>Lets the broker use the machine as it does by itself, from its next start on: else it has one core, and a test the other.</summary>
    public void LetUseAllCores() => File.AppendAllText(_folder.File("node.env"), "NODE_UNRESTRICTED=yes\n");

    /// <summary>A node that can join this one, which runs already: it has its port mapper and its cookie.</summary>
    public RabbitNode CreateMate(string name)
    {
        var mate = new RabbitNode(name, extraConfiguration: null, inside: null, addresses: [], this);
        Directory.CreateDirectory(mate._folder.File("home"));
        File.Copy(_folder.File("home/.erlang.cookie"), mate._folder.File("home/.erlang.cookie"));
        File.SetUnixFileMode(mate._folder.File("home/.erlang.cookie"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return mate;
    }

    /// <summary>Starts it on its own ports and data and waits until it serves.</summary>
    public async Task StartAsync()
    {
        BeginStart();
        await AwaitReadyAsync();
    }

    /// <summary>Starts it and does not wait.</summary>
    public void BeginStart()
    {
        if (!File.Exists("/usr/lib/rabbitmq/bin/rabbitmq-server"))
        {
            throw new InvalidOperationException("rabbitmq-server is not installed; `bash tests/run.sh` installs it, or: apt-get install rabbitmq-server");
        }

        if (IsRunning)
        {
            throw new InvalidOperationException($"Node {Name} is running already");
        }

        _broker?.Dispose();
        _mapper ??= _sharesMapper ? null : StartScript("epmd");
        _broker = StartScript("run");
    }

    /// <summary>Waits until an AMQP connection is accepted.</summary>
    public Task AwaitReadyAsync() => Eventually.Is($"node {Name} accepts an AMQP connection", StartLimit, async () =>
    {
        if (!IsRunning)
        {
            throw new InvalidOperationException($"Node {Name} ended while starting; its log:\n{LogTail(LogTailLines)}");
        }

        return await AcceptsConnectionAsync();
    });

    /// <summary>Stops it as `systemctl stop` would, and waits for its end.</summary>
    public async Task StopAsync() => await Broker.StopAsync(StopLimit);

    /// <summary>kill -9 of the broker.</summary>
    public void Kill()
    {
        var program = File.ReadAllText($"/proc/{Pid}/comm").Trim();
        if (!program.StartsWith("beam", StringComparison.Ordinal) && !IsStarting(program))
        {
            throw new InvalidOperationException($"Process {Pid} of node {Name} is '{program}', not the Erlang machine");
        }

        Broker.Kill();
    }

    /// <summary>Starts it again on the same ports and data after <see cref="StopAsync"/> or <see cref="Kill"/>, or stops it first.</summary>
    public async Task RestartAsync()
    {
        if (IsRunning)
        {
            await StopAsync();
        }

        await StartAsync();
    }

    /// <summary>SIGSTOP: connections stay open and nothing answers.</summary>
    public Task PauseAsync() => Broker.PauseAsync();

    /// <summary>SIGCONT.</summary>
    public void Resume() => Broker.Resume();

    /// <summary>Whatever a test did to it before: from now on it serves.</summary>
    public async Task EnsureServingAsync()
    {
        if (IsRunning)
        {
            Resume();
        }
        else
        {
            BeginStart();
        }

        await AwaitReadyAsync();
    }

    /// <summary>Runs rabbitmqctl for this node and gives its output; throws when it fails.</summary>
    public async Task<string> CtlAsync(params string[] arguments)
    {
        using var ctl = StartScript("ctl", arguments);
        ctl.Stdin.Close();
        var code = await ctl.WaitForExitAsync(CtlLimit);
        return code == 0
            ? ctl.Stdout.Trim()
            : throw new InvalidOperationException($"rabbitmqctl {string.Join(' ', arguments)} on {Name}: exit {code}: {ctl.Stderr}{ctl.Stdout}");
    }

    /// <summary>Makes a virtual host that the user guest may use fully.</summary>
    public Task CreateVirtualHostAsync(string name) => CtlAsync("eval",
        $"ok = rabbit_vhost:add(<<\"{name}\">>, <<\"tests\">>), ok = rabbit_auth_backend_internal:set_permissions(<<\"guest\">>, <<\"{name}\">>, <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"tests\">>).");

    /// <summary>A connection as guest, without the client's automatic recovery.</summary>
    public Task<IConnection> ConnectAsync(string virtualHost = "/", string clientName = "test") =>
        new ConnectionFactory
        {
            HostName = "127.0.0.1",
            SocketFactory = family => new TcpClientAdapter(OpenSocket(family)),
            Port = Port,
            VirtualHost = virtualHost,
            AutomaticRecoveryEnabled = false,
            TopologyRecoveryEnabled = false,
            RequestedConnectionTimeout = TimeSpan.FromSeconds(5),
        }.CreateConnectionAsync(clientName);

    /// <summary>The lines of its whole log that contain <paramref name="text"/>.</summary>
    public IReadOnlyList<string> LogLinesWith(string text) =>
        [.. File.ReadLines(_folder.File("node.log")).Where(line => line.Contains(text, StringComparison.Ordinal))];

    /// <summary>The last lines of its log, without the steps of each start and the comings and goings of connections.</summary>
    public string LogTail(int lines)
    {
        var log = _folder.File("node.log");
        return File.Exists(log) ? string.Join('\n', File.ReadLines(log).Where(IsTelling).TakeLast(lines)) : "(no log yet)";
    }

    public ValueTask DisposeAsync()
    {
        FailureReport.Forget(this);
        _broker?.Dispose();
        _mapper?.Dispose();
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    private static bool IsStarting(string program) => program is "sh" or "nsenter" or "setpriv" or "erl" or "erlexec" or "rabbitmq-server";

    private static bool IsTelling(string line) =>
        !line.Contains("Running boot step", StringComparison.Ordinal) && !(line.Contains("[info]", StringComparison.Ordinal) && line.Contains("connection <", StringComparison.Ordinal));

    private Socket OpenSocket(AddressFamily family) => _inside?.OpenSocket(family) ?? new Socket(family, SocketType.Stream, ProtocolType.Tcp);

    private ChildProcess StartScript(string verb, params IEnumerable<string> arguments)
    {
        string[] all = [_script, verb, Folder, .. arguments];
        return _inside?.Start("sh", all) ?? ChildProcess.Start("sh", all);
    }

    private async Task<bool> AcceptsConnectionAsync()
    {
        try
        {
            using var knock = OpenSocket(AddressFamily.InterNetwork);
            await knock.ConnectAsync(IPAddress.Loopback, Port);
            await using var connection = await ConnectAsync(clientName: "ready?");
            return true;
        }
        catch (Exception notYet) when (notYet is SocketException or BrokerUnreachableException)
        {
            return false;
        }
    }
}
