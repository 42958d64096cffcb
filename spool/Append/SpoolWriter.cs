using Microsoft.Data.Sqlite;
using Quickq.Spool.Schema;
using Quickq.Spool.Upkeep;

namespace Quickq.Spool;

/// <summary>Appends messages. What it returns from is durable: committed with <c>synchronous=FULL</c>, safe from a power cut.</summary>
/// <remarks>
/// Needs no agent, no broker and no network. Belongs to one thread at a time; any number of writers, in any number of processes
/// and languages, may work on one spool. Waits at most 30 s for the other writers.
/// </remarks>
public sealed class SpoolWriter : ISpoolProducer
{
    private const long LogLeftBehindBytes = 512 * 1024;

    private readonly SpoolFile _file;
    private readonly TimeProvider _clock;
    private SqliteConnection? _preparedFor;
    private SqliteCommand _selectSettings = null!;
    private SqliteCommand _selectById = null!;
    private SqliteCommand _insert = null!;

    private SpoolWriter(SpoolFile file, TimeProvider clock)
    {
        _file = file;
        _clock = clock;
    }

    /// <summary>Opens the spool at <paramref name="path"/>, making it when there is none (its folder must exist).</summary>
    /// <exception cref="SpoolException">Not a spool, no permission, cannot be made, unsuitable file system.</exception>
    public static SpoolWriter Open(string path) => Open(path, TimeProvider.System);

    internal static SpoolWriter Open(string path, TimeProvider clock) => new(SpoolFile.OpenForWriting(path, create: true), clock);

    /// <summary>
    /// Where opening put the write-ahead log of an earlier spool whose file was removed, or null (nearly always). Messages may be in it: somebody should be told.
    /// </summary>
    public string? KeptLog => _file.KeptLog;

    /// <summary>Appends one message; returns its id when it is durable.</summary>
    /// <exception cref="SpoolException">Refused, with the reason; nothing was stored.</exception>
    public string Append(OutgoingMessage message) => AppendMany([message])[0];

    /// <summary>Appends messages in their order in one transaction: all or none. Returns their ids when they are durable.</summary>
    /// <exception cref="SpoolException">One of them was refused, or the spool could not take them; none was stored.</exception>
    public IReadOnlyList<string> AppendMany(IReadOnlyList<OutgoingMessage> messages)
    {
        IReadOnlyList<string> ids = AppendMany(messages, out _);
        CheckpointIfAlone(isLast: false);
        return ids;
    }

    /// <summary>The same, and how many of them were not in the spool before. The caller calls <see cref="CheckpointIfAlone"/> where it costs nobody time.</summary>
    internal IReadOnlyList<string> AppendMany(IReadOnlyList<OutgoingMessage> messages, out int stored)
    {
        ArgumentNullException.ThrowIfNull(messages);
        foreach (OutgoingMessage message in messages)
        {
            ArgumentNullException.ThrowIfNull(message, nameof(messages));
        }

        string[] ids = new string[messages.Count];
        stored = 0;
        if (messages.Count == 0)
        {
            return ids;
        }

        stored = _file.Write(connection =>
        {
            Prepare_NeedsTransaction(connection);
            SpoolLimits limits = SpoolLimits.Read(_selectSettings, _file.Path);
            SpoolSchema.RequireWritable(connection, _file.Path, limits);
            long incoming = 0;
            foreach (OutgoingMessage message in messages)
            {
                MessageRules.Check(message, limits.MaxMessageSize, _file.Path);
                incoming += message.Body.Length;
            }

            limits.RequireRoom(connection, _file.Path, incoming);
            int added = 0;
            for (int i = 0; i < ids.Length; i++)
            {
                (ids[i], bool isNew) = Append_NeedsTransaction(messages[i]);
                added += isNew ? 1 : 0;
            }

            return added;
        });
        return ids;
    }

    /// <summary>Closes the spool.</summary>
    public void Dispose()
    {
        DisposeStatements();
        _file.Dispose();
    }

    /// <summary>Checkpoints when the log is over its limit and no agent runs; called between appends, outside their latency.</summary>
    /// <param name="isLast">
    /// True before the process ends: the limit is then much lower. Whoever opens the spool next may be alone, and SQLite reads the whole
    /// log then (8 MiB cost each <c>add</c> 4 ms more; a checkpoint at 512 KiB costs one in twenty 2 ms).
    /// </param>
    internal void CheckpointIfAlone(bool isLast)
    {
        try
        {
            Checkpointer.RunIfNeeded(_file, onlyWithoutAgent: true, isLast ? LogLeftBehindBytes : long.MaxValue);
        }
        catch (SpoolException)
        {
            // What was appended is safe in the log: the next append meets the trouble itself and reports it.
        }
    }

    private (string Id, bool IsNew) Append_NeedsTransaction(OutgoingMessage message)
    {
        long now = _clock.NowMicroseconds();
        if (message.Id is { } own)
        {
            if (RequireSameContent_NeedsTransaction(own, message))
            {
                return (own, false);
            }
        }

        string id = message.Id ?? Guid.CreateVersion7(_clock.GetUtcNow()).ToString("D");
        _insert.Set("$id", id)
            .Set("$exchange", message.Exchange)
            .Set("$routingKey", message.RoutingKey)
            .Set("$properties", message.Properties.ToJson())
            .Set("$expiresAt", message.ExpiresAt is { } end ? SpoolTime.ToMicroseconds(end)
                : message.TimeToLive is { } ttl ? now + (ttl.Ticks / TimeSpan.TicksPerMicrosecond) : null)
            .Set("$createdAt", message.CreatedAt is { } earlier ? SpoolTime.ToMicroseconds(earlier) : now)
            .Set("$body", Bytes(message.Body));
        _insert.ExecuteNonQuery();
        return (id, true);
    }

    /// <summary>False: the id is new. True: the same message is there already. Otherwise it is refused.</summary>
    private bool RequireSameContent_NeedsTransaction(string id, OutgoingMessage message)
    {
        using SqliteDataReader found = _selectById.Set("$id", id).ExecuteReader();
        if (!found.Read())
        {
            return false;
        }

        bool same = string.Equals(found.TextOrNull(0), message.Exchange, StringComparison.Ordinal)
            && string.Equals(found.GetString(1), message.RoutingKey, StringComparison.Ordinal)
            && MessageProperties.FromJson(found.GetString(2)).HasSameContent(message.Properties)
            && found.GetFieldValue<byte[]>(3).AsSpan().SequenceEqual(message.Body.Span);
        return same ? true : throw new SpoolException(SpoolFault.IdConflict, _file.Path,
            $"a message with the id {id} and other content is already in the spool", "give each message an id of its own, or leave the id out");
    }

    private void Prepare_NeedsTransaction(SqliteConnection connection)
    {
        if (ReferenceEquals(_preparedFor, connection))
        {
            return;
        }

        DisposeStatements();
        _selectSettings = SpoolLimits.Select(connection);
        _selectById = connection.Prepare("SELECT exchange, routing_key, properties, body FROM message WHERE id = $id", "$id");
        _insert = connection.Prepare(
            """
            INSERT INTO message (id, exchange, routing_key, properties, expires_at, created_at, body)
            VALUES ($id, $exchange, $routingKey, $properties, $expiresAt, $createdAt, $body)
            """,
            "$id", "$exchange", "$routingKey", "$properties", "$expiresAt", "$createdAt", "$body");
        _preparedFor = connection;
    }

    private void DisposeStatements()
    {
        if (_preparedFor is not null)
        {
            _selectSettings.Dispose();
            _selectById.Dispose();
            _insert.Dispose();
            _preparedFor = null;
        }
    }

    private static byte[] Bytes(ReadOnlyMemory<byte> body) =>
        System.Runtime.InteropServices.MemoryMarshal.TryGetArray(body, out ArraySegment<byte> segment)
            && segment.Array is { } array && segment.Offset == 0 && segment.Count == array.Length
            ? array
            : body.ToArray();
}
