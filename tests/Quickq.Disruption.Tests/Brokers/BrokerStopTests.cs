using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>Broker and agent are stopped, killed and frozen amid a stream: each time everything arrives on both servers.</summary>
[Collection<TwoNodesCollection>]
public sealed class BrokerStopTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Longest = 300_000;

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => InitializeAsync();

    [Fact(Timeout = Longest)]
    public Task The_brokers_application_is_stopped_and_started() => SurvivesAsync(async scene =>
    {
        await hosts.Second.CtlAsync("stop_app");
        await scene.AwaitConnectionAsync("reconnecting");
        await scene.AwaitBacklogAsync();
        await hosts.Second.CtlAsync("start_app");
    });

    [Fact(Timeout = Longest)]
    public Task The_whole_broker_is_stopped_and_started() => SurvivesAsync(async scene =>
    {
        await hosts.Second.StopAsync();
        await scene.AwaitConnectionAsync("reconnecting");
        hosts.Second.BeginStart();
    });

    [Fact(Timeout = Longest)]
    public Task The_broker_is_killed() => SurvivesAsync(async scene =>
    {
        hosts.Second.Kill();
        await scene.AwaitConnectionAsync("reconnecting");
        hosts.Second.BeginStart();
    });

    [Fact(Timeout = Longest)]
    public Task The_agent_is_killed() => SurvivesAsync(async scene =>
    {
        scene.Agent.KillAndStart();
        await scene.AwaitFlowAsync();
        scene.Agent.KillAndStart();
    });

    [Fact(Timeout = Longest)]
    public Task Broker_and_agent_are_killed_at_once() => SurvivesAsync(async scene =>
    {
        hosts.Second.Kill();
        scene.Agent.Kill();
        await scene.AwaitBacklogAsync();
        hosts.Second.BeginStart();
        scene.Agent.Start();
    });

    [Fact(Timeout = Longest)]
    public Task The_broker_is_frozen_for_longer_than_its_heartbeat_and_wakes() => SurvivesAsync(async scene =>
    {
        await hosts.Second.PauseAsync();
        await scene.AwaitConnectionAsync("reconnecting", "no sign of life");
        hosts.Second.Resume();
    });

    [Fact(Timeout = Longest)]
    public Task What_a_frozen_broker_had_in_its_buffers_is_sent_again_when_it_is_killed() => SurvivesAsync(async scene =>
    {
        await hosts.Second.PauseAsync();

        // The window is full: all of it was handed to the network, and nothing of it was confirmed.
        await scene.AwaitBacklogAsync(2 * FaultScene.Window);
        hosts.Second.Kill();
        await scene.AwaitConnectionAsync("reconnecting");
        hosts.Second.BeginStart();
    });

    private async Task SurvivesAsync(Func<FaultScene, Task> fault)
    {
        await using var scene = await FaultScene.OpenAsync(hosts, server => server["heartbeat"] = "1s");
        await fault(scene);
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();
    }
}
