using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>Peers that break the rules, are slow, silent or many: the others are served, and memory stays bounded.</summary>
public sealed class ServiceHostileTests : IDisposable
{
    /// <summary>64 MiB of what peers sent, one frame of 64 MiB, the program, and what the collector has not yet given back.</summary>
    private const long MostMemory = 384L * 1024 * 1024;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("00000000", "a length of 0")]
    [InlineData("80000000", "2 GB")]
    [InlineData("ffffffff61", "4 GB")]
    [InlineData("0400000161", "a byte over 64 MiB")]
    [InlineData("000000017a", "an unknown kind")]
    [InlineData("000000016a", "a kind of the service's")]
    [InlineData("0000000161", "no hello first")]
    [InlineData("00000003687b7b", "a hello that is no JSON")]
    [InlineData("00000003687b7d", "a hello without a version")]
    [InlineData("474554202f20485454502f312e310d0a0d0a", "HTTP")]
    public async Task What_is_no_frame_is_answered_with_an_error_and_closed(string bytes, string why)
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect(greet: false);
        client.SendBytes(Convert.FromHexString(bytes));
        Assert.True(client.ReadError().Code == 64, why);
        Assert.True(client.IsAtEnd());
        AssertServes(service);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("000000ff5b5d")]
    [InlineData("00000002")]
    [InlineData("000000025b5d78")]
    [InlineData("000000077b226964223a7d")]
    [InlineData("")]
    [InlineData("ffffffff")]
    public async Task An_add_whose_lengths_do_not_add_up_ends_the_connection(string payload)
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Send('a', Convert.FromHexString(payload));
        Assert.Equal(64, client.ReadError().Code);
        Assert.True(client.IsAtEnd());
        AssertServes(service);
    }

    [Fact(Timeout = 180_000)]
    public async Task Half_frames_silent_peers_and_peers_that_never_read_cost_the_others_nothing()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        var peers = new List<ServiceClient>();
        for (var i = 0; i < 60; i++)
        {
            var half = service.Connect();
            half.SendBytes(ServiceClient.Frame('a', new byte[1000])[..(5 + (i * 16))]);
            peers.Add(half);
            peers.Add(service.Connect(greet: false));
            peers.Add(NeverReading(service));
        }

        var clock = System.Diagnostics.Stopwatch.StartNew();
        for (var i = 0; i < 100; i++)
        {
            AssertServes(service);
        }

        Assert.True(clock.Elapsed < Limit, $"{clock.Elapsed}");

        // Those with half a frame are told and closed at their deadline; the silent one without a hello too.
        Assert.Equal(64, peers[0].ReadError().Code);
        Assert.True(peers[0].IsAtEnd());
        Assert.True(peers[1].IsAtEnd());
        peers.ForEach(peer => peer.Dispose());
    }

    [Fact(Timeout = 240_000)]
    public async Task What_many_peers_send_and_do_not_finish_is_held_up_to_a_limit_and_the_oldest_goes_on()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        AssertServes(service);
        var frame = LargeAdd("large", 12 * 1024 * 1024);
        var peers = Enumerable.Range(0, 40).Select(_ => service.Connect()).ToList();
        try
        {
            foreach (var peer in peers)
            {
                // 40 times 12 MiB, all but the last byte: as far as the service takes them.
                peer.Socket.Blocking = false;
                for (var sent = 0; sent < frame.Length - 1;)
                {
                    var now = peer.Socket.Send(frame.AsSpan(sent, Math.Min(256 * 1024, frame.Length - 1 - sent)), SocketFlags.None, out var error);
                    if (error == SocketError.WouldBlock && !peer.Socket.Poll(TimeSpan.FromMilliseconds(300), SelectMode.SelectWrite))
                    {
                        break;
                    }

                    sent += Math.Max(0, now);
                }
            }

            Assert.True(service.ResidentBytes < MostMemory, $"{service.ResidentBytes:N0} bytes");
            AssertServes(service);
        }
        finally
        {
            peers.ForEach(peer => peer.Dispose());
        }

        using var whole = service.Connect();
        whole.SendBytes(frame);
        Assert.Equal(1, whole.ReadAnswer().GetProperty("stored").GetInt32());
    }

    [Fact(Timeout = 240_000)]
    public async Task Ten_thousand_connections_of_one_account_are_answered_and_others_find_room()
    {
        const int MostOfOne = 512;
        const uint Uid = 47_110, Gid = 47_120;
        using var service = await ServeProcess.StartAsync(_spool, "--group", $"{Gid}");
        using var early = service.Connect();
        var open = new List<ServiceClient>();
        var refused = 0;
        try
        {
            for (var i = 0; i < 10_000; i++)
            {
                var client = service.Connect(greet: false);
                if (i < MostOfOne - 1)
                {
                    open.Add(client);
                    continue;
                }

                Assert.Equal(75, client.ReadError().Code);
                refused++;
                client.Dispose();
            }

            Assert.Equal(10_000 - (MostOfOne - 1), refused);
            using var other = ServiceClient.ConnectAs(service.Socket, Uid, Gid);
            other.Greet();
            other.Add(("other", "x"));
            Assert.Equal(1, other.ReadAnswer().GetProperty("stored").GetInt32());
            early.Add(("early", "x"));
            Assert.Equal(1, early.ReadAnswer().GetProperty("stored").GetInt32());
            Assert.True(service.ResidentBytes < MostMemory, $"{service.ResidentBytes:N0} bytes");
        }
        finally
        {
            open.ForEach(client => client.Dispose());
        }

        await Eventually.Succeeds("others are served again", Limit, () => Task.Run(() => AssertServes(service)));
    }

    [Fact(Timeout = 36_000_000)]
    public async Task Any_frames_leave_the_service_serving()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("QUICKQ_SEED"), out var given) ? given : Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"QUICKQ_SEED={seed}");
        var random = new Random(seed);
        using var service = await ServeProcess.StartAsync(_spool);
        var frames = Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1" ? 1_000_000 : 5_000;
        for (var sent = 0; sent < frames;)
        {
            ServiceClient? next = null;
            bool greet = random.Next(10) > 0;

            // Those that left while they waited for something keep their places until the next look, a second later.
            await Eventually.Succeeds("there is a place for a connection", Limit, () => Task.Run(() => next = service.Connect(greet)));
            using var client = next!;
            client.Socket.SendTimeout = 5_000;
            var conversation = new MemoryStream();
            for (var i = random.Next(1, 40); i > 0; i--, sent++)
            {
                conversation.Write(AnyFrame(random));
            }

            try
            {
                client.SendBytes(conversation.ToArray());
            }
            catch (SocketException)
            {
                // It has closed the connection already.
            }

            if (sent % 500 < 40)
            {
                await MustServeAsync();
            }
        }

        await MustServeAsync();
        Assert.DoesNotContain("internal error", service.Child.Stderr, StringComparison.Ordinal);
        Assert.True(service.ResidentBytes < MostMemory, $"{service.ResidentBytes:N0} bytes");

        Task MustServeAsync() => Eventually.Succeeds("others are served", Limit, () => Task.Run(() => AssertServes(service)));
    }

    private static byte[] AnyFrame(Random random)
    {
        var bytes = new byte[random.Next(0, 60)];
        random.NextBytes(bytes);
        var kind = "hawscrdk"[random.Next(8)];
        string[] texts = ["{}", "[]", "null", """{"ids":["x"]}""", """{"ids":["x"],"timeout":0}""", """{"ids":["x"],"servers":["mq1"],"timeout":1e300}""", """{"ids":[null]}""",
            """{"protocol":1}""", """{"arguments":["--version"]}""", """{"arguments":[]}""", """{"arguments":[null]}""", "{\"arguments\":[\"a\\u0000\"]}", "[" + new string('[', 100)];
        return random.Next(6) switch
        {
            0 => bytes,
            1 => ServiceClient.Frame(kind, bytes),
            2 => ServiceClient.Frame('a', Mutate(ServiceClient.AddPayload(($"f{random.Next(1000)}", "body"), ($"g{random.Next(1000)}", "")), random)),
            3 => Mutate(ServiceClient.Frame(kind, Encoding.UTF8.GetBytes(texts[random.Next(texts.Length)])), random),
            _ => ServiceClient.Frame(random.Next(20) == 0 ? 'r' : "hawscdk"[random.Next(7)], Encoding.UTF8.GetBytes(texts[random.Next(texts.Length)])),
        };
    }

    private static byte[] Mutate(byte[] bytes, Random random)
    {
        for (var i = random.Next(3); i > 0 && bytes.Length > 0; i--)
        {
            bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
        }

        return bytes;
    }

    private static ServiceClient NeverReading(ServeProcess service)
    {
        var peer = service.Connect();
        peer.Socket.Blocking = false;
        var request = ServiceClient.Frame('s', Encoding.UTF8.GetBytes($$"""{"ids":["{{new string('x', 200)}}"]}"""));
        for (var i = 0; i < 2_000; i++)
        {
            peer.Socket.Send(request, SocketFlags.None, out var error);
            if (error == SocketError.WouldBlock)
            {
                break;
            }
        }

        return peer;
    }

    private static byte[] LargeAdd(string id, int length)
    {
        var json = Encoding.UTF8.GetBytes($$"""[{"id":"{{id}}","body":{{length}}}]""");
        var payload = new byte[4 + json.Length + length];
        BinaryPrimitives.WriteInt32BigEndian(payload, json.Length);
        json.CopyTo(payload, 4);
        return ServiceClient.Frame('a', payload);
    }

    private static void AssertServes(ServeProcess service)
    {
        using var client = service.Connect();
        client.Add((Guid.NewGuid().ToString(), "x"));
        Assert.Equal(1, client.ReadAnswer().GetProperty("stored").GetInt32());
    }
}
