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

    // The forms that QuickMQ's users write: two servers and a cluster, publishing in a loop with every status looked at.
    private const string QuickMqFunctions =
        """
        import quickq.api as mq

        mq.connect("server1", "server2", user="username", password="password", exchange="events")
        mq.connect("cluster1", "cluster2", "cluster3", user="user", password="pass", exchange="events", cluster=True)
        publish, status, disconnect = mq.publish, mq.status, mq.disconnect

        """;

    private const string QuickMqClasses =
        """
        from quickq.api import AmqpClient, AmqpConnection, ClusteredConnection

        client = AmqpClient(name="my_client")
        for server in ["server1", "server2"]:
            client.connect(AmqpConnection(server, user="user", password="pass", exchange="events"))
        client.connect(ClusteredConnection([AmqpConnection(server, user="user", password="pass") for server in ["cluster1", "cluster2"]]))
        publish, status, disconnect = client.publish, lambda: client.connections, client.disconnect

        """;

    private const string QuickMqLoop =
        """
        import logging, sys

        number = 0
        while sys.stdin.readline() == "go\n":
            for _ in range(10):
                deliv_status = publish({"number": number}, route_key="my.custom.topic")
                number += 1
                for con, stat in deliv_status.items():
                    if stat != "DELIVERED":
                        logging.warning("Couldn't deliver message to %s!", con)
            print(number, *("%s=%s" % one for one in sorted(deliv_status.items())), flush=True)
        for con, state in status().items():
            if state != "CONNECTED":
                sys.exit("not connected to " + con)
        disconnect()
        """;

    private const string ThreadsAndChildren =
        """
        import os, threading, quickq
        spool = quickq.Spool(os.environ["QUICKQ_SPOOL"])
        spool.publish("opened")

        def publish(who):
            for number in range(15):
                spool.publish("%s %d" % (who, number))

        def publish_in_threads(who, count):
            threads = [threading.Thread(target=publish, args=("%s-%d" % (who, one),)) for one in range(count)]
            for thread in threads:
                thread.start()
            return threads

        threads, children = publish_in_threads("parent", 32), []
        for child in range(8):
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    for thread in publish_in_threads("child%d" % child, 2):
                        thread.join()
                    code = 0
                finally:
                    os._exit(code)
            children.append(pid)
        for thread in threads:
            thread.join()
        print(sum(os.waitpid(pid, 0)[1] for pid in children))
        """;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    [Fact(Timeout = 300_000)]
    public async Task Events_published_from_Python_arrive_on_both_servers_as_json_dumps_wrote_them()
    {
        using var spool = new TempSpool();
        var first = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "satellite");
        var second = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "satellite");
        using var agent = StartAgent(spool, "other");

        using var script = PythonProgram.Start(spool, PublishEvents, SsecEvents.FilePath);
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

    [Theory(Timeout = 300_000)]
    [InlineData("functions", QuickMqFunctions + QuickMqLoop)]
    [InlineData("classes", QuickMqClasses + QuickMqLoop)]
    public async Task A_QuickMQ_script_with_one_import_changed_loses_nothing_across_a_restart_of_a_broker(string form, string code)
    {
        using var spool = new TempSpool();
        var first = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "events", form);
        var second = await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, "events", form);
        using var agent = StartAgent(spool, "other");
        using var script = PythonProgram.Start(spool, code);

        await PublishUntilAsync(script, "mq1=DELIVERED");
        await hosts.First.CtlAsync("stop_app");
        await PublishUntilAsync(script, "mq1=PENDING mq2=DELIVERED");
        await hosts.First.CtlAsync("start_app");
        await PublishUntilAsync(script, "mq1=DELIVERED mq2=DELIVERED");
        await script.Stdin.WriteAsync("stop\n");
        await script.Stdin.FlushAsync(TestContext.Current.CancellationToken);
        int exitCode = await script.WaitForExitAsync(Limit);
        Assert.True(exitCode == 0, script.Stderr);
        Assert.Contains("Couldn't deliver message to mq1!", script.Stderr, StringComparison.Ordinal);

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

    [Fact(Timeout = 300_000)]
    public async Task What_threads_and_forked_children_publish_through_one_spool_object_arrives_once()
    {
        using var spool = new TempSpool();
        var queue = await BrokerQueue.DeclareAsync(hosts.First, hosts.Name, "shared", "shared");
        using var agent = StartAgent(spool, "shared");

        using var script = PythonProgram.Start(spool, ThreadsAndChildren);
        Assert.True(await script.WaitForExitAsync(Limit) == 0, script.Stderr);
        Assert.Equal("0\n", script.Stdout);

        await queue.AwaitCountAsync(1 + ((32 + (8 * 2)) * 15), Limit);
        var bodies = (await queue.DrainAsync()).Select(message => Encoding.UTF8.GetString(message.Body)).ToList();
        var publishers = Enumerable.Range(0, 32).Select(thread => $"parent-{thread}")
            .Concat(Enumerable.Range(0, 16).Select(thread => $"child{thread / 2}-{thread % 2}"));
        var expected = publishers.SelectMany(who => Enumerable.Range(0, 15).Select(number => $"\"{who} {number}\"")).Append("\"opened\"");
        Assert.Equal(expected.Order(StringComparer.Ordinal), bodies.Order(StringComparer.Ordinal), StringComparer.Ordinal);
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
}
