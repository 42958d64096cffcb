using System.Text.Json;
using Quickq.Spool.Service;

namespace Quickq.Spool;

/// <summary>Appends messages through the spool service, for accounts that do not own the spool.</summary>
/// <remarks>
/// <para>What an append returns from is durable, as for <see cref="SpoolWriter"/>. The first call connects; where nobody listens it tries
/// for 5 s (<see cref="SpoolFault.Busy"/>). A connection that the service closed while nothing was asked is opened again at the next call.</para>
/// <para>An append waits 40 s for its answer. When the answer does not come, or the connection breaks, it connects again and repeats the request once,
/// under the same ids: what was stored the first time is not stored twice. If that fails too it throws <see cref="SpoolFault.Unanswered"/>.</para>
/// <para>Belongs to one thread at a time; any number of clients may use one service.</para>
/// </remarks>
public sealed class SpoolClient : ISpoolProducer
{
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(40), WaitStep = TimeSpan.FromSeconds(1);

    private readonly SpoolLocation _service;
    private readonly TimeSpan _answerLimit;
    private ServiceConnection? _connection;

    internal SpoolClient(SpoolLocation service, TimeSpan? answerLimit = null)
    {
        _service = service;
        _answerLimit = answerLimit ?? AnswerLimit;
    }

    /// <summary>A client of the service that listens at <paramref name="socketPath"/>. Nothing is sent before the first call.</summary>
    /// <param name="socketPath">The socket; for the spool of a host <c>/run/quickq/spool.sock</c>.</param>
    /// <param name="spoolPath">The spool that is meant: a service of another one refuses (<see cref="SpoolFault.NotFound"/>). Null: whichever it serves.</param>
    public static SpoolClient Open(string socketPath, string? spoolPath = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(socketPath);
        return new SpoolClient(SpoolLocation.Service(Path.GetFullPath(socketPath), spoolPath is null ? null : SpoolPath.FollowLinks(spoolPath)));
    }

    /// <inheritdoc/>
    public string Append(OutgoingMessage message) => AppendMany([message])[0];

    /// <inheritdoc/>
    /// <remarks>At most 10,000 messages and 64 MiB in one call.</remarks>
    public IReadOnlyList<string> AppendMany(IReadOnlyList<OutgoingMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        string[] ids = new string[messages.Count];
        var named = new OutgoingMessage[messages.Count];
        for (int i = 0; i < ids.Length; i++)
        {
            ArgumentNullException.ThrowIfNull(messages[i], nameof(messages));
            MessageRules.Check(messages[i], _service.Name);
            named[i] = messages[i].Id is null ? messages[i] with { Id = Guid.CreateVersion7().ToString("D") } : messages[i];
            ids[i] = named[i].Id!;
        }

        if (ids.Length > 0)
        {
            Ask(Encode(named), ids, Array.Exists(named, message => message.Servers is not null) ? ProtocolContext.VersionWithServers : 1);
        }

        return ids;
    }

    /// <summary>Waits until every active server has the messages with these ids, or some server will not get one of them.</summary>
    /// <param name="ids">The messages.</param>
    /// <param name="timeout">So long at most; null waits without an end, zero looks once.</param>
    /// <param name="cancellation">Ends the wait, within a second.</param>
    /// <returns>How far they have come: <see cref="SettlementProgress.Pending"/> when the time was over first.</returns>
    /// <remarks>Costs nothing while nothing happens. Delivery goes on whether anybody waits or not.</remarks>
    /// <exception cref="SpoolException"><see cref="SpoolFault.NotFound"/> when one is not in the spool.</exception>
    /// <exception cref="OperationCanceledException">The wait was ended.</exception>
    public SettlementProgress WaitForDelivery(IReadOnlyCollection<string> ids, TimeSpan? timeout = null, CancellationToken cancellation = default) =>
        Wait(ids, timeout, cancellation).Progress;

    /// <summary>What became of one message, or null when it is not in the spool.</summary>
    public MessageStatus? ReadStatus(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        byte[] request = JsonSerializer.SerializeToUtf8Bytes(new StatusRequest([id]), ProtocolContext.Default.StatusRequest);
        return StatusAnswer.ReadMessage(Ask(Frame.Encode(FrameKind.Status, request), ids: []), _service);
    }

    /// <summary>Closes the connection.</summary>
    public void Dispose() => Disconnect();

    /// <summary>Waits, and says of each message that is not everywhere where it stands.</summary>
    internal (SettlementProgress Progress, IReadOnlyList<MessageStatus?> Messages) Wait(IReadOnlyCollection<string> ids, TimeSpan? timeout, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var whole = new Deadline(timeout ?? Timeout.InfiniteTimeSpan);
        var messages = new List<MessageStatus?>();
        foreach (string[] part in ids.Chunk(ProtocolContext.MaxIds))
        {
            (SettlementProgress progress, IReadOnlyList<MessageStatus?> found) = WaitForPart(part, whole, cancellation);
            messages.AddRange(found);
            if (progress != SettlementProgress.Delivered)
            {
                return (progress, messages);
            }
        }

        return (SettlementProgress.Delivered, messages);
    }

    private (SettlementProgress Progress, IReadOnlyList<MessageStatus?> Messages) WaitForPart(string[] ids, Deadline whole, CancellationToken cancellation)
    {
        int lostAtOnce = 0;
        while (true)
        {
            int left = whole.LeftMilliseconds();
            var patience = new Deadline(left < 0 ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(left) + _answerLimit);
            var request = new WaitRequest(ids, Timeout: left < 0 ? null : left / 1000.0);
            byte[] frame = Frame.Encode(FrameKind.Wait, JsonSerializer.SerializeToUtf8Bytes(request, ProtocolContext.Default.WaitRequest));
            var attempt = new Deadline(WaitStep);
            try
            {
                return StatusAnswer.ReadWait(Exchange(frame, patience, ids: [], cancellation), _service);
            }
            catch (ServiceLostException lost)
            {
                // A restart of the service ends no wait; one that closes at once, twice, is asked no more.
                Disconnect();
                lostAtOnce = attempt.LeftMilliseconds() > 0 ? lostAtOnce + 1 : 0;
                if (lostAtOnce > 1 || patience.LeftMilliseconds() == 0)
                {
                    throw new SpoolException(SpoolFault.Busy, _service.Name, $"the spool service does not answer: {lost.Message}", "delivery goes on; wait again later", lost);
                }
            }
        }
    }

    private byte[] Encode(OutgoingMessage[] messages)
    {
        try
        {
            return Frame.Encode(FrameKind.Add, AddPayload.Encode(messages));
        }
        catch (ProtocolException tooLarge)
        {
            throw new SpoolException(SpoolFault.InvalidMessage, _service.Name, tooLarge.Message, "append fewer or smaller messages at once", tooLarge);
        }
    }

    /// <summary>Asks, and once again under the same ids where the answer is lost.</summary>
    private byte[] Ask(byte[] request, IReadOnlyList<string> ids, int version = 1)
    {
        try
        {
            return Exchange(request, new Deadline(_answerLimit), ids, CancellationToken.None, version);
        }
        catch (ServiceLostException)
        {
            Disconnect();
        }

        try
        {
            return Exchange(request, new Deadline(_answerLimit), ids, CancellationToken.None, version);
        }
        catch (ServiceLostException lost)
        {
            Disconnect();
            throw Unanswered(ids, lost.Message, lost);
        }
        catch (SpoolException refused) when (_connection is null)
        {
            // Nobody looked at the repeat: the first request may still have been stored.
            throw Unanswered(ids, refused.Message, refused);
        }
    }

    private SpoolException Unanswered(IReadOnlyList<string> ids, string reason, Exception inner) => ids.Count == 0
        ? new SpoolException(SpoolFault.Busy, _service.Name, $"the spool service does not answer: {reason}", "try again later", inner)
        : new SpoolException(SpoolFault.Unanswered, _service.Name,
            $"the spool service does not answer: {reason}. {(ids.Count == 1 ? $"The message may have been stored, its id is {ids[0]}" : $"{ids.Count} messages may have been stored, the first id is {ids[0]}")}",
            "repeat with the same id: a message that is stored already is not stored twice", inner)
        {
            MessageIds = ids,
        };

    /// <summary>One request and its answer; to what adds messages one that names each of their <paramref name="ids"/>.</summary>
    /// <exception cref="SpoolException">The service refused it, or cannot be reached: <see cref="_connection"/> is null then.</exception>
    /// <exception cref="ServiceLostException">What became of the request is not known.</exception>
    private byte[] Exchange(byte[] request, Deadline deadline, IReadOnlyList<string> ids, CancellationToken cancellation, int version = 1)
    {
        try
        {
            ServiceConnection connection = Connected();
            if (version > 1)
            {
                connection.RequireVersion(version, deadline);
            }

            connection.Send(request, deadline);
            while (cancellation.CanBeCanceled && !connection.IsReadable(WaitStep) && deadline.LeftMilliseconds() != 0)
            {
                if (cancellation.IsCancellationRequested)
                {
                    // The way to stop waiting is to leave.
                    Disconnect();
                    cancellation.ThrowIfCancellationRequested();
                }
            }

            byte[] answer = connection.Receive(deadline, out byte kind).ToArray();
            return kind == FrameKind.Answer && (ids.Count == 0 || StatusAnswer.Confirms(answer, ids))
                ? answer
                : throw new ServiceLostException("what answers is not a spool service: it does not confirm what was sent");
        }
        catch (ServiceRefusedException refused)
        {
            if (refused.IsOfConnection)
            {
                Disconnect();
            }

            throw refused.ToSpoolException(_service);
        }
    }

    private ServiceConnection Connected()
    {
        if (_connection is { } open && !open.Socket.IsIdle())
        {
            Disconnect();
        }

        return _connection ??= ServiceConnection.Open(_service);
    }

    private void Disconnect()
    {
        _connection?.Dispose();
        _connection = null;
    }
}
