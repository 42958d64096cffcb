using System.Runtime.ExceptionServices;
using System.Text;
using System.Text.Json;
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
    private List<string>? _knownServers;
    private SqliteCommand _selectSettings = null!;
    private SqliteCommand _selectById = null!;
    private SqliteCommand _insert = null!;
    private SqliteCommand _begin = null!;
    private SqliteCommand _end = null!;

    private SpoolWriter(SpoolFile file, TimeProvider clock)
    {
        _file = file;
        _clock = clock;
        Refusals = new RefusedAdds(clock);
    }

    /// <summary>Opens the spool at <paramref name="path"/>, making it when there is none (its folder must exist).</summary>
    /// <exception cref="SpoolException">Not a spool, no permission, cannot be made, unsuitable file system.</exception>
    public static SpoolWriter Open(string path) => Open(path, TimeProvider.System);

    /// <summary>Also stores messages for servers that the spool never knew: what is imported from elsewhere waits for them.</summary>
    internal bool KeepsUnknownServers { get; set; }

    /// <summary>Counts what it refuses; a service has one for all its writers.</summary>
    internal RefusedAdds Refusals { get; set; }

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
            MessageRules.Check(message, _file.Path);
        }

        stored = 0;
        if (messages.Count == 0)
        {
            return [];
        }

        var request = new AppendRequest(messages);
        AppendRequests(() => [request]);
        if (request.Refusal is { } refusal)
        {
            ExceptionDispatchInfo.Throw(refusal);
        }

        stored = request.Stored;
        return request.Ids;
    }

    /// <summary>
    /// Appends the requests that <paramref name="take"/> gives in one transaction: each is stored whole or refused by itself. They are durable on return.
    /// </summary>
    /// <param name="take">Called once, with the lock held: what has arrived until then can be in it. <see cref="MessageRules.Check"/> has passed each message.</param>
    /// <param name="stop">Ends the wait for the lock; a lock that is free is taken all the same.</param>
    /// <exception cref="SpoolException">The spool could not take them; none was stored.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> ended the wait; nothing was stored.</exception>
    internal void AppendRequests(Func<IReadOnlyList<AppendRequest>> take, CancellationToken stop = default)
    {
        _file.Write(connection =>
        {
            Prepare_NeedsTransaction(connection);
            SpoolLimits limits = SpoolLimits.Read(_selectSettings, _file.Path);
            SpoolSchema.RequireWritable(connection, _file.Path, limits);
            FreeSpace room = FreeSpace.Read(connection, _file.Path);
            _knownServers = null;
            long incoming = 0;
            foreach (AppendRequest request in take())
            {
                incoming += AppendRequest_NeedsTransaction(connection, request, limits, room, incoming);
            }

            Refusals.Write_NeedsTransaction(connection, withOthers: incoming > 0);
            return incoming;
        }, stop);
        Refusals.Written();
    }

    /// <summary>Returns the bytes that it added to the spool.</summary>
    private long AppendRequest_NeedsTransaction(SqliteConnection connection, AppendRequest request, SpoolLimits limits, FreeSpace room, long before)
    {
        _begin.ExecuteNonQuery();
        long added = 0;
        try
        {
            foreach (OutgoingMessage message in request.Messages)
            {
                MessageRules.CheckSize(message, limits.MaxMessageSize, _file.Path);
                RequireKnownServers_NeedsTransaction(connection, message);
                if (message.Id is { } own && RequireSameContent_NeedsTransaction(own, message))
                {
                    request.Found(own);
                    continue;
                }

                string properties = message.Properties.ToJson();
                added += message.Body.Length + Encoding.UTF8.GetByteCount(message.RoutingKey) + Encoding.UTF8.GetByteCount(properties);
                limits.RequireFreeSpace(room, _file.Path, before + added);
                request.Added(Insert_NeedsTransaction(message, properties, request.AddedBy));
            }

            _end.ExecuteNonQuery();
            return added;
        }
        catch (SpoolException refusal) when (refusal.Fault is SpoolFault.InvalidMessage or SpoolFault.IdConflict or SpoolFault.UnknownServer or SpoolFault.Full)
        {
            request.Refuse(refusal);
            Refusals.Count(refusal.Fault is SpoolFault.Full ? request.Messages.Count : 0);
        }
        catch (SqliteException failure) when (SqliteFailure.Translate(failure, _file.Path) is { Fault: SpoolFault.InvalidMessage } refusal)
        {
            request.Refuse(refusal);
        }

        connection.Execute("ROLLBACK TO request; RELEASE request");
        return 0;
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

    /// <summary>A name that no server ever had is a mistyped one: nobody would get the message. A spool that never knew a server cannot tell.</summary>
    private void RequireKnownServers_NeedsTransaction(SqliteConnection connection, OutgoingMessage message)
    {
        if (message.Servers is null || KeepsUnknownServers)
        {
            return;
        }

        _knownServers ??= connection.ReadRows("SELECT name FROM server ORDER BY name", static row => row.TextOrNull(0) ?? "");
        if (_knownServers.Count > 0 && message.Servers.FirstOrDefault(name => !_knownServers.Contains(name, StringComparer.Ordinal)) is { } unknown)
        {
            throw new SpoolException(SpoolFault.UnknownServer, _file.Path, $"there is no server '{SafeText.OneLine(unknown)}'; nothing was stored", $"the servers are {string.Join(", ", _knownServers)}");
        }
    }

    private string Insert_NeedsTransaction(OutgoingMessage message, string properties, uint? addedBy)
    {
        // A time before 1970 has no form in a UUID.
        DateTimeOffset time = _clock.GetUtcNow();
        time = time < DateTimeOffset.UnixEpoch ? DateTimeOffset.UnixEpoch : time;
        long now = SpoolTime.ToMicroseconds(time);
        string id = message.Id ?? Guid.CreateVersion7(time).ToString("D");
        _insert.Set("$id", id)
            .Set("$exchange", message.Exchange)
            .Set("$routingKey", message.RoutingKey)
            .Set("$properties", properties)
            .Set("$expiresAt", message.ExpiresAt is { } end ? SpoolTime.ToMicroseconds(end)
                : message.TimeToLive is { } ttl ? now + (ttl.Ticks / TimeSpan.TicksPerMicrosecond) : null)
            .Set("$createdAt", message.CreatedAt is { } earlier ? SpoolTime.ToMicroseconds(earlier) : now)
            .Set("$servers", TargetServers.Store(message.Servers))
            .Set("$addedBy", (long?)addedBy)
            .Set("$body", Bytes(message.Body));
        _insert.ExecuteNonQuery();
        return id;
    }

    /// <summary>False: the id is new. True: the same message is there already. Otherwise it is refused.</summary>
    private bool RequireSameContent_NeedsTransaction(string id, OutgoingMessage message)
    {
        using SqliteDataReader found = _selectById.Set("$id", id).ExecuteReader();
        if (!found.Read())
        {
            return false;
        }

        return IsSame(found, message) ? true : throw new SpoolException(SpoolFault.IdConflict, _file.Path,
            $"a message with the id {id} and other content is already in the spool", "give each message an id of its own, or leave the id out");
    }

    private static bool IsSame(SqliteDataReader found, OutgoingMessage message)
    {
        try
        {
            return string.Equals(found.TextOrNull(0), message.Exchange, StringComparison.Ordinal)
                && TargetServers.AreSame(found.TextOrNull(4), message.Servers)
                && string.Equals(found.GetString(1), message.RoutingKey, StringComparison.Ordinal)
                && MessageProperties.FromJson(found.GetString(2)).HasSameContent(message.Properties)
                && found.GetFieldValue<byte[]>(3).AsSpan().SequenceEqual(message.Body.Span);
        }
        catch (Exception unreadable) when (unreadable is JsonException or InvalidCastException)
        {
            return false; // stored by another program, in a form that no Quickq program stores
        }
    }

    private void Prepare_NeedsTransaction(SqliteConnection connection)
    {
        if (ReferenceEquals(_preparedFor, connection))
        {
            return;
        }

        DisposeStatements();
        _selectSettings = SpoolLimits.Select(connection);
        _selectById = connection.Prepare("SELECT exchange, routing_key, properties, body, servers FROM message WHERE id = $id", "$id");
        _insert = connection.Prepare(
            """
            INSERT INTO message (id, exchange, routing_key, properties, expires_at, created_at, body, servers, added_by)
            VALUES ($id, $exchange, $routingKey, $properties, $expiresAt, $createdAt, $body, $servers, $addedBy)
            """,
            "$id", "$exchange", "$routingKey", "$properties", "$expiresAt", "$createdAt", "$body", "$servers", "$addedBy");
        _begin = connection.Prepare("SAVEPOINT request");
        _end = connection.Prepare("RELEASE request");
        _preparedFor = connection;
    }

    private void DisposeStatements()
    {
        if (_preparedFor is not null)
        {
            _selectSettings.Dispose();
            _selectById.Dispose();
            _insert.Dispose();
            _begin.Dispose();
            _end.Dispose();
            _preparedFor = null;
        }
    }

    private static byte[] Bytes(ReadOnlyMemory<byte> body) =>
        System.Runtime.InteropServices.MemoryMarshal.TryGetArray(body, out ArraySegment<byte> segment)
            && segment.Array is { } array && segment.Offset == 0 && segment.Count == array.Length
            ? array
            : body.ToArray();
}
