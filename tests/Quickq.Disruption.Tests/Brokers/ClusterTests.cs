using System.Text.Json.Nodes;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>A server that is a cluster of two real nodes: the member in use dies amid a stream, the other takes over.</summary>
[Collection<OneNodeCollection>]
public sealed class ClusterTests(OneNode alone, TwoMemberCluster cluster) : IClassFixture<TwoMemberCluster>, IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);
    private readonly RabbitNode _one = cluster.First;
    private readonly RabbitNode _two = cluster.Second;

    public async ValueTask InitializeAsync() => await cluster.MirrorAsync("/");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact(Timeout = 300_000)]
    public async Task The_member_in_use_is_killed_and_the_other_takes_over_there_and_back()
    {
        await using var scene = await FaultScene.OpenAsync((alone.Node, "/"), (_one, "/"), server =>
        {
            server.Remove("host");
            server.Remove("port");
            server["hosts"] = new JsonArray(At(_one), At(_two));
        });
        await AwaitEndpointAsync(scene, _one);

        _one.Kill();
        await AwaitEndpointAsync(scene, _two);
        await scene.AwaitFlowAsync();
        await _one.StartAsync();
        await _one.CtlAsync("await_startup");
        await Eventually.Is("the member that was away has all of the queue again", Limit, async () =>
            (await _two.CtlAsync("list_queues", "--silent", "name", "synchronised_slave_pids")).Split('\n').Any(line => line.Contains(scene.Exchange, StringComparison.Ordinal) && line.Contains("one-of-two", StringComparison.Ordinal)));

        _two.Kill();
        await AwaitEndpointAsync(scene, _one);
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();
    }

    private static string At(RabbitNode node) => $"{node.Host}:{node.Port}";

    private static Task AwaitEndpointAsync(FaultScene scene, RabbitNode node) => Eventually.Gives(
        $"mq2 is connected to {node.Name}", At(node), Limit, async () => (await scene.Spool.StatusOfAsync("mq2")).GetProperty("endpoint").GetString());
}
