using System.Text;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>The whole path from Python: a script that publishes, the agent, two brokers.</summary>
[Collection<TwoNodesCollection>]
public sealed class PythonProducerTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>
{
    private const string PublishEvents =
        """
        import json, sys, quickq
        from quickq import ssec
        events = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
        for one in events[:100]:
            quickq.publish(one, route_key=ssec.topic_for(one), exchange="satellite")
        ids = quickq.publish_many(events[100:], route_key=ssec.topic_for, exchange="satellite")
        print("\n".join(json.dumps(one) for one in events))
        sys.exit(0 if quickq.wait(ids, 120) else 1)
        """;

    // The forms of QuickMQ's README: two servers, a cluster, publishing in a loop with the status checked, a class.
    private const string QuickMqScript =
        """
        import sys
        import quickq.api as mq
        from quickq.api import AmqpClient, AmqpConnection

        mq.connect("server1", "server2", user="username", password="password", exchange="events")
        mq.connect("cluster1", "cluster2", user="user", password="pass", exchange="events", cluster=True)
        client = AmqpClient(name="my_client")
        client.connect(AmqpConnection("server1", user="user", password="pass", exchange="events"))
        number = 0
        while sys.stdin.readline() == "go\n":
            for _ in range(10):
                publish = mq.publish if number % 2 else client.publish
                states = publish({"number": number}, route_key="my.custom.topic")
                number += 1
                for con, stat in states.items():
                    if stat == "REJECTED" or stat == "DROPPED":
                        sys.exit("lost at " + con)
            print(number, *("%s=%s" % one for one in sorted(states.items())), flush=True)
        mq.disconnect()
        """;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    [Fact(Timeout = 300_000)]
    public async Task Events_published_from_Python_arrive_on_both_servers_as_json_dumps_wrote_them()
    {
        using var spool = new TempSpool();
        var first = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite");
        var second = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "satellite");
        using var agent = StartAgent(spool, "other");

        using var script = StartPython(spool, PublishEvents, SsecEvents.FilePath);
        int code = await script.WaitForExitAsync(Limit);
        Assert.True(code == 0, script.Stderr);
        await Task.WhenAll(first.AwaitCountAsync(SsecEvents.All.Count, Limit), second.AwaitCountAsync(SsecEvents.All.Count, Limit));

        string[] dumped = script.Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        foreach (var queue in new[] { first, second })
        {
            var found = await queue.DrainAsync();
            Assert.Equal(dumped, found.Select(message => Encoding.UTF8.GetString(message.Body)), StringComparer.Ordinal);
            Assert.Equal(SsecEvents.All.Select(captured => captured.Topic), found.Select(message => message.RoutingKey), StringComparer.Ordinal);
            Assert.All(found, message => Assert.Equal("application/json", message.Properties.ContentType));
        }

        Assert.Equal(0, await agent.StopAsync());
    }

    [Fact(Timeout = 300_000)]
    public async Task A_QuickMQ_script_with_one_import_changed_loses_nothing_across_a_restart_of_a_broker()
    {
        using var spool = new TempSpool();
        var first = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "events");
        var second = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "events");
        using var agent = StartAgent(spool, "events");
        using var script = StartPython(spool, QuickMqScript);

        await PublishUntilAsync(script, "mq1=DELIVERED");
        await hosts.First.CtlAsync("stop_app");
        await PublishUntilAsync(script, "mq1=PENDING mq2=DELIVERED");
        await hosts.First.CtlAsync("start_app");
        await PublishUntilAsync(script, "mq1=DELIVERED mq2=DELIVERED");
        await script.Stdin.WriteAsync("stop\n");
        await script.Stdin.FlushAsync(TestContext.Current.CancellationToken);
        int code = await script.WaitForExitAsync(Limit);
        Assert.True(code == 0, script.Stderr);

        int published = spool.Query<string>("SELECT id FROM message").Count;
        await Task.WhenAll(first.AwaitCountAsync(published, Limit), second.AwaitCountAsync(published, Limit));
        foreach (var queue in new[] { first, second })
        {
            var found = await queue.DrainAsync();
            Assert.Equal(
                Enumerable.Range(0, published).Select(number => $$"""{"number": {{number}}}"""),
                found.Select(message => Encoding.UTF8.GetString(message.Body)).Distinct(StringComparer.Ordinal),
                StringComparer.Ordinal);
        }

        Assert.Equal(0, await agent.StopAsync());
    }

    /// <summary>Lets the script publish, ten by ten, until it has printed these states.</summary>
    private static async Task PublishUntilAsync(ChildProcess script, string states)
    {
        int before = script.Stdout.Length;
        int asked = 0;
        await Eventually.Is($"the script prints '{states}'", Limit, async () =>
        {
            if (script.HasExited)
            {
                throw new InvalidOperationException(script.Stderr);
            }

            string printed = script.Stdout[before..];
            if (printed.Contains(states, StringComparison.Ordinal))
            {
                return true;
            }

            if (printed.Count(character => character == '\n') == asked)
            {
                asked++;
                await script.Stdin.WriteAsync("go\n");
                await script.Stdin.FlushAsync(TestContext.Current.CancellationToken);
            }

            return false;
        });
    }

    private AgentProcess StartAgent(TempSpool spool, string exchange) => AgentProcess.Start(new AgentConfiguration(spool.Path)
        .WithServer("mq1", hosts.First, hosts.Name, exchange)
        .WithServer("mq2", hosts.Second, hosts.Name, exchange));

    private static ChildProcess StartPython(TempSpool spool, string script, params string[] arguments) => ChildProcess.Start(
        Environment.GetEnvironmentVariable("QUICKQ_PYTHON") ?? "python3",
        ["-c", script, .. arguments],
        new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["QUICKQ_SPOOL"] = spool.Path,
            ["PYTHONPATH"] = BuiltPrograms.PythonPackage,
            ["PYTHONDONTWRITEBYTECODE"] = "1",
        });
}
