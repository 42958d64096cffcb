using Xunit;

namespace Quickq.Testing.Auditing;

/// <summary>
/// The promise, checked after the fact: what producers were told, what the spool says, and what lay in the queues must agree.
/// </summary>
/// <remarks>
/// Make it when the agent has stopped or has nothing left to do; say with <see cref="Server"/> what was drained from each
/// server; end with <see cref="MustBeClean"/>, which fails with everything that was found.
/// </remarks>
public sealed class Audit
{
    /// <summary>Ids of messages that begin so were put there by a foreign program, and told to nobody.</summary>
    public const string ForeignIds = "foreign-";

    private const int FindingsShown = 20;
    private readonly TempSpool _spool;
    private readonly IReadOnlyList<AcceptedMessage> _inOrder;
    private readonly Dictionary<string, long> _createdAt;
    private readonly List<string> _findings = [];

    private Audit(TempSpool spool, IReadOnlyList<IReadOnlyList<AcceptedMessage>> producers)
    {
        _spool = spool;
        var stored = spool.Query<StoredMessage>("SELECT seq, id, created_at / 1000000 AS CreatedAt FROM message ORDER BY seq");
        var seqById = stored.ToDictionary(message => message.Id, message => message.Seq, StringComparer.Ordinal);
        _createdAt = stored.ToDictionary(message => message.Id, message => message.CreatedAt, StringComparer.Ordinal);
        _inOrder = [.. producers.SelectMany(messages => messages).OrderBy(message => seqById.GetValueOrDefault(message.Id, long.MaxValue))];
        _findings.AddRange(producers.SelectMany(messages => FindInSpool(messages, seqById)));
        var accepted = _inOrder.Select(message => message.Id).ToHashSet(StringComparer.Ordinal);
        _findings.AddRange(stored.Where(message => !accepted.Contains(message.Id) && !message.Id.StartsWith(ForeignIds, StringComparison.Ordinal)).Select(message => $"the spool holds {message.Id}, which no producer was told of"));
        _findings.AddRange(FindInTallies(stored.Count));
    }

    /// <summary>Everything that is wrong so far.</summary>
    public IReadOnlyList<string> Findings => _findings;

    /// <summary>Begins with what each producer was told, in the order in which it was told.</summary>
    public static Audit Of(TempSpool spool, params IReadOnlyList<AcceptedMessage>[] producers) => new(spool, producers);

    /// <summary>Compares one server's queues with the rest.</summary>
    /// <param name="found">All that was drained from its queues, each queue in its own order.</param>
    /// <param name="faults">How many faults (kills, lost connections) it met.</param>
    /// <param name="window">How many messages may be in flight, and so repeated, per fault.</param>
    /// <param name="byKey">Routing keys of it were in trouble: then each keeps its order, and they may pass each other.</param>
    public Audit Server(string name, IReadOnlyList<QueuedMessage> found, int faults = 0, int window = 0, bool byKey = false)
    {
        var rows = _spool.Query<DeliveryRow>(
            """
            SELECT m.id AS Id, d.state AS State, d.attempts AS Attempts, coalesce(d.reason, x.reason, CASE d.state WHEN 'pending' THEN s.last_error END, '') AS Reason
            FROM delivery AS d JOIN message AS m ON m.seq = d.message JOIN server AS s ON s.id = d.server
            LEFT JOIN suspension AS x ON x.server = d.server AND x.exchange = coalesce(m.exchange, s.exchange) AND d.state = 'pending'
            WHERE s.name = @name
            """,
            new { name });
        var counters = _spool.Value<ServerCounters>(
            """
            SELECT pending AS Pending, deferred AS Deferred, held AS Held, rejected AS Rejected, delivered AS Delivered, expired AS Expired, cancelled AS Cancelled
            FROM server WHERE name = @name
            """,
            new { name });
        var counted = ServerCounters.CountedFrom(rows);
        if (counters != counted)
        {
            _findings.Add($"{name}: LEDGER: the counters say {counters}, the rows {counted}");
        }

        _findings.AddRange(new QueueAudit(_inOrder, _createdAt) { ByKey = byKey }.Find(found, rows, faults * window).Select(finding => $"{name}: {finding}"));
        return this;
    }

    /// <summary>Fails with all findings unless there are none.</summary>
    public void MustBeClean()
    {
        if (_findings.Count > 0)
        {
            Assert.Fail($"{_findings.Count} findings in the audit of {_inOrder.Count} messages:\n{string.Join('\n', _findings.Take(FindingsShown))}");
        }
    }

    private static IEnumerable<string> FindInSpool(IReadOnlyList<AcceptedMessage> told, Dictionary<string, long> seqById)
    {
        long last = 0;
        foreach (var message in told)
        {
            if (!seqById.TryGetValue(message.Id, out var seq))
            {
                yield return $"LOST: a producer was told {message.Id}, the spool has not got it";
                continue;
            }

            if (seq < last)
            {
                yield return $"DISORDER: {message.Id} was told after a message that the spool has behind it";
            }

            last = Math.Max(last, seq);
        }
    }

    private IEnumerable<string> FindInTallies(int stored)
    {
        var (messages, unassigned, waiting) = _spool.Value<(long Messages, long Unassigned, long Waiting)>(
            """
            SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'message'), 0) - (SELECT value FROM tally WHERE name = 'removed'),
                (SELECT value FROM tally WHERE name = 'unassigned'), (SELECT count(*) FROM unassigned)
            """);
        if (messages != stored)
        {
            yield return $"LEDGER: the spool counts {messages} messages and holds {stored}";
        }

        if (unassigned != waiting)
        {
            yield return $"LEDGER: the spool counts {unassigned} unassigned messages and holds {waiting}";
        }
    }
}
