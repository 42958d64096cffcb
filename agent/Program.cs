using System.Runtime.InteropServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Quickq.Agent;
using Quickq.Agent.Broker;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Agent.Upkeep;
using Quickq.Spool;
using Quickq.Spool.Files;
using Quickq.Spool.Systemd;

// The boot story: from here on SIGHUP ends nothing, there are three streams, no core and no home; then command line and configuration, the lock of this spool, the
// spool itself, and the forwarders until a signal.
using var reload = new ReloadRequest();
StandardStreams.RequireOpen();
ProcessHardening.DisableCoreDumps();
HomeFolder.Leave();
SocketThreads.WorkOffAtOnce();
AgentCommandLine line = AgentCommandLine.Parse(args, Console.Out, Console.Error);
if (line.ExitCode is { } said)
{
    return said;
}

// From here on a SIGTERM ends the agent with 0, also before the host has its own handler.
using var stop = new CancellationTokenSource();
using var onTerm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
{
    signal.Cancel = true;
    stop.Cancel();
});
AgentSettings settings = line.Settings!;
using var logging = AgentLogging.Start(line.Verbosity ?? settings.LogLevel, Console.Error);
using var notice = SystemdNotice.FromEnvironment(TimeProvider.System);
ILogger log = logging.Own;
await using CancellationTokenRegistration limited = stop.Token.Register(() => StopDeadline.Begin(log.StopTookTooLong));
try
{
    using SingleInstance claim = SingleInstance.Take(settings.Spool.Path);
    log.Started(AgentCommandLine.Version, line.ConfigPath, settings.Spool.Path, Environment.ProcessId);
    foreach (string note in settings.Notes)
    {
        log.ConfigurationNote(note);
    }

    if (claim.KeptLog is { } kept)
    {
        log.OrphanLogKept(kept);
    }

    if (claim.IsDamaged)
    {
        log.SpoolDamaged("its header, its schema or its WAL is damaged");
        await DamageWatch.RepairUntilItWorksAsync(settings.Spool.Path, TimeProvider.System, log, stop.Token);
    }

    HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
    builder.Logging.Services.AddSingleton(logging.Factory);
    builder.Services.AddSingleton(settings).AddSingleton(line).AddSingleton(logging).AddSingleton(notice).AddSingleton(reload).AddSingleton(TimeProvider.System).AddSingleton<AgentService>();
    builder.Services.AddHostedService(services => services.GetRequiredService<AgentService>());
    builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = ForwarderSet.Grace + TimeSpan.FromSeconds(5));
    using IHost host = builder.Build();
    host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.Register(() => StopDeadline.Begin(log.StopTookTooLong));
    var service = host.Services.GetRequiredService<AgentService>();
    await host.RunAsync(stop.Token);

    // The host ends quietly when a loop faults; systemd must see a failure, else it does not start the agent again.
    await (service.ExecuteTask ?? Task.CompletedTask);
    log.Stopped();
    return ExitCode.Done;
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    return ExitCode.Done;
}
catch (SpoolException refused)
{
    logging.Say($"quickq-agent: {refused.Message}{(refused.Hint is { } hint ? $"; {hint}" : "")}");
    return ExitCode.Of(refused.Fault);
}
catch (Exception fault) when (!stop.IsCancellationRequested)
{
    log.Fault(fault);
    return ExitCode.Fault;
}
