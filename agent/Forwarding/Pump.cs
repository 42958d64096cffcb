using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Agent.Broker;
using Quickq.Agent.Feed;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Spool;

namespace Quickq.Agent.Forwarding;

/// <summary>The forwarder's loop on one connection: moves messages from the feed to the publishers, works off what the broker says, and waits without polling.</summary>
internal sealed class Pump(ServerSettings settings, ForwarderParts parts, InFlightWindow window, PublisherSet publishers, ServerState state)
    : IDisposable
{
    /// <summary>While the window is full: so long until marks of the spool are looked at without a reason.</summary>
    private static readonly TimeSpan LookMeanwhile = TimeSpan.FromSeconds(1);

    private const int MaxPage = 256;

    /// <summary>So many bytes of bodies are read at once: a small part of what is allocated between two garbage collections, so that few of them live through one.</summary>
    private const long MaxPageBytes = 256 * 1024;

    private readonly MessageEncoding _encoding = new(settings.Exchange, parts.Expiry);
    private readonly int _worthwhileRoom = Math.Max(1, Math.Min(MaxPage, settings.Window / 4));
    private readonly long _worthwhileBytes = Math.Max(1, settings.WindowBytes / 4);
    private SpoolFeed? _feed;
    private Task _meanwhile = Task.CompletedTask;
    private readonly LoopTimer _timer = new(parts.Clock, publishers.Wake);

    /// <summary>Runs on one connection until it is lost or the agent stops.</summary>
    /// <exception cref="BrokerUnavailableException">The connection broke a deadline.</exception>
    public async Task RunAsync(BrokerConnection connection, CancellationToken stopTaking)
    {
        connection.BlockedChanged += () => NoteBlocking(connection);

        // Whatever happens comes by one way: a wait for nothing in particular costs no timer and no task for each thing that may end it.
        using IDisposable changes = parts.Signal.Subscribe(publishers.SpoolChanged);
        await using CancellationTokenRegistration end = stopTaking.Register(publishers.Wake);
        _ = connection.Lost.ContinueWith(_ => publishers.Wake(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        _feed?.GoBackToStart();
        bool troubled = false;
        while (!stopTaking.IsCancellationRequested && !connection.Lost.IsCompleted)
        {
            publishers.Changed.Reset();
            publishers.TakeAnswers();
            parts.LoopLiveness.Waits("reading the spool", LoopLiveness.SlowDisk);
            try
            {
                await StepAsync(connection, stopTaking);
                troubled = false;
            }
            catch (Exception trouble) when (trouble is SqliteException or SpoolException)
            {
                // Nothing was lost: what is pending is read again. One line for the trouble, not one for each attempt.
                if (!troubled)
                {
                    parts.Log.FeedMustWait(trouble.Message);
                }

                troubled = true;
                parts.Ledger.Health.Note(trouble);
                parts.Signal.File.Reset();
                _feed = null;
                await WaitAsync(connection, stopTaking, "to read the spool again", SpoolFeed.RetryAfter);
            }
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        _feed?.Dispose();
    }

    private async Task StepAsync(BrokerConnection connection, CancellationToken stopTaking)
    {
        _feed ??= new SpoolFeed(parts.Signal.File, parts.ServerId) { LargestBytes = parts.MaxBodyBytes };
        if (_feed.FollowReplacement())
        {
            parts.Ledger.Health.Replaced.Set();
        }

        if (_feed.ReadMarks() is not { } marks)
        {
            // The spool was replaced and the servers are not known to the new one yet: this forwarder is replaced too.
            await WaitAsync(connection, stopTaking, "to read the spool again", limit: SpoolFeed.RetryAfter);
            return;
        }

        if (marks.Barrier != long.MaxValue)
        {
            parts.Ledger.Unassigned.Set(); // a foreign program may have put it there: nobody else says so
        }

        if (marks.Rewind is not null)
        {
            await LookBackAsync(_feed);
        }

        if (StopReason(connection, marks) is { } waiting)
        {
            state.Set(waiting.State, connection, waiting.Reason);
            await WaitAsync(connection, stopTaking, waiting.State);
            return;
        }

        state.Set("connected", connection);
        await TendAsync(connection, _feed, marks, stopTaking);
        (int count, long bytes) = window.Room();
        if (count < _worthwhileRoom || bytes < _worthwhileBytes || publishers.Flows.MustWait)
        {
            // Not for the spool: the ledger's own commits would wake the signal's thread again and again.
            await WaitAsync(connection, stopTaking, "for confirms", LookMeanwhile, publishers.Flows.MustWait ? null : window.WaitForRoomAsync(_worthwhileRoom, _worthwhileBytes));
            return;
        }

        bool readAside = await PublishAsideAsync(connection, _feed, marks.Barrier, stopTaking);
        (count, bytes) = window.Room();
        if (count == 0 || publishers.Flows.MustWait)
        {
            return;
        }

        window.BeginPage();
        IReadOnlyList<FeedMessage> page = _feed.Next(PageSize(count), Math.Min(bytes, MaxPageBytes), marks.Barrier, publishers.Flows.PassBy(_feed.Position));
        bool isPublished = await PublishAsync(connection, page, aside: null, stopTaking);
        if (isPublished && !readAside && _feed.IsAtEnd)
        {
            // What was committed since the look began says so.
            _timer.Set(publishers.DueIn);
            await WaitAsync(connection, stopTaking, "for messages");
        }
        else if (parts.Signal.IsOwnThread)
        {
            // One page may be sent on the signal's thread; a pump that has more goes on in the pool, and the other servers do not wait for it.
            await Task.Yield();
        }
    }

    /// <summary>Where one message at a time may be out no more are read.</summary>
    private int PageSize(int room) => publishers.Flows.IsIsolating ? 1 : Math.Min(room, MaxPage);

    /// <summary>What was passed by and may be sent now. True if something was read.</summary>
    private async Task<bool> PublishAsideAsync(BrokerConnection connection, SpoolFeed feed, long barrier, CancellationToken stopTaking)
    {
        bool any = false;
        foreach (MessageFlow flow in publishers.Flows.ReadingAside())
        {
            (int count, long bytes) = window.Room();
            if (count == 0 || !publishers.Flows.MaySend(flow) || flow.WaitingFrom is not { } from)
            {
                continue;
            }

            window.BeginPage();
            FeedStretch stretch = feed.ReadAside(from - 1, Math.Min(PageSize(count), flow.Room), Math.Min(bytes, MaxPageBytes), barrier, publishers.Flows.OnlyOf(flow));
            if (stretch.IsAtEnd)
            {
                // What comes from now on is the feed's to hand out.
                flow.StopWaiting();
                feed.GoBackBefore(stretch.UpTo + 1);
                continue;
            }

            any = true;
            flow.ReadUpTo(stretch.UpTo);
            await PublishAsync(connection, stretch.Messages, flow, stopTaking);
        }

        return any;
    }

    private static (string State, string? Reason)? StopReason(BrokerConnection connection, FeedMarks marks) =>
        marks.Paused ? ("paused", null)
        : connection.BlockedReason is { } blocked ? ("blocked", blocked)
        : null;

    /// <summary>Publishes what may be sent. False when some of the page must be read again.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="page">Messages in order.</param>
    /// <param name="aside">The flow that read them for itself; null for the feed.</param>
    /// <param name="stopTaking">The agent stops, or the connection is to end.</param>
    private async ValueTask<bool> PublishAsync(BrokerConnection connection, IReadOnlyList<FeedMessage> page, MessageFlow? aside, CancellationToken stopTaking)
    {
        bool all = true;
        foreach (FeedMessage message in page)
        {
            if (stopTaking.IsCancellationRequested || connection.BlockedReason is not null || state.IsPaused)
            {
                aside?.WaitFrom(message.Seq);
                _feed!.GoBackBefore(aside is null ? message.Seq : long.MaxValue);
                return false;
            }

            if (aside?.WaitingFrom <= message.Seq)
            {
                return false; // an earlier one was left just now: from there on all is read again
            }

            if (!publishers.Flows.Accepts(message, _encoding.ExchangeOf(message), aside))
            {
                all = false;
            }
            else if (window.Enter(message))
            {
                ValueTask publishing = PublishAsync(connection, message);
                if (publishing.IsCompleted)
                {
                    await publishing;
                }
                else
                {
                    await LookMeanwhileAsync(connection, publishing.AsTask());
                }
            }
        }

        return all;
    }

    /// <summary>While the broker does not read, this may take as long as an alarm: what an operator says is seen all the same.</summary>
    private async Task LookMeanwhileAsync(BrokerConnection connection, Task publishing)
    {
        while (!publishing.IsCompleted)
        {
            if (_meanwhile.IsCompleted)
            {
                _meanwhile = Task.Delay(LookMeanwhile, parts.Clock, CancellationToken.None);
            }

            publishers.Changed.Reset();
            publishers.TakeAnswers(forSpool: false);
            publishers.LookMeanwhile(connection);
            await Task.WhenAny(publishing, publishers.Changed.Next, _meanwhile);
            await LeaveReaderAsync();
            if (_meanwhile.IsCompleted && IsPaused())
            {
                state.Set("paused", connection);
            }
        }

        publishers.Wake();
        await publishing;
    }

    private bool IsPaused()
    {
        try
        {
            return _feed!.ReadMarks() is { Paused: true };
        }
        catch (Exception trouble) when (trouble is SqliteException or SpoolException)
        {
            return false; // the loop meets the same trouble when the publish has ended, and says so
        }
    }

    private async ValueTask PublishAsync(BrokerConnection connection, FeedMessage message)
    {
        if (_encoding.IsExpired(message))
        {
            publishers.Settle(message, PublishOutcome.Expired, "its time to live ran out");
        }
        else if (_encoding.Encode(message, message.TakeBody(), out string? fault) is { } encoded)
        {
            await publishers.PublishAsync(connection, message, encoded);
        }
        else
        {
            publishers.Settle(message, PublishOutcome.Unencodable, fault);
        }
    }

    private async ValueTask TendAsync(BrokerConnection connection, SpoolFeed feed, FeedMarks marks, CancellationToken stopTaking)
    {
        if (publishers.Silence > HangingQueues.Deadline)
        {
            connection.GiveUp(string.Create(CultureInfo.InvariantCulture, $"no confirm came for {HangingQueues.Deadline.TotalSeconds:0} s"));
            throw new BrokerUnavailableException(await connection.Lost);
        }

        if (marks.ProbeWanted)
        {
            (IReadOnlyList<string> exchanges, IReadOnlyList<(string Exchange, string RoutingKey)> keys) = await TakeProbeWishesAsync();
            publishers.ProbeNow(exchanges, keys);
        }

        ValueTask tending = publishers.TendAsync(connection);
        if (tending.IsCompleted)
        {
            await tending;
        }
        else
        {
            await LookMeanwhileAsync(connection, tending.AsTask());
        }

        if (publishers.Flows.TakeRewind() is { } seq)
        {
            feed.GoBackBefore(seq);
        }
    }

    /// <summary>What an operator asks for is done once.</summary>
    private Task<(IReadOnlyList<string> Exchanges, IReadOnlyList<(string Exchange, string RoutingKey)> Keys)> TakeProbeWishesAsync() =>
        parts.Ledger.RunAsync(connection => SuspensionRecord.TakeProbeWishes_NeedsTransaction(connection, parts.ServerId, parts.Clock.NowMicroseconds()));

    private void NoteBlocking(BrokerConnection connection)
    {
        if (connection.BlockedReason is { } reason)
        {
            // At once: the loop may be waiting for the broker to read.
            state.Set("blocked", connection, reason);
        }
        else
        {
            // What was out while the broker read nothing is overdue by no fault of anybody: its time begins now.
            publishers.ResetConfirmTimeout();
        }

        publishers.Wake();
    }

    /// <summary>Takes the mark away first and only then looks back: what is made pending from now on sets it anew.</summary>
    private async Task LookBackAsync(SpoolFeed feed)
    {
        parts.LoopLiveness.Waits("for the ledger");
        long? rewind = await parts.Ledger.RunAsync(connection =>
        {
            long? mark = connection.ReadNumberOrNull("SELECT rewind FROM server WHERE id = $id", ("$id", parts.ServerId));
            connection.Execute("UPDATE server SET rewind = NULL WHERE id = $id", ("$id", parts.ServerId));
            return mark;
        });
        if (rewind is { } seq)
        {
            feed.GoBackBefore(seq);
            publishers.Flows.LookBack(seq);
        }
    }

    /// <summary>Reads no more, and works off what the broker says until nothing is in flight or the connection is gone.</summary>
    public async Task AwaitConfirmsAsync(BrokerConnection connection)
    {
        Task empty = window.WaitUntilEmptyAsync();
        while (!empty.IsCompleted && !connection.Lost.IsCompleted)
        {
            publishers.Changed.Reset();
            publishers.TakeAnswers();
            await Task.WhenAny(empty, publishers.Changed.Next, connection.Lost);
            await LeaveReaderAsync();
        }
    }

    /// <summary>Waits for any of: a change of the spool, what follows from a word of the broker, the connection's or the agent's end, the limit, the condition.</summary>
    private async Task WaitAsync(BrokerConnection connection, CancellationToken stopTaking, string reason, TimeSpan? limit = null, Task? condition = null)
    {
        // Whatever it waits for: the signal's slow poll or the limit turns the loop.
        parts.LoopLiveness.Waits(reason, SpoolSignal.SlowPoll);
        if (limit is null && condition is null)
        {
            while (!stopTaking.IsCancellationRequested && !connection.Lost.IsCompleted && !publishers.TakeAnswers(forSpool: true))
            {
                // Confirms alone are settled here: for them the spool need not be looked at.
                await publishers.Changed.Next;
                publishers.Changed.Reset();
            }

            await LeaveReaderAsync();
            return;
        }

        using var ends = CancellationTokenSource.CreateLinkedTokenSource(stopTaking);
        Task end = Task.Delay(limit ?? Timeout.InfiniteTimeSpan, parts.Clock, ends.Token);
        condition ??= end;
        while (!end.IsCompleted && !condition.IsCompleted && !connection.Lost.IsCompleted && !publishers.TakeAnswers(forSpool: false))
        {
            await Task.WhenAny(publishers.Changed.Next, condition, end);
            publishers.Changed.Reset();
        }

        await ends.CancelAsync();
        await LeaveReaderAsync();
    }

    /// <summary>What takes more than a moment is not done on the thread that reads from the broker. On the signal's thread it is: one page at most.</summary>
    private async ValueTask LeaveReaderAsync()
    {
        if (!parts.Signal.IsOwnThread)
        {
            await Task.Yield();
        }
    }
}
