namespace Quickq.Testing;

/// <summary>A real spool service on a spool of its own, with its socket where every account can reach it.</summary>
public sealed class ServeProcess : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly TempFolder _folder;

    private ServeProcess(TempFolder folder, ChildProcess child) => (_folder, Child) = (folder, child);

    public ChildProcess Child { get; }

    public string Socket => SocketIn(_folder);

    /// <summary>Starts it and waits until it listens.</summary>
    public static Task<ServeProcess> StartAsync(TempSpool spool, params string[] options) => StartAsync(spool, environment: null, options);

    /// <inheritdoc cref="StartAsync(TempSpool, string[])"/>
    public static async Task<ServeProcess> StartAsync(TempSpool spool, IReadOnlyDictionary<string, string?>? environment, params string[] options)
    {
        var folder = new TempFolder("socket");
        File.SetUnixFileMode(folder.Path, (UnixFileMode)0x1ED); // 0755
        var service = new ServeProcess(folder, Start(spool, SocketIn(folder), environment, options));
        try
        {
            await Eventually.Is($"the service listens: {service.Child.Stderr}", Limit, () => File.Exists(service.Socket) || service.Child.HasExited);
            return service.Child.HasExited ? throw new InvalidOperationException($"the service ended: {service.Child.Stderr}") : service;
        }
        catch
        {
            service.Dispose();
            throw;
        }
    }

    /// <summary>Starts it at a socket and leaves everything else to the test.</summary>
    public static ChildProcess Start(TempSpool spool, string socket, IReadOnlyDictionary<string, string?>? environment, params string[] options) =>
        ChildProcess.Start(BuiltPrograms.SpoolCli, ["serve", "--spool", spool.Path, "--socket", socket, .. options], environment);

    public ServiceClient Connect(bool greet = true)
    {
        var client = ServiceClient.Connect(Socket);
        try
        {
            if (greet)
            {
                client.Greet();
            }

            return client;
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    /// <summary>Bytes of memory that are the process's own.</summary>
    public long ResidentBytes => long.Parse(File.ReadLines($"/proc/{Child.Pid}/status").Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) * 1024;

    public void Dispose()
    {
        Child.Dispose();
        _folder.Dispose();
    }

    private static string SocketIn(TempFolder folder) => folder.File("spool.sock");
}
