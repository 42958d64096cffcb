using System.Globalization;
using Quickq.Testing;
using Quickq.Testing.Network;

namespace Quickq.Disruption.Tests;

/// <summary>One server to which one thing after the other happens, drawn from a seed; each ends before the next begins.</summary>
/// <remarks>
/// Not among them: a full queue, whose nacks let later messages pass (the audit wants order), and a deleted virtual host, which takes what was delivered with it.
/// <c>RefusalTests</c> and <c>BrokerRefusalTests</c> have those.
/// </remarks>
/// <param name="node">The broker.</param>
/// <param name="link">The cable between it and the agent.</param>
/// <param name="queue">What it fills, when its exchange may be deleted and made again.</param>
/// <param name="virtualHost">Where the agent publishes.</param>
/// <param name="dice">What happens, when, and for how long.</param>
internal sealed class ChaoticServer(RabbitNode node, NetworkLink link, BrokerQueue? queue, string virtualHost, Random dice)
{
    private const double LongestPauseSeconds = 4;

    private readonly List<string> _done = [];

    /// <summary>What happened to it, in order.</summary>
    public IReadOnlyList<string> Done => _done;

    /// <summary>Makes faults until it is enough; leaves the server well.</summary>
    public async Task RunAsync(CancellationToken enough)
    {
        (string Name, double LongestSeconds, Func<Task> Begin, Func<Task> End)[] faults =
        [
            ("killed", 3, Now(node.Kill), StartAsync),
            ("stopped", 2, node.StopAsync, StartAsync),
            ("application stopped", 2, () => node.CtlAsync("stop_app"), () => node.CtlAsync("start_app")),
            ("frozen", 15, node.PauseAsync, Now(node.Resume)),
            ("cable pulled", 20, link.CutAsync, link.HealAsync),
            ("packets lost", 8, () => link.LoseAsync(percent: 30), link.HealAsync),
            ("connections reset", 2, link.ResetAsync, link.HealAsync),
            ("connections closed", 0, () => node.CtlAsync("close_all_connections", "chaos"), Nothing),
            ("memory alarm", 6, () => node.CtlAsync("set_vm_memory_high_watermark", "0.0001"), () => node.CtlAsync("set_vm_memory_high_watermark", "0.6")),
            ("disk alarm", 4, () => node.CtlAsync("set_disk_free_limit", "100000GB"), () => node.CtlAsync("set_disk_free_limit", "1MB")),
            ("permission taken", 4, () => node.CtlAsync("clear_permissions", "-p", virtualHost, "guest"), PermitAsync),
            ("user deleted", 4, () => node.CtlAsync("delete_user", "guest"), MakeUserAsync),
            ("exchange deleted", 4, DeleteExchangeAsync, MakeExchangeAsync),
        ];
        faults = [.. faults.Where(fault => queue is not null || fault.Begin != DeleteExchangeAsync)];
        while (await PassesAsync(TimeSpan.FromSeconds(dice.NextDouble() * LongestPauseSeconds), enough))
        {
            var (name, longestSeconds, begin, end) = faults[dice.Next(faults.Length)];
            var seconds = dice.NextDouble() * longestSeconds;
            _done.Add(string.Create(CultureInfo.InvariantCulture, $"{name} for {seconds:N1} s"));
            await begin();
            try
            {
                await PassesAsync(TimeSpan.FromSeconds(seconds), enough);
            }
            finally
            {
                await end();
            }
        }
    }

    /// <summary>Not a wait for anything: the random time between faults. False when it was cut short.</summary>
    public static async Task<bool> PassesAsync(TimeSpan time, CancellationToken enough)
    {
        await Task.WhenAny(Task.Delay(time, TimeProvider.System, enough));
        return !enough.IsCancellationRequested;
    }

    private static Func<Task> Now(Action act) => () =>
    {
        act();
        return Task.CompletedTask;
    };

    private static Task Nothing() => Task.CompletedTask;

    private async Task StartAsync()
    {
        await node.StartAsync();
        await node.CtlAsync("await_startup");
    }

    private Task PermitAsync() => node.CtlAsync("set_permissions", "-p", virtualHost, "guest", ".*", ".*", ".*");

    private async Task MakeUserAsync()
    {
        await node.CtlAsync("add_user", "guest", "guest");
        await PermitAsync();
    }

    private Task DeleteExchangeAsync() => node.CtlAsync("eval", $"rabbit_exchange:delete(rabbit_misc:r(<<\"{virtualHost}\">>, exchange, <<\"{queue!.Exchange}\">>), false, <<\"tests\">>).");

    private Task MakeExchangeAsync() => BrokerQueue.DeclareAsync(node, virtualHost, queue!.Exchange, queue.Name);
}
