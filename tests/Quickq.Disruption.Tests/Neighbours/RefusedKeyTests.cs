using System.Globalization;
using System.Text;
using Quickq.Testing;
using Quickq.Testing.Auditing;

namespace Quickq.Disruption.Tests.Neighbours;

/// <summary>A routing key that the user may not use, in forms that make the broker's words hard to read.</summary>
[Collection<TwoNodesCollection>]
public sealed class RefusedKeyTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>
{
    private const int Window = 100;

    public static TheoryData<string> Keys => ["bad.a\nb", "bad." + new string('k', 246), "bad.it's 'in' exchange 'x'", "bad.größe"];

    [Theory(Timeout = 240_000)]
    [MemberData(nameof(Keys))]
    public async Task Its_messages_wait_with_the_broker_s_words_and_its_neighbours_are_delivered_without_a_flood(string key)
    {
        using var scene = new NeighbourScene(hosts);
        var queue = await scene.DeclareAsync("all", "#");
        var user = $"u{Some.Word()}";
        await scene.Node.CtlAsync("add_user", user, "secret");
        await scene.Node.CtlAsync("set_permissions", "--vhost", hosts.Name, user, ".*", ".*", ".*");
        await scene.Node.CtlAsync("set_topic_permissions", "--vhost", hosts.Name, user, scene.Exchange, "^good.*", ".*");
        await scene.RegisterAsync();
        scene.Add("good.before", 500);
        scene.Add(key, 3);
        scene.Add("good.behind", 500);

        await scene.StartAsync(server => (server["window"], server["user"], server["password"]) = (Window, user, "secret"));
        await scene.AwaitDeliveredAsync(1_000);
        await Eventually.Is("it was tried again", NeighbourScene.Limit, () => scene.Rows(key).Sum(row => row.Attempts) >= 3);
        var waiting = scene.Rows(key);
        var suspended = scene.Spool.Value<long>("SELECT count(*) FROM suspension");
        Assert.Equal(0, await scene.Agent!.StopAsync());

        Assert.Equal(0, suspended);
        Assert.DoesNotContain($"exchange '{scene.Exchange}' is suspended", scene.Log.Replace($"of exchange '{scene.Exchange}'", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("ACCESS_REFUSED - access to topic", waiting.First(row => row.Attempts > 0).Reason, StringComparison.Ordinal);
        Assert.All([.. scene.Rows("good.before"), .. scene.Rows("good.behind")], row => Assert.Equal(1, row.Attempts));

        // One window when the first of them closes the channel; the later ones go out alone.
        var received = await queue.DrainAsync();
        Assert.InRange(QueueAudit.CountRepeats(received), 0, Window);
        Assert.Equal(1_000, received.Select(message => message.MessageId).Distinct(StringComparer.Ordinal).Count());
    }

    [Fact(Timeout = 240_000)]
    public async Task Hundreds_of_refused_keys_do_not_hold_up_what_the_broker_takes()
    {
        const int bad = 300;
        using var scene = new NeighbourScene(hosts);
        await scene.DeclareAsync("all", "#");
        var user = $"u{Some.Word()}";
        await scene.Node.CtlAsync("add_user", user, "secret");
        await scene.Node.CtlAsync("set_permissions", "--vhost", hosts.Name, user, ".*", ".*", ".*");
        await scene.Node.CtlAsync("set_topic_permissions", "--vhost", hosts.Name, user, scene.Exchange, "^good.*", ".*");
        await scene.StartAsync(server => (server["window"], server["user"], server["password"]) = (Window, user, "secret"));
        var lines = new StringBuilder();
        for (var number = 0; number < bad; number++)
        {
            lines.Append(CultureInfo.InvariantCulture, $"INSERT INTO message (exchange, routing_key, body) VALUES ('{scene.Exchange}', 'bad.{number}', x'00'), ('{scene.Exchange}', 'good', x'01');");
        }

        scene.Spool.Execute($"BEGIN IMMEDIATE; {lines} COMMIT;");

        await scene.AwaitDeliveredAsync(bad, TimeSpan.FromSeconds(60));
        scene.Add("good.late", 10);
        await scene.AwaitDeliveredAsync(bad + 10, TimeSpan.FromSeconds(30));
        Assert.Equal(0, await scene.Agent!.StopAsync());
    }
}
