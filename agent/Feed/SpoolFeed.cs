using Microsoft.Data.Sqlite;
using Quickq.Spool;
using SQLitePCL;

namespace Quickq.Agent.Feed;

/// <summary>What one server gets next: its pending messages in the order of acceptance, a bounded page at a time.</summary>
/// <remarks>
/// Changes nothing in the spool. The position is in memory only: a new feed starts at the oldest pending message, which is all
/// that a restart needs. A page holds a read snapshot only while it is read. Belongs to one thread at a time.
/// </remarks>
internal sealed class SpoolFeed : IDisposable
{
    private const string Columns = "m.seq, m.id, m.exchange, m.routing_key, m.properties, m.expires_at, m.created_at, m.body";

    private const string SelectPage =
        "SELECT " + Columns +
        """

        FROM delivery AS d CROSS JOIN message AS m ON m.seq = d.message
        WHERE d.server = $server AND d.state = 'pending' AND d.message > $after AND d.message < $barrier /*passing*/
        ORDER BY d.message LIMIT $count
        """;

    /// <summary>At most so many rows are looked at for one page: others must not wait while a million is passed by.</summary>
    private const int MostLookedAt = 2_000;

    private const string Passing =
        """
        AND d.message <= $upTo
            AND coalesce(m.exchange, (SELECT exchange FROM server WHERE id = $server)) NOT IN (SELECT value FROM json_each($exchanges))
            AND (coalesce(m.exchange, (SELECT exchange FROM server WHERE id = $server)), m.routing_key)
                NOT IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each($keys))
            AND ($only IS NULL OR coalesce(m.exchange, (SELECT exchange FROM server WHERE id = $server)) = $only)
            AND ($key IS NULL OR m.routing_key = $key)
        """;

    private const string SelectUpTo =
        """
        SELECT count(*), max(message)
        FROM (SELECT message FROM delivery WHERE server = $server AND state = 'pending' AND message > $after AND message < $barrier ORDER BY message LIMIT $most)
        """;

    private const string SelectMarks =
        """
        SELECT paused, rewind, coalesce((SELECT min(message) FROM unassigned WHERE message >= (SELECT value FROM tally WHERE name = 'assigning')), 9223372036854775807),
            EXISTS (SELECT 1 FROM suspension WHERE server = $server AND next_probe_at = 0) OR EXISTS (SELECT 1 FROM key_suspension WHERE server = $server AND next_probe_at = 0)
        FROM server WHERE id = $server
        """;

    /// <summary>After a failure to read.</summary>
    public static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>SQLITE_LIMIT_LENGTH: SQLite reads no longer text or blob.</summary>
    private const int LengthLimit = 0;

    private readonly long _server;
    private readonly FeedFile _file;
    private readonly bool _ownsFile;
    private int _replacements;
    private bool _wentBack;
    private SqliteConnection? _preparedFor;
    private SqliteCommand _selectPage = null!;
    private SqliteCommand _selectFiltered = null!;
    private SqliteCommand _selectUpTo = null!;

    // Where the next row is too large to be read: only its number.
    private SqliteCommand _selectNext = null!;
    private SqliteCommand _selectNextFiltered = null!;

    /// <summary>A feed with a connection of its own.</summary>
    public SpoolFeed(string path, long server)
        : this(new FeedFile(path), server) => _ownsFile = true;

    /// <summary>A feed that shares its connection.</summary>
    public SpoolFeed(FeedFile file, long server)
    {
        (_file, _server) = (file, server);
        lock (file.Gate)
        {
            _ = file.Connection_NeedsLock;
            _replacements = file.Replacements;
        }
    }

    /// <summary>The sequence number up to which messages were handed out.</summary>
    public long Position { get; private set; } = long.MinValue;

    /// <summary>Whether the last <see cref="Next"/> saw that nothing more is there.</summary>
    public bool IsAtEnd { get; private set; }

    /// <summary>No column that takes more bytes than this is read; its message is handed out as one that cannot be sent.</summary>
    public Func<long> LargestBytes { get; init; } = () => int.MaxValue;

    /// <summary>What the spool says about this server now; null when it does not know the server.</summary>
    public FeedMarks? ReadMarks()
    {
        lock (_file.Gate)
        {
            return _file.Connection_NeedsLock.ReadRows(SelectMarks, ReadMarks, ("$server", _server)).SingleOrDefault();
        }
    }

    /// <summary>Opens the file that the path names now, if it is another one, and begins at its oldest message; true when it did.</summary>
    public bool FollowReplacement()
    {
        lock (_file.Gate)
        {
            _file.FollowReplacement_NeedsLock();
            if (_replacements == _file.Replacements)
            {
                return false;
            }

            _replacements = _file.Replacements;
        }

        GoBackToStart();
        return true;
    }

    /// <summary>The next messages behind <see cref="Position"/>: at most <paramref name="maxCount"/>, and no further one once <paramref name="maxBytes"/> of bodies are read.</summary>
    /// <param name="maxCount">So many.</param>
    /// <param name="maxBytes">So many bytes.</param>
    /// <param name="barrier">Messages from this one on are just being assigned: order wants that they wait.</param>
    /// <param name="filter">What is passed by: the caller that wants it later goes back for it. An empty page is not the end then: <see cref="IsAtEnd"/> says so.</param>
    public IReadOnlyList<FeedMessage> Next(int maxCount, long maxBytes, long barrier, FeedFilter? filter)
    {
        if (filter is not null)
        {
            FeedStretch stretch = ReadAside(Position, maxCount, maxBytes, barrier, filter);
            (Position, IsAtEnd, _wentBack) = (Math.Max(Position, stretch.UpTo), stretch.IsAtEnd, false);
            return stretch.Messages;
        }

        lock (_file.Gate)
        {
            if (_wentBack)
            {
                // What was settled since the look began would be pending in it still.
                _wentBack = false;
                _file.EndLook_NeedsLock();
            }

            SqliteConnection connection = Begin_NeedsLock();
            (List<FeedMessage> page, IsAtEnd) = Read(connection, _selectPage, _selectNext, Position, maxCount, maxBytes, barrier);
            Position = page.Count > 0 ? page[^1].Seq : Position;
            return page;
        }
    }

    /// <summary>As <see cref="Next"/>, behind a place of the caller's own: <see cref="Position"/> stays.</summary>
    public FeedStretch ReadAside(long after, int maxCount, long maxBytes, long barrier, FeedFilter filter)
    {
        lock (_file.Gate)
        {
            _file.EndLook_NeedsLock();
            SqliteConnection connection = Begin_NeedsLock();

            // One snapshot for both: a message that comes in between must not be taken for one that was passed by.
            connection.Execute("BEGIN");
            try
            {
                (long count, long upTo) = LookAhead(after, barrier);
                Set(_selectFiltered, filter, upTo);
                Set(_selectNextFiltered, filter, upTo);
                (List<FeedMessage> page, _) = Read(connection, _selectFiltered, _selectNextFiltered, after, maxCount, maxBytes, barrier);
                return page.Count > 0 ? new FeedStretch(page, page[^1].Seq, IsAtEnd: false) : new FeedStretch(page, upTo, IsAtEnd: count < MostLookedAt);
            }
            finally
            {
                connection.Execute("ROLLBACK");
            }
        }
    }

    /// <summary>Looks again at everything behind <paramref name="seq"/>.</summary>
    public void GoBackBefore(long seq)
    {
        if (seq <= Position)
        {
            (Position, _wentBack) = (seq - 1, true);
        }
    }

    /// <summary>Looks again at everything.</summary>
    public void GoBackToStart() => (Position, _wentBack) = (long.MinValue, true);

    public void Dispose()
    {
        lock (_file.Gate)
        {
            if (_preparedFor is not null)
            {
                _selectPage.Dispose();
                _selectFiltered.Dispose();
                _selectUpTo.Dispose();
                _selectNext.Dispose();
                _selectNextFiltered.Dispose();
                _preparedFor = null;
            }
        }

        if (_ownsFile)
        {
            _file.Dispose();
        }
    }

    private SqliteConnection Begin_NeedsLock()
    {
        SqliteConnection connection = _file.Connection_NeedsLock;
        Prepare(connection);
        _ = raw.sqlite3_limit(connection.Handle!, LengthLimit, (int)Math.Min(int.MaxValue, LargestBytes()));
        return connection;
    }

    /// <summary>How many rows are looked at, and which is the last.</summary>
    private (long Count, long UpTo) LookAhead(long after, long barrier)
    {
        using SqliteDataReader row = _selectUpTo.Set("$server", _server).Set("$after", after).Set("$barrier", barrier).Set("$most", MostLookedAt).ExecuteReader();
        row.Read();
        return (row.GetInt64(0), row.NumberOrNull(1) ?? after);
    }

    private static void Set(SqliteCommand select, FeedFilter filter, long upTo) => select
        .Set("$exchanges", filter.ExchangesAsJson()).Set("$keys", filter.KeysAsJson()).Set("$only", filter.OnlyExchange).Set("$key", filter.OnlyKey).Set("$upTo", upTo);

    /// <summary>One page, and whether nothing more is behind it.</summary>
    private (List<FeedMessage> Page, bool IsAtEnd) Read(SqliteConnection connection, SqliteCommand select, SqliteCommand selectNext, long after, int maxCount, long maxBytes, long barrier)
    {
        var page = new List<FeedMessage>();
        try
        {
            select.Set("$server", _server).Set("$after", after).Set("$barrier", barrier).Set("$count", maxCount);
            using SqliteDataReader row = select.ExecuteReader();
            long bytes = 0;
            while (bytes < maxBytes && page.Count < maxCount)
            {
                if (!row.Read())
                {
                    return (page, true);
                }

                FeedMessage message = ReadMessage(row);
                page.Add(message);
                bytes += message.Bytes;
            }
        }
        catch (SqliteException tooLarge) when (tooLarge.SqliteErrorCode == raw.SQLITE_TOOBIG)
        {
            // The one behind the last that was read; the next page begins with it.
            if (page.Count == 0)
            {
                page.Add(ReadTooLarge(connection, selectNext, after, barrier));
            }
        }

        return (page, false);
    }

    /// <summary>Any value may stand in any column, since any program may write rows: what cannot be sent is told with the message, and costs no other one anything.</summary>
    private static FeedMessage ReadMessage(SqliteDataReader row)
    {
        long seq = row.GetInt64(0);
        try
        {
            // Of a text or a blob SQLite would make the number 0, and the message would be over.
            if (!row.IsDBNull(5) && row.GetFieldType(5) is { } type && type != typeof(long) && type != typeof(double))
            {
                return Unreadable(seq, row.GetString(1), "its expires_at in the spool is no number");
            }

            return new FeedMessage(seq, row.GetString(1), row.TextOrNull(2), row.GetString(3), row.GetString(4), row.NumberOrNull(5), row.GetInt64(6), row.GetFieldValue<byte[]>(7));
        }
        catch (Exception odd) when (odd is not SqliteException)
        {
            return Unreadable(seq, FormattableString.Invariant($"number {seq}"), $"its row in the spool cannot be read: {odd.Message}");
        }
    }

    private FeedMessage ReadTooLarge(SqliteConnection connection, SqliteCommand selectNext, long after, long barrier)
    {
        long seq = selectNext.Set("$server", _server).Set("$after", after).Set("$barrier", barrier).Set("$count", 1).ReadNumber();
        string id = connection.ReadRows("SELECT CAST(substr(CAST(id AS BLOB), 1, 255) AS TEXT) FROM message WHERE seq = $seq", row => row.GetString(0), ("$seq", seq)).Single();
        return Unreadable(seq, id, $"it takes more than {ByteSize.Format(LargestBytes())}, which nobody could add by 'quickq-spool add'");
    }

    private static FeedMessage Unreadable(long seq, string id, string fault) => new(seq, id, exchange: null, "", "{}", expiresAt: null, createdAt: 0, [], fault);

    private static FeedMarks ReadMarks(SqliteDataReader row) => new(row.GetInt64(0) != 0, row.NumberOrNull(1), row.GetInt64(2), row.GetInt64(3) != 0);

    private void Prepare(SqliteConnection connection)
    {
        if (ReferenceEquals(_preparedFor, connection))
        {
            return;
        }

        _selectPage = connection.Prepare(SelectPage, "$server", "$after", "$barrier", "$count");
        _selectNext = connection.Prepare(SelectPage.Replace(Columns, "m.seq", StringComparison.Ordinal), "$server", "$after", "$barrier", "$count");
        string passing = SelectPage.Replace("/*passing*/", Passing, StringComparison.Ordinal);
        string[] names = ["$server", "$after", "$barrier", "$count", "$upTo", "$exchanges", "$keys", "$only", "$key"];
        _selectFiltered = connection.Prepare(passing, names);
        _selectNextFiltered = connection.Prepare(passing.Replace(Columns, "m.seq", StringComparison.Ordinal), names);
        _selectUpTo = connection.Prepare(SelectUpTo, "$server", "$after", "$barrier", "$most");
        _preparedFor = connection;
    }
}

/// <summary>What the spool says about a server.</summary>
/// <param name="Paused">An operator paused it.</param>
/// <param name="Rewind">The lowest message made pending again since the mark was last taken, or null.</param>
/// <param name="Barrier">The first message that is to be looked at by the assignment that goes on; beyond every message when none does.</param>
/// <param name="ProbeWanted">An operator wants a suspended exchange, or a routing key in trouble, to be probed now.</param>
internal sealed record FeedMarks(bool Paused, long? Rewind, long Barrier, bool ProbeWanted);
