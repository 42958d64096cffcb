using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>The whole path with the real programs: quickq-spool, the agent, two brokers.</summary>
[Collection<TwoNodesCollection>]
public sealed class WholePathTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Fact(Timeout = 180_000)]
    public async Task What_was_added_before_the_agent_ever_ran_reaches_both_servers_in_order_and_byte_for_byte()
    {
        using var spool = new TempSpool();
        var command = new SpoolCommand(spool);
        var first = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite");
        var second = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "satellite");
        var events = SsecEvents.All.Take(200).ToList();
        var lines = events.SelectMany(item => item.Payload.Append((byte)'\n')).ToArray();

        var added = (await command.RunWithInputAsync(lines, "add", "--lines", "-t", "{__topic__}")).MustSucceed();
        using var agent = AgentProcess.Start(new AgentConfiguration(spool.Path)
            .WithServer("mq1", hosts.First, hosts.Name, "satellite")
            .WithServer("mq2", hosts.Second, hosts.Name, "satellite"));
        await Task.WhenAll(first.AwaitCountAsync(events.Count, Limit), second.AwaitCountAsync(events.Count, Limit));

        foreach (var queue in new[] { first, second })
        {
            var found = await queue.DrainAsync();
            Assert.Equal(added.Lines, found.Select(message => message.MessageId!), StringComparer.Ordinal);
            Assert.Equal(events.Select(item => item.Topic), found.Select(message => message.RoutingKey), StringComparer.Ordinal);
            Assert.All(found.Zip(events), pair => Assert.Equal(pair.Second.Payload, pair.First.Body));
        }

        Assert.Equal(0, await agent.StopAsync());
        Assert.Equal(2L * events.Count, spool.Value<long>("SELECT count(*) FROM delivery WHERE state = 'delivered'"));
    }
}
