using System.Runtime.InteropServices;
using Quickq.Spool;
using Quickq.Spool.Files;
using Quickq.Spool.Systemd;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Service;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary><c>serve</c>: the spool service, for every account but the owner's own.</summary>
internal sealed class ServeCommand
{
    private const string Details =
        """
        Runs in the foreground as the owner of the spool, until SIGTERM. Under systemd it uses the socket of
        quickq-spool.socket. The spool is made when the first message is added.

        Root and the owner may do everything. Members of --group may add messages and look; members of --admin-group may
        change things too. G is a name or a number. Without either, only root and the owner can connect.

        Examples:
          quickq-spool serve --group quickq --admin-group quickq-admin
          quickq-spool serve --spool ~/spool.db --idle 30s

        Exit codes: 0 stopped, or idle for long enough; 64 usage error; 73 the socket cannot be made; 75 another service
        serves there; 78 no such group.
        """;

    private readonly Option _socket = Options.Value("--socket", "PATH",
        "the socket to listen on (default: $QUICKQ_SOCKET, else /run/quickq/spool.sock, or spool.sock beside another spool)");
    private readonly Option _group = Options.Value("--group", "G", "whose members may add messages and look");
    private readonly Option _adminGroup = Options.Value("--admin-group", "G", "whose members may change things too");
    private readonly Option _idle = Options.Value("--idle", "DURATION", "end when nobody was connected for so long (default: never)");
    private readonly Option _spool = Options.Spool();

    public static Subcommand Create()
    {
        var serve = new ServeCommand();
        var syntax = new Command("serve", "Run the spool service") { Options = { serve._socket, serve._group, serve._adminGroup, serve._idle, serve._spool } };
        return new Subcommand(syntax, Details, serve.Run) { IsService = true };
    }

    private ExitCode Run(ParsedArguments typed, StandardStreams streams)
    {
        string named = SpoolPath.Resolve(typed.ValueOf(_spool)), spool = SpoolPath.FollowLinks(named);
        if (FileStatus.Find(spool, out _) is { IsFolder: true })
        {
            throw new CommandException(ExitCode.CannotCreate, $"the spool {spool} is a folder", $"name a file in it: --spool {Path.Combine(spool, "spool.db")}");
        }

        var access = new AccessRules(
            UserAccount.EffectiveId,
            AccountNames.Group("--group", typed.ValueOf(_group)),
            AccountNames.Group("--admin-group", typed.ValueOf(_adminGroup)));
        var options = new ServerOptions(
            spool,
            typed.ValueOf(_socket) is { Length: > 0 } socket ? Path.GetFullPath(socket) : new SpoolLocator().SocketFor(spool),
            access,
            Values.PositiveDuration("--idle", typed.ValueOf(_idle)))
        {
            SpoolAsNamed = Path.Combine(SpoolPath.FollowLinks(Path.GetDirectoryName(named) ?? "/"), Path.GetFileName(named)),
        };

        // Looks at the spool block threads; the others are not to wait until the pool has noticed.
        ThreadPool.SetMinThreads(Math.Max(8, Environment.ProcessorCount), Environment.ProcessorCount);
        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        RunAsync(options, streams, stop.Task).GetAwaiter().GetResult();
        return ExitCode.Done;

        void Stop(PosixSignalContext context)
        {
            context.Cancel = stop.TrySetResult(); // a second one ends the process at once
        }
    }

    private static async Task RunAsync(ServerOptions options, StandardStreams streams, Task stop)
    {
        using ListeningSocket listener = await ListeningSocket.OpenAsync(options.Socket, options.Spool, options.Access.HasGroups, streams.Clock);
        using SystemdNotice notice = SystemdNotice.FromEnvironment(streams.Clock);
        using var lines = new BufferedStderrWriter(streams.Error);
        using var server = new SpoolServer(options, listener, notice, new ServiceLog(lines, JournalStream.IsStandardError, streams.Clock), streams.Clock);
        await server.RunAsync(stop);
    }
}
