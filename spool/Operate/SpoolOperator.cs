using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Spool.Inspect;

namespace Quickq.Spool;

/// <summary>An operator's word: retry, hold, release and cancel messages, pause and resume servers. Works with and without an agent.</summary>
/// <remarks>
/// Rows are changed a few hundred at a time, each step in a durable transaction of its own, so that producers never wait long. An act that is broken off has done
/// what its steps did. Counters change with the rows; whatever becomes pending moves the server's rewind mark, by which the agent finds it.
/// </remarks>
public sealed class SpoolOperator : IDisposable
{
    private const int StepSize = 200;

    private readonly SpoolFile _file;
    private readonly TimeProvider _clock;

    private SpoolOperator(SpoolFile file, TimeProvider clock)
    {
        _file = file;
        _clock = clock;
    }

    /// <summary>Opens an existing spool.</summary>
    /// <exception cref="SpoolException">There is none, it is not a spool, no permission.</exception>
    public static SpoolOperator Open(string path) => new(SpoolFile.OpenForWriting(path, create: false), TimeProvider.System);

    /// <summary>Does <paramref name="act"/> to the messages with these ids, at one server or at all.</summary>
    /// <param name="act">What to do.</param>
    /// <param name="ids">Whole ids; those that are not in the spool are passed over.</param>
    /// <param name="server">Only at this server; null for all.</param>
    /// <param name="dryRun">Only count.</param>
    public OperatorReport Apply(OperatorAct act, IReadOnlyCollection<string> ids, string? server, bool dryRun)
    {
        using SqliteCommand select = _file.Connection.CreateCommand();
        select.CommandText = "SELECT seq FROM message WHERE id = $id";
        select.Parameters.AddWithValue("$id", "");
        List<long> numbers = [.. ids.Select(id => select.Set("$id", id).ReadNumber()).Where(seq => seq > 0)];
        return Apply(act, numbers, server, state: null, dryRun);
    }

    /// <summary>Does <paramref name="act"/> to the rows that the filter lets through; its limit counts messages.</summary>
    /// <param name="act">What to do.</param>
    /// <param name="filter">Which messages, and by its server and state which of their rows.</param>
    /// <param name="dryRun">Only count.</param>
    public OperatorReport Apply(OperatorAct act, MessageFilter filter, bool dryRun) =>
        Apply(act, new MessageQuery(_file.Connection).Find(filter), filter.Server, filter.State, dryRun);

    /// <summary>Stops or starts forwarding to a server, across restarts of the agent. False when there is no such server.</summary>
    public bool SetPaused(string server, bool paused) => _file.Write(connection =>
    {
        using SqliteCommand update = connection.Prepare("UPDATE server SET paused = $paused WHERE name = $name", "$paused", "$name");
        return update.Set("$paused", paused ? 1 : 0).Set("$name", server).ExecuteNonQuery() == 1;
    });

    /// <summary>Closes the spool.</summary>
    public void Dispose() => _file.Dispose();

    private OperatorReport Apply(OperatorAct act, IEnumerable<long> numbers, string? server, string? state, bool dryRun)
    {
        int messages = 0, changed = 0, probed = 0;
        var left = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (long[] step in numbers.Chunk(StepSize))
        {
            // Counting needs no lock; only what changes something waits for it.
            Step done = dryRun ? Run(_file.Connection, write: false) : _file.Write(connection => Run(connection, write: true));
            messages += done.Messages;
            changed += done.Changed;
            probed += done.Probed;
            foreach ((string other, int rows) in done.Left)
            {
                left[other] = left.GetValueOrDefault(other) + rows;
            }

            Step Run(SqliteConnection connection, bool write) => RunStep(connection, act, step, server, state, write);
        }

        return new OperatorReport(messages, changed, probed, left);
    }

    private Step RunStep(SqliteConnection connection, OperatorAct act, long[] numbers, string? server, string? state, bool write)
    {
        var step = new Step();
        foreach (Row row in ReadRows(connection, numbers, server, state))
        {
            if (act.From.Contains(row.State, StringComparer.Ordinal))
            {
                step.Count(row);
            }
            else if (row.Suspended && act == OperatorAct.Retry)
            {
                step.Probed++;
            }
            else
            {
                step.Left[row.State] = step.Left.GetValueOrDefault(row.State) + 1;
            }

            if (write && row.Suspended && act == OperatorAct.Retry)
            {
                Probe_NeedsTransaction(connection, row);
            }
        }

        if (write)
        {
            Write_NeedsTransaction(connection, act, step);
        }

        return step;
    }

    private void Write_NeedsTransaction(SqliteConnection connection, OperatorAct act, Step step)
    {
        using SqliteCommand update = connection.Prepare(
            """
            UPDATE delivery SET state = $to, attempts = CASE WHEN $to = 'pending' THEN 0 ELSE attempts END, next_attempt_at = NULL,
                settled_at = CASE WHEN $to = 'cancelled' THEN $now END, reason = CASE WHEN $to = 'pending' THEN NULL ELSE $reason END
            WHERE message = $message AND server = $server
            """,
            "$to", "$now", "$reason", "$message", "$server");
        update.Set("$to", act.To).Set("$now", _clock.NowMicroseconds()).Set("$reason", $"{act.To} by an operator");
        using SqliteCommand keepForEver = connection.Prepare("UPDATE message SET expires_at = NULL WHERE seq = $message", "$message");
        foreach (Row row in step.Rows)
        {
            update.Set("$message", row.Message).Set("$server", row.Server).ExecuteNonQuery();
            if (row.State is DeliveryState.Expired)
            {
                // Its time ran out; whoever wants it sent all the same does not want it to expire at once again.
                keepForEver.Set("$message", row.Message).ExecuteNonQuery();
            }
        }

        foreach (IGrouping<(long Server, string State), Row> group in step.Rows.GroupBy(row => (row.Server, row.State)))
        {
            // State words are column names of the counters; they come from OperatorAct, not from the user.
            connection.Execute(string.Create(CultureInfo.InvariantCulture,
                $"UPDATE server SET {group.Key.State} = {group.Key.State} - {group.Count()}, {act.To} = {act.To} + {group.Count()} WHERE id = {group.Key.Server}"));
        }
    }

    private static void Probe_NeedsTransaction(SqliteConnection connection, Row row)
    {
        using SqliteCommand probe = connection.Prepare(
            """
            UPDATE suspension SET next_probe_at = 0 WHERE server = $server AND next_probe_at <> 0
              AND exchange = (SELECT coalesce(m.exchange, s.exchange) FROM message AS m, server AS s WHERE m.seq = $message AND s.id = $server)
            """,
            "$server", "$message");
        probe.Set("$server", row.Server).Set("$message", row.Message).ExecuteNonQuery();
    }

    private static List<Row> ReadRows(SqliteConnection connection, long[] numbers, string? server, string? state)
    {
        using SqliteCommand select = connection.CreateCommand();
        select.CommandText =
            $"""
            SELECT d.message, d.server, d.state,
                   d.state = 'pending' AND EXISTS (SELECT 1 FROM suspension AS x WHERE x.server = d.server AND x.exchange = coalesce(m.exchange, s.exchange))
            FROM delivery AS d JOIN server AS s ON s.id = d.server JOIN message AS m ON m.seq = d.message
            WHERE d.message IN ({string.Join(',', numbers)}) AND ($server IS NULL OR s.name = $server) AND ($state IS NULL OR d.state = $state)
            """;
        select.Parameters.AddWithValue("$server", (object?)server ?? DBNull.Value);
        select.Parameters.AddWithValue("$state", (object?)state ?? DBNull.Value);
        var rows = new List<Row>();
        using SqliteDataReader reader = select.ExecuteReader();
        while (reader.Read())
        {
            rows.Add(new Row(reader.GetInt64(0), reader.GetInt64(1), reader.GetString(2), reader.GetInt64(3) != 0));
        }

        return rows;
    }

    private sealed record Row(long Message, long Server, string State, bool Suspended);

    private sealed class Step
    {
        private readonly HashSet<long> _messages = [];

        public List<Row> Rows { get; } = [];

        public Dictionary<string, int> Left { get; } = new(StringComparer.Ordinal);

        public int Probed { get; set; }

        public int Changed => Rows.Count;

        public int Messages => _messages.Count;

        public void Count(Row row)
        {
            Rows.Add(row);
            _messages.Add(row.Message);
        }
    }
}
