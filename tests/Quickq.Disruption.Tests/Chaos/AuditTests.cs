using Quickq.Testing;
using Quickq.Testing.Auditing;
using RabbitMQ.Client;

namespace Quickq.Disruption.Tests;

/// <summary>The audit itself: it finds each kind of fault that it is there for. No broker is needed.</summary>
public sealed class AuditTests
{
    private const long Created = 1_700_000_000;

    private readonly List<AcceptedMessage> _accepted =
        [.. Enumerable.Range(0, 5).Select(number => new AcceptedMessage($"id-{number}", "satellite", $"key.{number}", Some.Json(60)))];

    private readonly List<DeliveryRow> _rows =
        [.. Enumerable.Range(0, 5).Select(number => new DeliveryRow($"id-{number}", "delivered", Attempts: 1))];

    private readonly List<QueuedMessage> _found;

    public AuditTests()
    {
        _found = [.. _accepted.Select(message => Found(message))];
    }

    [Fact]
    public void A_queue_with_everything_in_order_is_clean() => Assert.Empty(Findings());

    [Fact]
    public void A_message_that_is_in_no_queue_although_the_spool_calls_it_delivered_is_lost()
    {
        _found.RemoveAt(2);

        Assert.Contains("LOST: id-2 (number 3 of 5) is in no queue, and the spool calls it delivered", Findings());
    }

    [Fact]
    public void A_message_without_a_row_in_the_spool_is_lost()
    {
        _found.RemoveAt(2);
        _rows.RemoveAt(2);

        Assert.StartsWith("LOST: id-2", Assert.Single(Findings()), StringComparison.Ordinal);
    }

    [Fact]
    public void A_message_that_stands_undelivered_in_the_spool_is_not_lost()
    {
        _found.RemoveAt(2);
        _rows[2] = new DeliveryRow("id-2", "deferred", Attempts: 3, "a queue may be full");

        Assert.Empty(Findings());
    }

    [Fact]
    public void A_message_that_stands_undelivered_in_the_spool_without_a_reason_is_found()
    {
        _found.RemoveAt(2);
        _rows[2] = new DeliveryRow("id-2", "rejected", Attempts: 1);

        Assert.StartsWith("SILENT: id-2", Assert.Single(Findings()), StringComparison.Ordinal);
    }

    [Fact]
    public void A_message_that_nobody_gave_is_foreign()
    {
        _found.Add(Found(new AcceptedMessage("stranger", "satellite", "key", [])));

        Assert.StartsWith("FOREIGN: 'stranger'", Assert.Single(Findings()), StringComparison.Ordinal);
    }

    [Fact]
    public void First_occurrences_in_another_order_are_disorder()
    {
        (_found[1], _found[2]) = (_found[2], _found[1]);

        Assert.StartsWith("DISORDER: id-1", Assert.Single(Findings()), StringComparison.Ordinal);
    }

    [Fact]
    public void A_message_that_its_server_refused_once_may_come_late()
    {
        (_found[1], _found[4]) = (_found[4], _found[1]);
        _rows[1] = new DeliveryRow("id-1", "delivered", Attempts: 2);
        _rows[4] = new DeliveryRow("id-4", "delivered", Attempts: 2);

        Assert.Empty(Findings());
    }

    [Fact]
    public void Repeats_are_counted_against_what_the_faults_explain()
    {
        _found.AddRange([_found[0], _found[3]]);

        Assert.Empty(Findings(repeatsAllowed: 2));
        Assert.StartsWith("REPEATS: 2", Assert.Single(Findings(repeatsAllowed: 1)), StringComparison.Ordinal);
    }

    [Fact]
    public void Everything_about_a_message_is_compared()
    {
        var given = _accepted[0];

        Assert.Contains("body", Alteration(Found(given with { Body = [1] })), StringComparison.Ordinal);
        Assert.Contains("exchange", Alteration(Found(given with { Exchange = "himawari" })), StringComparison.Ordinal);
        Assert.Contains("routing key", Alteration(Found(given with { RoutingKey = "other" })), StringComparison.Ordinal);
        Assert.Contains("content type", Alteration(Found(given with { ContentType = "text/plain" })), StringComparison.Ordinal);
        Assert.Contains("persistence", Alteration(Found(given, properties => properties.DeliveryMode = DeliveryModes.Transient)), StringComparison.Ordinal);
        Assert.Contains("app id", Alteration(Found(given, properties => properties.AppId = "other")), StringComparison.Ordinal);
        Assert.Contains("timestamp", Alteration(Found(given, properties => properties.Timestamp = new AmqpTimestamp(Created + 1))), StringComparison.Ordinal);
        Assert.Contains("headers", Alteration(Found(given, properties => properties.Headers = new Dictionary<string, object?>(StringComparer.Ordinal) { ["x"] = "y" })), StringComparison.Ordinal);
        Assert.Contains("expiration", Alteration(Found(given, properties => properties.Expiration = "1000")), StringComparison.Ordinal);
    }

    private static QueuedMessage Found(AcceptedMessage message, Action<BasicProperties>? alter = null)
    {
        var properties = new BasicProperties
        {
            MessageId = message.Id,
            DeliveryMode = DeliveryModes.Persistent,
            ContentType = message.ContentType,
            AppId = "quickq",
            Timestamp = new AmqpTimestamp(Created),
        };
        alter?.Invoke(properties);
        return new QueuedMessage("queue", message.Id, message.Exchange, message.RoutingKey, message.Body, properties, Redelivered: false);
    }

    private string Alteration(QueuedMessage altered)
    {
        _found[0] = altered;
        return Assert.Single(Findings());
    }

    private IReadOnlyList<string> Findings(int repeatsAllowed = 0) =>
        [.. new QueueAudit(_accepted, _accepted.ToDictionary(message => message.Id, _ => Created, StringComparer.Ordinal)).Find(_found, _rows, repeatsAllowed)];
}
