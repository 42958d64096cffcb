using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Spool.Inspect;
using Quickq.Spool.Operate;
using Quickq.Spool.Schema;
using Quickq.Spool.Upkeep;

namespace Quickq.Spool;

/// <summary>An operator's word: retry, hold, release and cancel messages, pause and resume servers. Works with and without an agent.</summary>
/// <remarks>
/// Rows are changed a few hundred at a time, each step in a durable transaction of its own, so that producers never wait long. An act that is broken off has done
/// what its steps did. Counters change with the rows; whatever becomes pending moves the server's rewind mark, by which the agent finds it. Oldest first, so that
/// what becomes due goes out in the order of acceptance even while the agent is at work.
/// </remarks>
public sealed class SpoolAdmin : IDisposable
{
    private const int StepSize = 200;

    /// <summary>Half of what the log may have: a checkpoint of 8 MiB held the lock for 12 ms, one of 4 for 6.</summary>
    internal const long LogBytes = 4L << 20;

    private readonly SpoolFile _file;
    private readonly TimeProvider _clock;
    private readonly OperationSource _source;

    private SpoolAdmin(SpoolFile file, OperationSource source, TimeProvider clock)
    {
        _file = file;
        _source = source;
        _clock = clock;
    }

    /// <summary>Opens an existing spool.</summary>
    /// <param name="path">The spool.</param>
    /// <param name="source">Who asks, for the record; null: the account of this process.</param>
    /// <exception cref="SpoolException">There is none, it is not a spool, no permission.</exception>
    public static SpoolAdmin Open(string path, OperationSource? source = null) =>
        new(SpoolFile.OpenForWriting(path, create: false), source ?? OperationSource.OfProcess(), TimeProvider.System);

    /// <summary>Records a change that was made by other means (an import, a repair), with the number that it reports.</summary>
    public void Record(string command, long count)
    {
        OperationRecord record = NewRecord(command);
        RunStep(connection =>
        {
            record.Add_NeedsTransaction(connection, count);
            return true;
        });
    }

    /// <summary>Does <paramref name="act"/> to the messages with these ids, at one server or at all.</summary>
    /// <param name="act">What to do.</param>
    /// <param name="ids">Whole ids; those that are not in the spool are passed over.</param>
    /// <param name="server">Only at this server; null for all.</param>
    /// <param name="dryRun">Only count.</param>
    public OperatorReport Apply(AdminOperation act, IReadOnlyCollection<string> ids, string? server, bool dryRun)
    {
        List<long> numbers = _file.Read(connection =>
        {
            using SqliteCommand select = connection.Prepare("SELECT seq FROM message WHERE id = $id", "$id");
            return ids.Select(id => select.Set("$id", id).ReadNumber()).Where(seq => seq > 0).Order().ToList();
        });
        return Apply(act, numbers, server, state: null, dryRun, tellLeft: true);
    }

    /// <summary>Does <paramref name="act"/> to the rows that the filter lets through; its limit counts messages.</summary>
    /// <param name="act">What to do.</param>
    /// <param name="filter">Which messages, and by its server and state which of their rows.</param>
    /// <param name="dryRun">Only count.</param>
    public OperatorReport Apply(AdminOperation act, MessageFilter filter, bool dryRun)
    {
        // All states but these would only be counted as left: among millions delivered, what is due or parked is found by its index.
        bool indexed = filter.State is null && act.From.All(MessageQuery.HasIndex);
        List<long> numbers = [.. new MessageQuery(_file).Find(indexed ? filter with { States = act.From } : filter)];
        numbers.Reverse();
        return Apply(act, numbers, filter.Server, filter.State, dryRun, tellLeft: filter.State is not null);
    }

    /// <summary>Stops or starts forwarding to a server, across restarts of the agent. False when there is no such server.</summary>
    public bool SetPaused(string server, bool paused)
    {
        OperationRecord record = NewRecord(paused ? "pause" : "resume");
        return RunStep(connection =>
        {
            record.Add_NeedsTransaction(connection, connection.Execute(
                "UPDATE server SET paused = $paused WHERE name = $name AND paused <> $paused", ("$paused", paused ? 1 : 0), ("$name", server)));
            return connection.ReadNumber("SELECT EXISTS (SELECT 1 FROM server WHERE name = $name)", ("$name", server)) == 1;
        });
    }

    /// <summary>Makes delivered messages that are still in the spool due again at one server, and those that it has no row for because it came later.</summary>
    /// <param name="server">The server's name; it must be known.</param>
    /// <param name="since">Only what this server settled, or for a message that it never had the spool accepted, at this time or later.</param>
    /// <param name="until">Only what was settled (or accepted) before this time.</param>
    /// <param name="dryRun">Only count.</param>
    public ReplayReport Replay(string server, DateTimeOffset? since, DateTimeOffset? until, bool dryRun)
    {
        OperationRecord record = NewRecord("replay");
        var replay = new DeliveryReplay(_file.Read(connection => FindServer(connection, server)), since, until, _clock.NowMicroseconds());
        int again = 0, created = 0, expired = 0;
        for (long? after = 0; after is { } position;)
        {
            (IReadOnlyList<DeliveryReplay.Candidate> candidates, after) = _file.Read(connection => replay.ReadPage(connection, position));
            expired += candidates.Count(candidate => candidate.IsExpired);
            foreach (DeliveryReplay.Candidate[] chunk in candidates.Where(candidate => !candidate.IsExpired).Chunk(StepSize))
            {
                (int Again, int Created) done = dryRun
                    ? (chunk.Count(candidate => !candidate.IsMissing), chunk.Count(candidate => candidate.IsMissing))
                    : RunStep(connection =>
                    {
                        (int Again, int Created) written = replay.Write_NeedsTransaction(connection, chunk);
                        record.Add_NeedsTransaction(connection, written.Again + written.Created);
                        return written;
                    });
                again += done.Again;
                created += done.Created;
            }
        }

        return new ReplayReport(again, created, expired);
    }

    /// <summary>Removes messages that every server was done with before <paramref name="settledBefore"/>, and gives free pages back to the disk.</summary>
    /// <param name="settledBefore">The latest settlement of a message must be older.</param>
    /// <param name="dryRun">Only count.</param>
    public PurgeReport Purge(DateTimeOffset settledBefore, bool dryRun)
    {
        OperationRecord record = NewRecord("purge");
        long before = SpoolTime.ToMicroseconds(settledBefore);
        long removed = 0;
        for (var page = new ReapPage([], Next: 0, IsLast: false); !page.IsLast;)
        {
            long after = page.Next;
            page = _file.Read(connection => SettledMessageReaper.FindSome(connection, after, before));
            removed += dryRun ? page.Messages.Count : RemoveAll(page.Messages, record);
        }

        long size = _file.Read(connection => connection.ReadNumber("PRAGMA page_size"));
        long pages = PageCount();
        while (!dryRun && PageCount(free: true) > 0 && RunStep(SettledMessageReaper.GiveBackSomePages_NeedsTransaction) > 0)
        {
            // The next few.
        }

        return new PurgeReport(removed, size * (pages - PageCount()));

        long PageCount(bool free = false) => _file.Read(connection => connection.ReadNumber(free ? "PRAGMA freelist_count" : "PRAGMA page_count"));
    }

    /// <summary>Closes the spool.</summary>
    public void Dispose() => _file.Dispose();

    private OperationRecord NewRecord(string command) => new(_source, command, _clock);

    private long RemoveAll(IReadOnlyList<long> messages, OperationRecord record)
    {
        long removed = 0;
        for (int done = 0; done < messages.Count;)
        {
            long[] rest = [.. messages.Skip(done)];
            ReapStep step = RunStep(connection =>
            {
                ReapStep reaped = SettledMessageReaper.Remove_NeedsTransaction(connection, rest);
                record.Add_NeedsTransaction(connection, reaped.Removed);
                return reaped;
            });
            removed += step.Removed;
            done += step.Done;
        }

        return removed;
    }

    private OperatorReport Apply(AdminOperation act, List<long> numbers, string? server, string? state, bool dryRun, bool tellLeft)
    {
        OperationRecord record = NewRecord(act.Name);
        int messages = 0, changed = 0, probed = 0, unassigned = 0;
        var left = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (long[] chunk in numbers.Chunk(StepSize))
        {
            // Counting needs no lock; only what changes something waits for it.
            Step step = _file.Read(connection => ReadStep(connection, act, chunk, server, state));
            if (!dryRun && step.HasWork)
            {
                step = RunStep(connection =>
                {
                    Step now = ReadStep(connection, act, chunk, server, state);
                    Write_NeedsTransaction(connection, act, now);
                    record.Add_NeedsTransaction(connection, now.Rows.Count + now.Probes.Count);
                    return now;
                });
            }

            messages += step.Messages;
            changed += step.Rows.Count;
            probed += step.Probes.Count;
            unassigned += step.Unassigned;
            foreach ((string other, int rows) in tellLeft ? step.Left : [])
            {
                left[other] = left.GetValueOrDefault(other) + rows;
            }
        }

        return new OperatorReport(messages, changed, probed, unassigned, left);
    }

    /// <summary>One durable transaction; then a checkpoint if the log grew long and no agent is there to make it.</summary>
    private T RunStep<T>(Func<SqliteConnection, T> work)
    {
        T done = _file.Write(connection =>
        {
            SpoolSchema.RequireWritable(connection, _file.Path);
            return work(connection);
        });
        Checkpointer.RunIfNeeded(_file, onlyWithoutAgent: true, LogBytes);
        return done;
    }

    private long FindServer(SqliteConnection connection, string name)
    {
        using SqliteCommand select = connection.Prepare("SELECT id FROM server WHERE name = $name", "$name");
        return select.Set("$name", name).ReadNumber() is var id and > 0
            ? id
            : throw new SpoolException(SpoolFault.NotFound, _file.Path, $"there is no server '{name}' in the spool {_file.Path}");
    }

    private static Step ReadStep(SqliteConnection connection, AdminOperation act, long[] numbers, string? server, string? state)
    {
        var step = new Step { Unassigned = (int)connection.ReadNumber($"SELECT count(*) FROM unassigned WHERE message IN ({string.Join(',', numbers)})") };
        foreach (Row row in ReadRows(connection, numbers, server, state))
        {
            if (act.From.Contains(row.State, StringComparer.Ordinal))
            {
                step.Rows.Add(row);
            }
            else if (row.Suspended && act == AdminOperation.Retry)
            {
                step.Probes.Add(row);
            }
            else
            {
                step.Left[row.State] = step.Left.GetValueOrDefault(row.State) + 1;
            }
        }

        return step;
    }

    private void Write_NeedsTransaction(SqliteConnection connection, AdminOperation act, Step step)
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

        foreach (Row row in step.Probes)
        {
            Probe_NeedsTransaction(connection, row);
        }

        foreach (IGrouping<(long Server, string State), Row> group in step.Rows.GroupBy(row => (row.Server, row.State)))
        {
            // State words are column names of the counters; they come from AdminOperation, not from the user.
            connection.Execute(string.Create(CultureInfo.InvariantCulture,
                $"UPDATE server SET {group.Key.State} = {group.Key.State} - {group.Count()}, {act.To} = {act.To} + {group.Count()} WHERE id = {group.Key.Server}"));
        }
    }

    private static void Probe_NeedsTransaction(SqliteConnection connection, Row row)
    {
        const string Exchange = "exchange = (SELECT coalesce(m.exchange, s.exchange) FROM message AS m, server AS s WHERE m.seq = $message AND s.id = $server)";
        connection.Execute(
            $"UPDATE suspension SET next_probe_at = 0 WHERE server = $server AND next_probe_at <> 0 AND {Exchange}", ("$server", row.Server), ("$message", row.Message));
        connection.Execute(
            $"""
            UPDATE key_suspension SET next_probe_at = 0 WHERE server = $server AND next_probe_at <> 0 AND {Exchange}
                AND routing_key = (SELECT routing_key FROM message WHERE seq = $message)
            """,
            ("$server", row.Server), ("$message", row.Message));
    }

    private static List<Row> ReadRows(SqliteConnection connection, long[] numbers, string? server, string? state)
    {
        using SqliteCommand select = connection.CreateCommand();
        select.CommandText =
            $"""
            SELECT d.message, d.server, d.state, {MessageQuery.IsSuspended}
            FROM delivery AS d JOIN server AS s ON s.id = d.server JOIN message AS m ON m.seq = d.message
            WHERE d.message IN ({string.Join(',', numbers)}) AND {MessageQuery.RowCondition(select, state, server)}
            """;
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
        public List<Row> Rows { get; } = [];

        public List<Row> Probes { get; } = [];

        public Dictionary<string, int> Left { get; } = new(StringComparer.Ordinal);

        public required int Unassigned { get; init; }

        public int Messages => Rows.DistinctBy(row => row.Message).Count();

        public bool HasWork => Rows.Count + Probes.Count > 0;
    }
}
