using System.Globalization;
using Quickq.Spool.Files;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Append;

public sealed class LimitTests : IDisposable
{
    private readonly TempSpool _spool = new();

    [Fact]
    public void The_same_message_again_is_success_on_a_full_spool()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        var message = new OutgoingMessage { Id = "a", Body = "x"u8.ToArray() };
        writer.Append(message);
        SetLimit("maxSize", "1");

        Assert.Equal("a", writer.Append(message));
        Assert.Equal(SpoolFault.Full, Assert.Throws<SpoolException>(() => writer.AppendMany([message, message with { Id = "b" }])).Fault);
        Assert.Equal(1, _spool.Value<int>("SELECT count(*) FROM message"));
    }

    [Fact]
    public void An_id_twice_in_one_batch_is_stored_once()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        var message = new OutgoingMessage { Id = "a", Body = "x"u8.ToArray() };

        Assert.Equal(["a", "a"], writer.AppendMany([message, message], out int stored));
        Assert.Equal(1, stored);
        Assert.Equal(SpoolFault.IdConflict, Assert.Throws<SpoolException>(() =>
            writer.AppendMany([message with { Id = "b" }, message with { Id = "b", RoutingKey = "other" }])).Fault);
        Assert.Equal(1, _spool.Value<int>("SELECT count(*) FROM message"));
    }

    [Fact]
    public void Headers_and_keys_count_like_bodies()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        SetLimit("maxSize", "2000000");
        var headers = new Dictionary<string, object?>(StringComparer.Ordinal) { ["large"] = new string('x', 100_000) };
        OutgoingMessage[] many = [.. Enumerable.Range(0, 30).Select(_ => new OutgoingMessage { Properties = new MessageProperties { Headers = headers } })];

        Assert.Equal(SpoolFault.Full, Assert.Throws<SpoolException>(() => writer.AppendMany(many)).Fault);
    }

    [Theory]
    [InlineData("maxSize", "-1")]
    [InlineData("reserveMissing", "9223372036854775807")]
    [InlineData("minFreeDisk", "9223372036854775807")]
    public void A_limit_out_of_range_refuses_new_messages_and_nothing_else(string name, string value)
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        SetLimit(name, value);

        Assert.Equal(SpoolFault.Full, Assert.Throws<SpoolException>(() => writer.Append(new OutgoingMessage())).Fault);
        Assert.Contains(SpoolCheck.Run(_spool.Path), finding => finding is { Check: "space", Level: CheckLevel.Warning });
    }

    [Theory]
    [InlineData("1_000_000")]
    [InlineData("١٢٣")]
    [InlineData("12345678901234567890")]
    [InlineData(" 1")]
    [InlineData("")]
    public void A_setting_that_is_no_number_of_64_bits_is_damage(string value)
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        SetLimit("maxSize", value);

        Assert.Equal(SpoolFault.Damaged, Assert.Throws<SpoolException>(() => writer.Append(new OutgoingMessage())).Fault);
    }

    [Fact]
    public void A_signed_number_is_a_number()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        SetLimit("maxSize", "+100000000");

        Assert.NotEmpty(writer.Append(new OutgoingMessage()));
    }

    [Fact]
    public void A_clock_before_1970_is_taken_for_1970()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path, new ClockOf(new DateTimeOffset(1955, 11, 5, 0, 0, 0, TimeSpan.Zero)));

        Assert.StartsWith("00000000-0000-7", writer.Append(new OutgoingMessage()), StringComparison.Ordinal);
        Assert.Equal(0, _spool.Value<long>("SELECT created_at FROM message"));
    }

    [Fact]
    public void A_bad_message_is_refused_while_another_process_has_the_lock()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        using var busy = new WriteLock(_spool.Path);
        busy.Acquire(TimeSpan.FromSeconds(5));

        Assert.Equal(SpoolFault.InvalidMessage, Assert.Throws<SpoolException>(() => writer.Append(new OutgoingMessage { RoutingKey = new string('k', 256) })).Fault);
        busy.Release(announce: false);
    }

    [Fact]
    public void An_id_whose_stored_properties_are_no_json_has_other_content()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        _spool.Execute("INSERT INTO message (id, properties, body) VALUES ('a', 'no json', 'x')");

        Assert.Equal(SpoolFault.IdConflict, Assert.Throws<SpoolException>(() => writer.Append(new OutgoingMessage { Id = "a", Body = "x"u8.ToArray() })).Fault);
    }

    public void Dispose() => _spool.Dispose();

    private void SetLimit(string name, string value) =>
        _spool.Execute(string.Create(CultureInfo.InvariantCulture, $"INSERT OR REPLACE INTO setting (name, value) VALUES ('{name}', '{value}')"));

    private sealed class ClockOf(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
