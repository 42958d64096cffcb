using FsCheck;
using FsCheck.Fluent;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Append;

/// <summary>Whatever is handed to the public methods of the library: it is stored exactly, or refused with a reason, and never altered.</summary>
public sealed class AnyMessageTests : IDisposable
{
    private static readonly string[] Oddities =
        ["", "\0", "\ud800", "\udc00x", "\ud83d\ude00", "ü", "%", "'", "\"", "\\", "\r\n", "\u2028", "\ufeff", "a b", "../x", "x", "satellite", "geo.goes.g16", new('k', 255), new('ü', 128), new('k', 256)];

    // Mostly such as a producer has: of a message with several odd parts nothing would ever be stored.
    private static readonly Gen<string> Text = Gen.Frequency(
        (20, TextOf(1, 40, 'a', 'z')),
        (2, Gen.Elements(Oddities)),
        (1, TextOf(0, 300, '\0', '\uffff')),
        (1, TextOf(0, 60, ' ', '~')));

    private static readonly Gen<object?> HeaderValue = Gen.OneOf(
        Text.Select(text => (object?)text),
        Gen.Elements<object?>("x", null, true, 7L, -1.5),
        Gen.Elements<object?>(null, true, false, 0L, 1, long.MinValue, long.MaxValue, 0.0, -0.0, 2.0, 1e300, double.Epsilon, double.NaN, double.PositiveInfinity, 1.5f, 'c', DateTimeOffset.UnixEpoch),
        ArbMap.Default.GeneratorFor<double>().Select(number => (object?)number),
        ArbMap.Default.GeneratorFor<long>().Select(number => (object?)number));

    private static readonly Gen<DateTimeOffset> Time = Gen.OneOf(
        Gen.Elements(DateTimeOffset.MinValue, DateTimeOffset.MaxValue, DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddTicks(-1), DateTimeOffset.UnixEpoch.AddTicks(7)),
        Gen.Choose(int.MinValue, int.MaxValue).Select(seconds => DateTimeOffset.UnixEpoch.AddSeconds(seconds).ToOffset(TimeSpan.FromHours(seconds % 14))));

    private static readonly Gen<OutgoingMessage> Message =
        from id in Nullable(Text)
        from exchange in Nullable(Text)
        from key in Text
        from body in Gen.Choose(0, 3000).SelectMany(length => Gen.ArrayOf(Gen.Choose(0, 255).Select(value => (byte)value), length))
        from type in Nullable(Text)
        from headers in Nullable(Gen.Choose(0, 3).SelectMany(count => Gen.ListOf(Text.Zip(HeaderValue), count)))
        from priority in Gen.Choose(-1, 255)
        from transient in Gen.Elements(true, false)
        from life in Gen.Elements<TimeSpan?>(null, null, null, null, null, null, null, TimeSpan.FromDays(1), TimeSpan.Zero, TimeSpan.MinValue, TimeSpan.MaxValue, TimeSpan.FromTicks(1), TimeSpan.FromTicks(15), TimeSpan.FromDays(36500), TimeSpan.FromHours(1))
        from created in Gen.Frequency((4, Gen.Constant((DateTimeOffset?)null)), (1, Time.Select(time => (DateTimeOffset?)time)))
        from expires in Gen.Frequency((4, Gen.Constant((DateTimeOffset?)null)), (1, Time.Select(time => (DateTimeOffset?)time)))
        select new OutgoingMessage
        {
            Id = id,
            Exchange = exchange,
            RoutingKey = key,
            Body = body,
            TimeToLive = life,
            CreatedAt = created,
            ExpiresAt = expires,
            Properties = new MessageProperties
            {
                ContentType = type,
                Priority = priority < 0 ? null : (byte)priority,
                Transient = transient,
                Headers = headers is null ? null : new Dictionary<string, object?>(headers.DistinctBy(pair => pair.Item1, StringComparer.Ordinal).Select(pair => KeyValuePair.Create(pair.Item1, (object?)pair.Item2)), StringComparer.Ordinal),
            },
        };

    private readonly TempSpool _spool = new();

    [Fact(Timeout = 300_000)]
    public void Any_message_is_stored_exactly_or_refused_with_a_reason()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        using SpoolReader reader = SpoolReader.Open(_spool.Path);
        int stored = 0;
        Prop.ForAll(Message.ToArbitrary(), message => AppendOrRefuse(writer, reader, message, ref stored))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1" ? 100_000 : 1_500));
        Assert.True(stored > 100, $"only {stored} messages were acceptable at all");
    }

    [Fact(Timeout = 300_000)]
    public void Many_are_stored_all_in_their_order_or_none()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        Prop.ForAll(Gen.Choose(0, 4).SelectMany(count => Gen.ListOf(Message, count)).ToArbitrary(), messages =>
        {
            int before = Count();
            IReadOnlyList<string> ids;
            try
            {
                ids = writer.AppendMany([.. messages]);
            }
            catch (SpoolException refused)
            {
                return refused.Message.Length > 0 && Count() == before;
            }

            List<string> there = [.. _spool.Query<string>("SELECT id FROM message WHERE id IN @ids ORDER BY seq", new { ids })];
            return there.SequenceEqual(ids.Distinct(StringComparer.Ordinal), StringComparer.Ordinal) || ids.Any(id => messages.Any(message => string.Equals(message.Id, id, StringComparison.Ordinal)));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Fact(Timeout = 300_000)]
    public void Any_text_may_be_asked_for()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        string id = writer.Append(new OutgoingMessage());
        using SpoolReader reader = SpoolReader.Open(_spool.Path);
        Prop.ForAll(Text.ToArbitrary(), text =>
        {
            bool known = string.Equals(text, id, StringComparison.Ordinal);
            bool progress;
            try
            {
                progress = reader.ReadProgress([text]) == SettlementProgress.Pending;
            }
            catch (SpoolException refused) when (refused.Fault == SpoolFault.NotFound)
            {
                progress = false;
            }

            return (reader.ReadStatus(text) is not null) == known && (reader.ReadMessage(text) is not null) == known && progress == known
                && reader.ResolveIds(text).All(found => found.StartsWith(text, StringComparison.Ordinal))
                && reader.List(new MessageFilter { Server = text, State = text, TopicPattern = text }).Count() <= 1;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    [Fact]
    public void What_is_null_and_must_not_be_is_a_mistake_of_the_caller()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);

        Assert.Throws<ArgumentNullException>(() => writer.Append(null!));
        Assert.Throws<ArgumentNullException>(() => writer.AppendMany(null!));
        Assert.Throws<ArgumentNullException>(() => writer.AppendMany([new OutgoingMessage(), null!]));
        Assert.Throws<SpoolException>(() => writer.Append(new OutgoingMessage { RoutingKey = null! }));
        Assert.Throws<SpoolException>(() => writer.Append(new OutgoingMessage { Properties = null! }));
        Assert.Equal(0, Count());
    }

    public void Dispose() => _spool.Dispose();

    private static Gen<string> TextOf(int shortest, int longest, char first, char last) =>
        Gen.Choose(shortest, longest).SelectMany(length => Gen.ArrayOf(Gen.Choose(first, last), length)).Select(codes => new string([.. codes.Select(code => (char)code)]));

    private static Gen<T?> Nullable<T>(Gen<T> some)
        where T : class => Gen.Frequency((1, Gen.Constant((T?)null)), (2, some.Select(value => (T?)value)));

    private int Count() => _spool.Value<int>("SELECT count(*) FROM message");

    private static bool AppendOrRefuse(SpoolWriter writer, SpoolReader reader, OutgoingMessage message, ref int stored)
    {
        string id;
        try
        {
            id = writer.Append(message);
        }
        catch (SpoolException refused)
        {
            return refused.Fault is SpoolFault.InvalidMessage or SpoolFault.IdConflict && refused.Message.Length > 10;
        }

        stored++;
        StoredMessage there = reader.ReadMessage(id)!;
        return string.Equals(message.Id ?? id, there.Status.Id, StringComparison.Ordinal)
            && string.Equals(message.Exchange, there.Status.Exchange, StringComparison.Ordinal)
            && string.Equals(message.RoutingKey, there.Status.RoutingKey, StringComparison.Ordinal)
            && message.Body.Span.SequenceEqual(there.Body)
            && string.Equals(message.Properties.ContentType, there.Properties.ContentType, StringComparison.Ordinal)
            && message.Properties.Priority == there.Properties.Priority && message.Properties.Transient == there.Properties.Transient
            && SameHeaders(message.Properties.Headers, there.Properties.Headers)
            && (message.CreatedAt is null || SpoolTime.ToMicroseconds(message.CreatedAt.Value) == SpoolTime.ToMicroseconds(there.Status.CreatedAt))
            && (message.ExpiresAt is null || SpoolTime.ToMicroseconds(message.ExpiresAt.Value) == SpoolTime.ToMicroseconds(there.Status.ExpiresAt!.Value))
            && (message.ExpiresAt is not null || message.TimeToLive is null
                || (there.Status.ExpiresAt!.Value - there.Status.CreatedAt).Ticks / 10 == message.TimeToLive.Value.Ticks / 10 || message.CreatedAt is not null);
    }

    private static bool SameHeaders(IReadOnlyDictionary<string, object?>? given, IReadOnlyDictionary<string, object?>? stored) =>
        (given?.Count ?? 0) == (stored?.Count ?? 0)
        && (given ?? new Dictionary<string, object?>(StringComparer.Ordinal)).All(header => stored!.TryGetValue(header.Key, out object? value) && Equals(value, header.Value is int whole ? (long)whole : header.Value));
}
