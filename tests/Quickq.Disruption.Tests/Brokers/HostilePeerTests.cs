using Quickq.Testing;
using Quickq.Testing.Network;

namespace Quickq.Disruption.Tests;

/// <summary>Servers that do what no broker does: each costs itself its connection, and neither the agent nor its neighbours anything.</summary>
[Collection<OneNodeCollection>]
public sealed class HostilePeerTests(OneNode alone, ITestOutputHelper output)
{
    private const int Longest = 1_800_000;

    /// <summary>More of them for the long form: each is met again after its back-off only.</summary>
    private static readonly int Peers = Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1" ? 120 : 24;

    /// <summary>In kibibytes; idle it has 30 to 50 MiB.</summary>
    private const long MostResident = 400 * 1024;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    /// <summary>60 conversations, or 500 with QUICKQ_LONG=1.</summary>
    private static readonly int Conversations = Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1" ? 500 : 60;

    public static TheoryData<string, string> Faults => new()
    {
        { "a table of 100,000 levels at the start", "sent a frame of" },
        { "a table of 10,000 levels at the start", "sent a table with more than 32 levels" },
        { "frames of one byte", "proposes frames of 1 bytes; AMQP needs at least 4,096" },
        { "frames of four gigabytes", "" },
        { "a frame of four gigabytes", "sent a frame of 4,294,967,295 bytes" },
        { "a table of 10,000 levels in a returned message", "sent a table with more than 32 levels" },
        { "another protocol", "does not speak AMQP 0-9-1" },
        { "no room for a channel", "" },
        { "a close without a code", "" },
    };

    [Theory(Timeout = Longest)]
    [MemberData(nameof(Faults))]
    public async Task One_hostile_server_costs_the_others_nothing(string fault, string reason)
    {
        await using var hostile = new AmqpPeer();
        (AmqpPoint point, byte[] says) = fault switch
        {
            "a table of 100,000 levels at the start" => (AmqpPoint.Start, AmqpFrames.Start(AmqpFrames.NestedTable(100_000))),
            "a table of 10,000 levels at the start" => (AmqpPoint.Start, AmqpFrames.Start(AmqpFrames.NestedTable(10_000))),
            "frames of one byte" => (AmqpPoint.Tune, AmqpFrames.Tune(frameMax: 1)),
            "frames of four gigabytes" => (AmqpPoint.Tune, AmqpFrames.Tune(frameMax: uint.MaxValue)),
            "a frame of four gigabytes" => (AmqpPoint.OpenOk, [1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 10, 0, 41]),
            "a table of 10,000 levels in a returned message" =>
                (AmqpPoint.Published, [.. AmqpFrames.Return(1, "k"), .. AmqpFrames.Content(1, 0, AmqpFrames.NestedTable(10_000))]),
            "another protocol" => (AmqpPoint.Start, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"u8.ToArray()),
            "no room for a channel" => (AmqpPoint.Tune, AmqpFrames.Tune(channelMax: 1)),
            _ => (AmqpPoint.Published, AmqpFrames.ChannelClose(1, 0, "")),
        };
        hostile.Moves[point] = new AmqpMove(says);
        using var spool = new TempSpool();
        using var agent = await StartAsync(spool, configuration => configuration.WithServer("hostile", "127.0.0.1", hostile.Port, "/", "e"));

        await AddAsync(spool, 20);
        await spool.AwaitDeliveredAsync(20, Limit, "sound");
        await Eventually.Is("the hostile one has been met", Limit, () => hostile.Conversations > 0);
        await Eventually.Is($"its error is known: {reason}", Limit, () =>
            reason.Length == 0 || spool.Value<string?>("SELECT last_error FROM server WHERE name = 'hostile'")?.Contains(reason, StringComparison.Ordinal) is true);
        await AddAsync(spool, 20);
        await spool.AwaitDeliveredAsync(40, Limit, "sound");

        MustHaveStayed(agent);
        Assert.Equal(0, await agent.StopAsync());
    }

    [Fact(Timeout = Longest)]
    public async Task Returned_bodies_take_no_memory()
    {
        // 64 MB in one message, again and again; 4 GB announced, and never sent.
        byte[] returned = [.. AmqpFrames.Return(1, "k"), .. AmqpFrames.Content(1, 64_000_000, AmqpFrames.NestedTable(1)), .. Enumerable.Repeat(AmqpFrames.Body(1, 128_000), 500).SelectMany(body => body)];
        await using var large = new AmqpPeer { Moves = { [AmqpPoint.Published] = new(returned) } };
        await using var announced = new AmqpPeer { Moves = { [AmqpPoint.Published] = new([.. AmqpFrames.Return(1, "k"), .. AmqpFrames.Content(1, uint.MaxValue, AmqpFrames.NestedTable(1))]) } };
        using var spool = new TempSpool();
        using var agent = await StartAsync(spool, configuration => configuration
            .WithServer("large", "127.0.0.1", large.Port, "/", "e").WithServer("announced", "127.0.0.1", announced.Port, "/", "e"));

        await AddAsync(spool, 20);
        await spool.AwaitDeliveredAsync(20, Limit, "sound");
        await Eventually.Is("every message came back", Limit, () => large.Published >= 20 && announced.Published >= 20);

        MustHaveStayed(agent, most: 150 * 1024);
        Assert.Equal(0, await agent.StopAsync());
    }

    [Fact(Timeout = Longest)]
    public async Task Six_servers_take_the_largest_messages_beside_a_hostile_one_within_three_quarters_of_the_units_MemoryMax()
    {
        const long memoryMax = 2L << 20; // in kibibytes, as packaging/root/usr/lib/systemd/system/quickq-agent.service has it
        const int messages = 20;
        byte[] returned = [.. AmqpFrames.Return(1, "k"), .. AmqpFrames.Content(1, 64_000_000, AmqpFrames.NestedTable(1)), .. Enumerable.Repeat(AmqpFrames.Body(1, 128_000), 500).SelectMany(body => body)];
        await using var hostile = new AmqpPeer { Moves = { [AmqpPoint.Published] = new(returned) } };
        AmqpPeer[] peers = [.. Enumerable.Range(0, 6).Select(_ => new AmqpPeer())];
        try
        {
            using var spool = new TempSpool();
            using var agent = await StartAsync(spool, configuration =>
            {
                Array.ForEach(peers, peer => configuration.WithServer($"large-{peer.Port}", "127.0.0.1", peer.Port, "/", "e"));
                return configuration.WithServer("hostile", "127.0.0.1", hostile.Port, "/", "e");
            });
            spool.Execute($"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {messages}) INSERT INTO message (exchange, routing_key, body) SELECT 'e', 'k', randomblob(16777216) FROM n");
            await Eventually.Is("all six have all", TimeSpan.FromMinutes(10), () => peers.All(peer => peer.Published >= messages));

            output.WriteLine(FormattableString.Invariant($"peak {AgentResources.PeakKibibytes(agent.Pid) / 1024} MiB"));
            MustHaveStayed(agent, memoryMax * 3 / 4);
            Assert.Equal(0, await agent.StopAsync());
        }
        finally
        {
            await Task.WhenAll(peers.Select(peer => peer.DisposeAsync().AsTask()));
        }
    }

    [Fact(Timeout = Longest)]
    public async Task Returns_for_what_was_never_sent_fill_no_memory()
    {
        byte[] flood = [.. Enumerable.Range(0, 20_000).SelectMany(i => (byte[])[.. AmqpFrames.Return(1, $"k{i}"), .. AmqpFrames.ContentOf(1, $"{i}-{new string('x', 200)}")])];
        await using var hostile = new AmqpPeer { Moves = { [AmqpPoint.Published] = new([.. flood, .. flood, .. flood]) } };
        using var spool = new TempSpool();
        using var agent = await StartAsync(spool, configuration => configuration.WithServer("hostile", "127.0.0.1", hostile.Port, "/", "e"));

        await AddAsync(spool, 40);
        await spool.AwaitDeliveredAsync(40, Limit, "sound");
        await Eventually.Is("the flood came", Limit, () => hostile.Published >= 40);

        MustHaveStayed(agent, most: 150 * 1024);
        Assert.Equal(0, await agent.StopAsync());
    }

    [Fact(Timeout = Longest)]
    public async Task Servers_that_confirm_without_end_keep_no_other_from_being_read()
    {
        // As many as there are threads that read, and one more.
        byte[] confirms = [.. Enumerable.Repeat(AmqpFrames.Ack(1, 1), 10_000).SelectMany(frame => frame)];
        AmqpPeer[] peers = [.. Enumerable.Range(0, 3).Select(_ => new AmqpPeer { Moves = { [AmqpPoint.Published] = new(confirms, AmqpThen.SayWithoutEnd) } })];
        try
        {
            using var spool = new TempSpool();
            using var agent = await StartAsync(spool, configuration =>
            {
                Array.ForEach(peers, peer => configuration.WithServer($"endless-{peer.Port}", "127.0.0.1", peer.Port, "/", "e"));
                return configuration;
            });
            await AddAsync(spool, 1);
            await Eventually.Is("all three send without end", Limit, () => peers.All(peer => peer.Published > 0));
            await AddAsync(spool, 40);
            await spool.AwaitDeliveredAsync(41, Limit, "sound");

            MustHaveStayed(agent);
            Assert.Equal(0, await agent.StopAsync());
        }
        finally
        {
            await Task.WhenAll(peers.Select(peer => peer.DisposeAsync().AsTask()));
        }
    }

    [Fact(Timeout = Longest)]
    public async Task A_channel_that_was_closed_without_a_code_is_opened_again()
    {
        await using var peer = new AmqpPeer { Moves = { [AmqpPoint.Published] = new(AmqpFrames.ChannelClose(1, 0, "")) } };
        using var spool = new TempSpool();
        using var agent = await StartAsync(spool, configuration => configuration.WithServer("codeless", "127.0.0.1", peer.Port, "/", "e"));

        await AddAsync(spool, 3);
        await Eventually.Is("it has closed a channel", Limit, () => peer.Published > 0);
        peer.Moves.Remove(AmqpPoint.Published);
        await spool.AwaitDeliveredAsync(3, Limit, "codeless");

        Assert.Equal(0, await agent.StopAsync());
    }

    [Fact(Timeout = Longest)]
    public async Task Hundreds_of_hostile_conversations_end_nothing_but_themselves()
    {
        output.WriteLine($"seed {Some.Seed} (repeat with QUICKQ_SEED={Some.Seed})");
        var dice = new Random(Some.Number(0, int.MaxValue - 1));
        var peers = Enumerable.Range(0, Peers).Select(_ => new AmqpPeer { DrawMoves = () => HostileMoves.Draw(dice) }).ToArray();
        try
        {
            using var spool = new TempSpool();
            using var agent = await StartAsync(spool, configuration =>
            {
                foreach (AmqpPeer peer in peers)
                {
                    configuration.WithServer($"hostile-{peer.Port}", "127.0.0.1", peer.Port, "/", "e", server => server["heartbeat"] = "2s");
                }

                return configuration;
            });
            int added = 0;
            await Eventually.Is($"{Conversations} hostile conversations were held", TimeSpan.FromMinutes(20), async () =>
            {
                MustHaveStayed(agent);
                await AddAsync(spool, 5);
                added += 5;
                await spool.AwaitDeliveredAsync(added, Limit, "sound");
                return peers.Sum(peer => peer.Conversations) >= Conversations;
            });

            Assert.DoesNotContain("CRITICAL", agent.Stderr, StringComparison.Ordinal);
            Assert.Equal(1, agent.Stderr.Split("sound: connected").Length - 1);
            Assert.Equal(0, await agent.StopAsync());
        }
        finally
        {
            await Task.WhenAll(peers.Select(peer => peer.DisposeAsync().AsTask()));
        }
    }

    private async Task<AgentProcess> StartAsync(TempSpool spool, Func<AgentConfiguration, AgentConfiguration> hostile)
    {
        await BrokerQueue.DeclareAsync(alone.Node, "/", "e", $"hostile-{Some.Word()}");
        var agent = AgentProcess.Start(hostile(new AgentConfiguration(spool.Path).WithServer("sound", alone.Node, "/", "e")));
        await agent.AwaitLogAsync("sound: connected", Limit);
        return agent;
    }

    private static async Task AddAsync(TempSpool spool, int count) =>
        (await new SpoolCommand(spool).RunWithInputAsync(string.Concat(Enumerable.Repeat("{}\n", count)).Select(letter => (byte)letter).ToArray(), "add", "--lines", "-x", "e", "-t", "k")).MustSucceed();

    private static void MustHaveStayed(AgentProcess agent, long most = MostResident)
    {
        Assert.False(agent.HasExited, agent.Stderr);
        Assert.InRange(AgentResources.PeakKibibytes(agent.Pid), 0, most);
    }
}
