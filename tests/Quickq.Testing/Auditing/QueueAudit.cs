using System.Globalization;
using System.Text;
using RabbitMQ.Client;

namespace Quickq.Testing.Auditing;

/// <summary>Pure: compares what lay in one server's queues with what was accepted and with what the ledger says of that server.</summary>
/// <param name="accepted">Everything that was accepted, in the order of acceptance.</param>
/// <param name="createdAt">When the spool says that each was accepted, in seconds since the epoch.</param>
public sealed class QueueAudit(IReadOnlyList<AcceptedMessage> accepted, IReadOnlyDictionary<string, long> createdAt)
{
    private readonly Dictionary<string, int> _place =
        accepted.Select((message, at) => (message.Id, at)).ToDictionary(pair => pair.Id, pair => pair.at, StringComparer.Ordinal);

    /// <summary>Order is looked at for each routing key of an exchange by itself.</summary>
    public bool ByKey { get; init; }

    /// <summary>How many messages came more than once, counting each time after the first.</summary>
    public static int CountRepeats(IReadOnlyCollection<QueuedMessage> found) =>
        found.Count - found.Select(message => (message.Queue, message.MessageId)).Distinct().Count();

    /// <summary>All that is wrong, in words; empty when all is well.</summary>
    public IEnumerable<string> Find(IReadOnlyList<QueuedMessage> found, IReadOnlyList<DeliveryRow> rows, int repeatsAllowed) =>
        [
            .. FindMissing(found, rows),
            .. found.SelectMany(FindAltered),
            .. FindDisorder(found, rows),
            .. FindRepeats(found, repeatsAllowed),
        ];

    private IEnumerable<string> FindMissing(IReadOnlyList<QueuedMessage> found, IReadOnlyList<DeliveryRow> rows)
    {
        var there = found.Select(message => message.MessageId).ToHashSet(StringComparer.Ordinal);
        var byId = rows.ToDictionary(row => row.Id, StringComparer.Ordinal);
        foreach (var message in accepted.Where(message => !there.Contains(message.Id)))
        {
            if (!byId.TryGetValue(message.Id, out var row))
            {
                yield return $"LOST: {Name(message.Id)} is in no queue, and the spool has no row for it";
            }
            else if (string.Equals(row.State, "delivered", StringComparison.Ordinal))
            {
                yield return $"LOST: {Name(message.Id)} is in no queue, and the spool calls it delivered";
            }
            else if (row.Reason.Length == 0)
            {
                yield return $"SILENT: {Name(message.Id)} is in no queue, and the spool says {row.State} without a reason";
            }
        }
    }

    private IEnumerable<string> FindAltered(QueuedMessage message)
    {
        if (message.MessageId is not { } id || !_place.TryGetValue(id, out var at))
        {
            return [$"FOREIGN: '{message.MessageId}' was never accepted"];
        }

        var given = accepted[at];
        var properties = message.Properties;
        return new (string What, object? Given, object? Found)[]
        {
            ("body", "as given", message.Body.AsSpan().SequenceEqual(given.Body) ? "as given" : Encoding.UTF8.GetString(message.Body)),
            ("exchange", given.Exchange, message.Exchange),
            ("routing key", given.RoutingKey, message.RoutingKey),
            ("content type", given.ContentType, properties.ContentType),
            ("persistence", DeliveryModes.Persistent, properties.DeliveryMode),
            ("app id", "quickq", properties.AppId),
            ("timestamp", createdAt.GetValueOrDefault(id), properties.Timestamp.UnixTime),
            ("headers", InWords(given.Headers?.ToDictionary(header => header.Key, header => (object?)header.Value, StringComparer.Ordinal)), InWords(properties.Headers)),
            ("other properties", "", OthersOf(properties)),
        }.Where(pair => !Equals(pair.Given, pair.Found)).Select(pair => $"ALTERED: {Name(id)} has the {pair.What} '{pair.Found}' instead of '{pair.Given}'");
    }

    private IEnumerable<string> FindDisorder(IReadOnlyList<QueuedMessage> found, IReadOnlyList<DeliveryRow> rows)
    {
        // In each queue for itself, and by exchange: only that much is promised. A message that its server refused by itself is
        // passed by the others: its attempts tell.
        var refused = rows.Where(row => row.Attempts > 1).Select(row => row.Id).ToHashSet(StringComparer.Ordinal);
        var seen = new HashSet<(string Queue, string Id)>();
        var furthest = new Dictionary<(string Queue, string Exchange, string Key), int>();
        foreach (var message in found)
        {
            if (message.MessageId is not { } id || refused.Contains(id) || !_place.TryGetValue(id, out var at) || !seen.Add((message.Queue, id)))
            {
                continue;
            }

            if (furthest.TryGetValue((message.Queue, message.Exchange, ByKey ? message.RoutingKey : ""), out var before) && at < before)
            {
                yield return $"DISORDER: {Name(id)} came first after {Name(accepted[before].Id)}";
            }

            furthest[(message.Queue, message.Exchange, ByKey ? message.RoutingKey : "")] = Math.Max(at, before);
        }
    }

    private IEnumerable<string> FindRepeats(IReadOnlyList<QueuedMessage> found, int allowed)
    {
        if (CountRepeats(found) is var repeats && repeats > allowed)
        {
            var numbers = found.GroupBy(message => message.MessageId ?? "", StringComparer.Ordinal).Where(group => group.Skip(1).Any())
                .Select(group => _place.GetValueOrDefault(group.Key) + 1).Order().ToList();
            yield return string.Create(CultureInfo.InvariantCulture,
                $"REPEATS: {repeats}, of which the faults explain {allowed}; numbers {string.Join(' ', numbers.Take(20))} ... {numbers[^1]}");
        }
    }

    private static string InWords(IDictionary<string, object?>? headers) =>
        headers is null ? "" : string.Join(", ", headers.OrderBy(header => header.Key, StringComparer.Ordinal)
            .Select(header => $"{header.Key}={(header.Value is byte[] bytes ? Encoding.UTF8.GetString(bytes) : header.Value)}"));

    private static string OthersOf(IReadOnlyBasicProperties properties) => string.Join(' ', new[]
    {
        properties.IsExpirationPresent() ? "expiration" : null,
        properties.IsReplyToPresent() ? "reply-to" : null,
        properties.IsCorrelationIdPresent() ? "correlation-id" : null,
        properties.IsTypePresent() ? "type" : null,
        properties.IsUserIdPresent() ? "user-id" : null,
        properties.IsContentEncodingPresent() ? "content-encoding" : null,
        properties.IsPriorityPresent() ? "priority" : null,
    }.OfType<string>());

    private string Name(string id) => string.Create(CultureInfo.InvariantCulture, $"{id} (number {_place[id] + 1} of {accepted.Count})");
}
