using System.Text;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Append;

public sealed class AppendTests : IDisposable
{
    private readonly TempSpool _spool = new();

    [Fact]
    public void Without_an_agent_the_log_is_cut_back_while_a_program_appends()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        for (int i = 0; i < 30; i++)
        {
            writer.AppendMany([.. Enumerable.Range(0, 1_000).Select(_ => new OutgoingMessage { RoutingKey = "some.key", Body = new byte[1_000] })]);
        }

        Assert.InRange(new FileInfo(_spool.Path + "-wal").Length, 0, 8 << 20);
        Assert.InRange(new FileInfo(_spool.Path).Length, 20 << 20, long.MaxValue);
    }

    [Fact]
    public void A_message_comes_back_exactly_as_it_was_given()
    {
        var message = new OutgoingMessage
        {
            Exchange = "satellite",
            RoutingKey = "geo.goes.ü",
            Body = new byte[] { 0, 1, 2, 255 },
            Properties = new MessageProperties
            {
                ContentType = "application/json",
                Headers = new Dictionary<string, object?>(StringComparer.Ordinal) { ["text"] = "a\"b", ["whole"] = 7L, ["number"] = 2.0, ["truth"] = true, ["nothing"] = null },
                Priority = 9,
                Transient = true,
            },
            TimeToLive = TimeSpan.FromHours(1),
        };

        string id = Append(message);

        using SpoolReader reader = SpoolReader.Open(_spool.Path);
        StoredMessage stored = reader.ReadMessage(id)!;
        Assert.Equal(message.Body.ToArray(), stored.Body);
        Assert.Equal(("satellite", "geo.goes.ü"), (stored.Status.Exchange, stored.Status.RoutingKey));
        Assert.Equal(message.Properties.Headers, stored.Properties.Headers);
        Assert.Equal(message.Properties with { Headers = null }, stored.Properties with { Headers = null });
        Assert.Equal(TimeSpan.FromHours(1), stored.Status.ExpiresAt - stored.Status.CreatedAt);
    }

    [Fact]
    public void Ids_that_the_spool_makes_are_uuids_of_version_7_in_the_order_of_acceptance()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);

        string[] ids = [.. Enumerable.Range(0, 50).Select(_ => writer.Append(new OutgoingMessage { Body = "x"u8.ToArray() }))];

        Assert.All(ids, id => Assert.Equal(7, Guid.Parse(id).Version));
        Assert.Equal(ids, _spool.Query<string>("SELECT id FROM message ORDER BY seq"));
    }

    [Fact]
    public void Each_active_server_gets_a_row_in_the_same_transaction_and_is_counted()
    {
        Append(new OutgoingMessage());
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2'); INSERT INTO server (name, active) VALUES ('gone', 0)");

        Append(new OutgoingMessage());

        Assert.Equal(["mq1", "mq2"], _spool.Query<string>("SELECT s.name FROM delivery AS d JOIN server AS s ON s.id = d.server WHERE d.message = 2 ORDER BY 1"));
        Assert.Equal([0, 1, 1], _spool.Query<int>("SELECT pending FROM server ORDER BY name"));
        Assert.Equal(1, _spool.Value<int>("SELECT value FROM tally WHERE name = 'unassigned'"));
    }

    [Fact]
    public void The_same_id_with_the_same_content_is_one_message()
    {
        var message = new OutgoingMessage { Id = "a-1", RoutingKey = "k", Body = "x"u8.ToArray(), Properties = new MessageProperties { ContentType = "t" } };

        Append(message);
        Append(message with { TimeToLive = TimeSpan.FromDays(1) });

        Assert.Equal(1, _spool.Value<int>("SELECT count(*) FROM message"));
    }

    public static TheoryData<string> OtherContent => ["body", "key", "exchange", "content type", "headers"];

    [Theory]
    [MemberData(nameof(OtherContent))]
    public void The_same_id_with_other_content_is_refused_and_stores_nothing(string what)
    {
        var message = new OutgoingMessage { Id = "a-1", RoutingKey = "k", Body = "x"u8.ToArray() };
        Append(message);

        OutgoingMessage other = what switch
        {
            "body" => message with { Body = "y"u8.ToArray() },
            "key" => message with { RoutingKey = "other" },
            "exchange" => message with { Exchange = "e" },
            "content type" => message with { Properties = new MessageProperties { ContentType = "t" } },
            _ => message with { Properties = new MessageProperties { Headers = new Dictionary<string, object?>(StringComparer.Ordinal) { ["h"] = 1L } } },
        };
        SpoolException refused = Assert.Throws<SpoolException>(() => Append(other));

        Assert.Equal(SpoolFault.IdConflict, refused.Fault);
        Assert.Equal(1, _spool.Value<int>("SELECT count(*) FROM message"));
    }

    [Fact]
    public void One_bad_message_in_a_batch_keeps_all_of_it_out()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);

        Assert.Throws<SpoolException>(() => writer.AppendMany([new OutgoingMessage(), new OutgoingMessage { RoutingKey = new string('k', 256) }]));

        Assert.Equal(0, _spool.Value<int>("SELECT count(*) FROM message"));
    }

    public static TheoryData<string, string> Bad => new()
    {
        { "id", "id" },
        { "key", "routing key has 256 bytes" },
        { "key in bytes", "routing key has 256 bytes" },
        { "zero byte", "zero byte" },
        { "surrogate", "surrogate" },
        { "exchange", "exchange has 256 bytes" },
        { "content type", "content type has 256 bytes" },
        { "header name", "header name has 256 bytes" },
        { "header value", "header 'h'" },
        { "nan", "header 'h'" },
        { "ttl", "time to live" },
        { "body", "at most 16,777,216 (maxMessageSize)" },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void What_amqp_cannot_hold_is_refused_with_the_part_and_the_limit(string what, string said)
    {
        static MessageProperties Header(string name, object? value) => new() { Headers = new Dictionary<string, object?>(StringComparer.Ordinal) { [name] = value } };
        string tooLong = new('x', 256);
        OutgoingMessage message = what switch
        {
            "id" => new() { Id = "with space" },
            "key" => new() { RoutingKey = tooLong },
            "key in bytes" => new() { RoutingKey = new string('ü', 128) },
            "zero byte" => new() { RoutingKey = "a\0b" },
            "surrogate" => new() { RoutingKey = "\ud800" },
            "exchange" => new() { Exchange = tooLong },
            "content type" => new() { Properties = new MessageProperties { ContentType = tooLong } },
            "header name" => new() { Properties = Header(tooLong, "v") },
            "header value" => new() { Properties = Header("h", new object()) },
            "nan" => new() { Properties = Header("h", double.NaN) },
            "ttl" => new() { TimeToLive = TimeSpan.Zero },
            _ => new() { Body = new byte[(16 << 20) + 1] },
        };

        SpoolException refused = Assert.Throws<SpoolException>(() => Append(message));

        Assert.Equal(SpoolFault.InvalidMessage, refused.Fault);
        Assert.Contains(said, refused.Message, StringComparison.Ordinal);
        Assert.NotNull(refused.Hint);
        Assert.Equal(0, _spool.Value<int>("SELECT count(*) FROM message"));
    }

    [Fact]
    public void A_full_spool_refuses_and_says_how_full_it_is()
    {
        Append(new OutgoingMessage { Body = new byte[100_000] });
        _spool.Execute("UPDATE setting SET value = '200000' WHERE name = 'maxSize'");

        SpoolException refused = Assert.Throws<SpoolException>(() => Append(new OutgoingMessage { Body = new byte[100_000] }));

        Assert.Equal(SpoolFault.Full, refused.Fault);
        Assert.Contains("(maxSize)", refused.Message, StringComparison.Ordinal);
        Assert.Equal(1, _spool.Value<int>("SELECT count(*) FROM message"));
    }

    [Fact]
    public void A_disk_with_too_little_room_refuses()
    {
        Append(new OutgoingMessage());
        _spool.Execute("INSERT INTO setting (name, value) VALUES ('minFreeDisk', '9000000000000000')");

        SpoolException refused = Assert.Throws<SpoolException>(() => Append(new OutgoingMessage()));

        Assert.Equal(SpoolFault.Full, refused.Fault);
        Assert.Contains("(minFreeDisk)", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_row_that_another_program_inserts_gets_an_id_a_time_and_its_deliveries()
    {
        Append(new OutgoingMessage());
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1')");

        _spool.Execute("INSERT INTO message (routing_key, body) VALUES ('k', 'text')");

        using SpoolReader reader = SpoolReader.Open(_spool.Path);
        MessageStatus newest = reader.List(new MessageFilter { Limit = 1 }).Single();
        Assert.Equal(7, Guid.Parse(newest.Id).Version);
        Assert.InRange(newest.CreatedAt, TimeProvider.System.GetUtcNow().AddMinutes(-5), TimeProvider.System.GetUtcNow().AddMinutes(5));
        Assert.Equal("text", Encoding.UTF8.GetString(reader.ReadMessage(newest.Id)!.Body));
        Assert.Equal(DeliveryState.Pending, Assert.Single(newest.Deliveries).State);
    }

    public void Dispose() => _spool.Dispose();

    private string Append(OutgoingMessage message)
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        return writer.Append(message);
    }
}
