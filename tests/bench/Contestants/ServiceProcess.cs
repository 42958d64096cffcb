using Quickq.Testing;

namespace Quickq.Bench.Contestants;

/// <summary>The spool service of a bench's own spool, as a process of its own.</summary>
internal sealed class ServiceProcess : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly ChildProcess _process;

    private ServiceProcess(ChildProcess process) => _process = process;

    public ProcessReading Reading => ProcessReading.Of(_process.Pid);

    /// <summary>Starts it, and waits until it has stored its first message.</summary>
    public static async Task<ServiceProcess> StartAsync(TempSpool spool)
    {
        var service = new ServiceProcess(ChildProcess.Start(BuiltPrograms.SpoolCli, ["serve", "--spool", spool.Path]));
        using ChildProcess first = ChildProcess.Start(BuiltPrograms.SpoolCli, ["--service", "--spool", spool.Path, "add", "first"]);
        CommandResult result = await first.EndAsync("", Limit);
        result.MustSucceed();
        return service;
    }

    public void Dispose() => _process.Dispose();
}
