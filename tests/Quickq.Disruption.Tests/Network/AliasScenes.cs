using Quickq.Testing;
using Quickq.Testing.Network;

namespace Quickq.Disruption.Tests;

/// <summary>Nine agents whose servers are known by an alias, each with a name that does something else, all at the same time.</summary>
/// <param name="network">Where they are; its nodes must live as long.</param>
public sealed class AliasScenes(OwnNetwork network) : IAsyncDisposable
{
    /// <summary>30 s to the first look, 5 s to the second, 30 s for the window to drain and a busy machine.</summary>
    private static readonly TimeSpan MoveLimit = TimeSpan.FromSeconds(75);

    /// <summary>Two looks and both second looks: who moves at every chance has moved twice by then.</summary>
    private static readonly TimeSpan TwoLooks = TimeSpan.FromSeconds(85);

    /// <summary>Nine producers at once: a few messages a second each.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(400);

    private const string First = "10.78.1.2";
    private const string Second = "10.78.2.2";
    private readonly string _virtualHost = $"v{Guid.NewGuid():N}"[..10];
    private readonly string _soundHost = $"s{Guid.NewGuid():N}"[..10];
    private readonly CancellationTokenSource _over = new();
    private readonly Dictionary<string, Task> _vanishing = new(StringComparer.Ordinal);

    private readonly Dictionary<string, Task> _moved = new(StringComparer.Ordinal);

    public Task Rotating { get; private set; } = null!;

    public Task Alternating { get; private set; } = null!;

    public Task Unknown { get; private set; } = null!;

    public Task Vanishing(string name) => _vanishing[name];

    public Task Moved(string name) => _moved[name];

    /// <summary>Begins them all and waits for none.</summary>
    public async Task BeginAsync()
    {
        await network.CreateVirtualHostAsync(_virtualHost);
        await network.CreateVirtualHostAsync(_soundHost);
        (Rotating, Alternating, Unknown) = (RotateAsync(), AlternateAsync(), AppearAsync());

        // What is in the hosts file has an address of v4; asked for one of v6, dnsmasq says that there is none, refuses, or says nothing.
        foreach (var name in new[] { "alias.test", "alias.refused", "alias.silent" })
        {
            _moved.Add(name, MoveAsync(name));
        }

        foreach (var name in new[] { "vanishing.test", "vanishing.refused", "vanishing.silent" })
        {
            _vanishing.Add(name, VanishAsync(name));
        }
    }

    /// <summary>Ends those that no test has waited for.</summary>
    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await Task.WhenAll([.. _vanishing.Values, .. _moved.Values, Rotating, Alternating, Unknown]).ContinueWith(_ => { }, TaskScheduler.Default);
        _over.Dispose();
    }

    private async Task MoveAsync(string name)
    {
        network.Names.Set(name, First);
        await using var scene = await OpenAsync(name, onBothNodes: true);
        var earlier = scene.Spool.CountDelivered("mq2");
        Assert.Equal($"{First}:5672", await EndpointAsync(scene));

        network.Names.Set(name, Second);
        await Eventually.Gives("mq2 has moved to the new address", $"{Second}:5672", MoveLimit, () => EndpointAsync(scene));
        await scene.AwaitFlowAsync();

        // The old server lives on, and keeps what it was given before.
        await scene.MustEndCleanAsync(earlier: await scene.Faulty.On(network.First).DrainAsync());
        Assert.True(earlier > 0);
        Assert.Equal(1, scene.CountLogged($"mq2: {name} no longer leads to"));
    }

    private async Task RotateAsync()
    {
        // dnsmasq gives all addresses of a name, each time in another order.
        network.Names.Set("rotating.test", First, Second);
        await using var scene = await OpenAsync("rotating.test", onBothNodes: true);
        await StayAsync(TwoLooks);
        await EndWithBothAsync(scene);
        Assert.Equal(0, scene.CountLogged("mq2: connection to"));
        Assert.Equal(0, scene.CountLogged("no longer leads to"));
    }

    private async Task AlternateAsync()
    {
        network.Names.Set("alternating.test", First);
        await using var scene = await OpenAsync("alternating.test", onBothNodes: true);
        using var enough = new CancellationTokenSource(TwoLooks, TimeProvider.System);
        for (var other = true; !enough.IsCancellationRequested; other = !other)
        {
            // Always away from the one in use, at any look: the worst rotation there is.
            var inUse = await EndpointAsync(scene);
            network.Names.Set("alternating.test", inUse.StartsWith(First, StringComparison.Ordinal) ? Second : First);
            await StayAsync(TimeSpan.FromSeconds(1));
        }

        await EndWithBothAsync(scene);
        Assert.Equal(1, scene.CountLogged("mq2: alternating.test no longer leads to"));
    }

    private async Task AppearAsync()
    {
        await using var scene = await OpenAsync("later.test", awaitFlow: false);
        await scene.AwaitConnectionAsync("reconnecting", "the name later.test does not resolve");
        await scene.AwaitBacklogAsync();
        network.Names.Set("later.test", First);
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();
    }

    private async Task VanishAsync(string name)
    {
        network.Names.Set(name, First);
        await using var scene = await OpenAsync(name);
        network.Names.Set(name);
        await StayAsync(TwoLooks);
        Assert.Equal($"{First}:5672", await EndpointAsync(scene));
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();
        Assert.Equal(0, scene.CountLogged("mq2: connection to"));
        Assert.Equal(0, scene.CountLogged("no longer leads to"));
    }

    private async Task EndWithBothAsync(FaultScene scene)
    {
        await scene.QuietAsync();
        await scene.MustEndCleanAsync(earlier: await scene.Faulty.On(network.First).DrainAsync());
    }

    private async Task<FaultScene> OpenAsync(string name, bool onBothNodes = false, bool awaitFlow = true)
    {
        var exchange = $"alias-{Guid.NewGuid():N}"[..14];
        var known = onBothNodes ? network.Second : network.First;
        if (onBothNodes)
        {
            await BrokerQueue.DeclareAsync(network.First, _virtualHost, exchange, exchange);
        }

        // mq1 is the second node, by its address: that one is never asked about.
        return await FaultScene.OpenAsync((network.Second, _soundHost), (known, _virtualHost), server => server["host"] = name, network.Named, exchange, awaitFlow, LongestPause);
    }

    // Nothing is waited for here: the passing of time is what is tested.
    private Task StayAsync(TimeSpan time) => Task.Delay(time, TimeProvider.System, _over.Token);

    private static async Task<string> EndpointAsync(FaultScene scene) => (await scene.Spool.StatusOfAsync("mq2")).GetProperty("endpoint").GetString() ?? "";
}
