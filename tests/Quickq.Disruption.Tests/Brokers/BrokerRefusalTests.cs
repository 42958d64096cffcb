using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>What a broker and its operators can refuse or take away, amid a stream: each time everything arrives on both servers once it is given back.</summary>
[Collection<TwoNodesCollection>]
public sealed class BrokerRefusalTests(VirtualHostPair hosts) : IClassFixture<VirtualHostPair>, IAsyncLifetime
{
    private const int Longest = 300_000;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    public async ValueTask InitializeAsync() => await Task.WhenAll(hosts.First.EnsureServingAsync(), hosts.Second.EnsureServingAsync());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory(Timeout = Longest)]
    [InlineData("low on memory", "set_vm_memory_high_watermark", "0.0001", "0.6")]
    [InlineData("low on disk", "set_disk_free_limit", "100000GB", "1MB")]
    public async Task An_alarm_is_shown_as_blocked_with_its_reason_and_ends_without_a_repeat(string reason, string command, string alarm, string enough)
    {
        await using var scene = await FaultScene.OpenAsync(hosts);
        string? shown;
        try
        {
            await hosts.Second.CtlAsync(command, alarm);
            shown = await scene.AwaitConnectionAsync("blocked", reason);
            await scene.AwaitBacklogAsync();
        }
        finally
        {
            await hosts.Second.CtlAsync(command, enough);
        }

        await scene.AwaitConnectionAsync("connected");
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();

        Assert.Contains(reason, shown, StringComparison.Ordinal);
        Assert.Equal(0, scene.CountLogged("mq2: connection to"));
    }

    [Fact(Timeout = Longest)]
    public async Task An_exchange_that_is_deleted_suspends_its_messages_until_it_is_made_again()
    {
        // Between the making of the exchange and of its binding no queue would get what comes in: such messages are to be tried again.
        await using var scene = await FaultScene.OpenAsync(hosts, server => server["unroutable"] = "retry");

        await hosts.Second.CtlAsync("eval", $"rabbit_exchange:delete(rabbit_misc:r(<<\"{hosts.Name}\">>, exchange, <<\"{scene.Exchange}\">>), false, <<\"tests\">>).");
        await scene.AwaitSuspendedAsync("404 NOT_FOUND - no exchange");
        await scene.AwaitBacklogAsync();
        var charged = scene.Spool.Value<long>("SELECT count(*) FROM delivery WHERE state = 'pending' AND attempts > 0");
        await BrokerQueue.DeclareAsync(hosts.Second, hosts.Name, scene.Exchange, scene.Exchange);
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();

        Assert.Equal(0, charged);
    }

    [Fact(Timeout = Longest)]
    public async Task A_permission_that_is_taken_away_suspends_the_exchange_until_it_is_given_back()
    {
        var user = await AddUserAsync("secret");
        await using var scene = await FaultScene.OpenAsync(hosts, server => (server["user"], server["password"]) = (user, "secret"));

        await hosts.Second.CtlAsync("set_permissions", "--vhost", hosts.Name, user, ".*", "", ".*");
        await hosts.Second.CtlAsync("close_all_connections", "--vhost", hosts.Name, "permissions changed"); // a channel remembers what it was allowed
        await scene.AwaitSuspendedAsync("403 ACCESS_REFUSED");
        await scene.AwaitBacklogAsync();
        var charged = scene.Spool.Value<long>("SELECT count(*) FROM delivery WHERE state = 'pending' AND attempts > 0");
        await hosts.Second.CtlAsync("set_permissions", "--vhost", hosts.Name, user, ".*", ".*", ".*");
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();

        Assert.Equal(0, charged);
    }

    [Fact(Timeout = Longest)]
    public async Task A_virtual_host_that_is_deleted_is_told_in_words_and_used_again_once_it_is_there()
    {
        var name = $"v{Some.Word()}";
        await hosts.Second.CreateVirtualHostAsync(name);
        await using var scene = await FaultScene.OpenAsync(hosts, server => server["unroutable"] = "retry", name);

        // What it holds goes with it: it is taken out before.
        await scene.QuietAsync();
        var before = await scene.Faulty.DrainAsync();
        await hosts.Second.CtlAsync("delete_vhost", name);
        scene.Produce();
        await scene.AwaitConnectionAsync("reconnecting", $"has no vhost '{name}'");
        await scene.AwaitBacklogAsync();
        await hosts.Second.CreateVirtualHostAsync(name);
        await BrokerQueue.DeclareAsync(hosts.Second, name, scene.Exchange, scene.Exchange);
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync(earlier: before);
    }

    [Fact(Timeout = Longest)]
    public async Task A_user_that_is_deleted_and_made_again_with_another_password_is_used_as_soon_as_the_password_file_says_so()
    {
        var user = await AddUserAsync("old secret");
        using var folder = new TempFolder("password");
        var file = folder.File("mq2.password");
        await File.WriteAllTextAsync(file, "old secret\n");
        await using var scene = await FaultScene.OpenAsync(hosts, server =>
        {
            server["user"] = user;
            server.Remove("password");
            server["passwordFile"] = file;
        });

        await hosts.Second.CtlAsync("delete_user", user);
        await scene.AwaitConnectionAsync("reconnecting", user);
        await AddUserAsync("new secret", user);
        var shown = await scene.AwaitConnectionAsync("reconnecting", "wrong user name or password");
        await File.WriteAllTextAsync(file, "new secret\n");
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();

        Assert.Contains(user, shown, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", scene.Agent.Log, StringComparison.Ordinal);
    }

    [Fact(Timeout = Longest)]
    public async Task Connections_that_an_operator_closes_again_and_again_cost_nothing_but_repeats()
    {
        const int times = 4;
        await using var scene = await FaultScene.OpenAsync(hosts);

        for (var time = 1; time <= times; time++)
        {
            await hosts.Second.CtlAsync("close_all_connections", "--vhost", hosts.Name, "maintenance");
            await Eventually.Is($"the connection was lost {time} times", Limit, () => scene.CountLogged("CONNECTION_FORCED - maintenance") >= time);
            await scene.AwaitFlowAsync(20);
        }

        await scene.MustEndCleanAsync();
    }

    private async Task<string> AddUserAsync(string password, string? name = null)
    {
        name ??= $"u{Some.Word()}";
        await hosts.Second.CtlAsync("add_user", name, password);
        await hosts.Second.CtlAsync("set_permissions", "--vhost", hosts.Name, name, ".*", ".*", ".*");
        return name;
    }
}
