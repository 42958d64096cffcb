using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Agent.Broker;
using Quickq.Agent.Feed;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Spool;

namespace Quickq.Agent.Forwarding;

/// <summary>Moves messages from the feed into the lanes of one connection, as far as the window has room. Waits without polling when there is nothing to do.</summary>
internal sealed class Pump(ServerSettings settings, ForwarderParts parts, InFlightWindow window, LaneSet lanes, ServerState state)
    : IDisposable
{
    /// <summary>So long without any answer to what is out, and the connection is given up. Not counted while the broker blocks.</summary>
    private static readonly TimeSpan ConfirmDeadline = TimeSpan.FromSeconds(60);

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

    /// <summary>Runs on one connection until it is lost or the agent stops.</summary>
    /// <exception cref="BrokerUnavailableException">The connection broke a deadline.</exception>
    public async Task RunAsync(BrokerConnection connection, CancellationToken stopTaking)
    {
        connection.BlockedChanged += () => NoteBlocking(connection);

        // Whatever happens comes by one way: a wait for nothing in particular costs no timer and no task for each thing that may end it.
        using IDisposable changes = parts.Signal.Subscribe(lanes.Changed.SetHere);
        await using CancellationTokenRegistration end = stopTaking.Register(lanes.Changed.Set);
        _ = connection.Lost.ContinueWith(_ => lanes.Changed.Set(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        _feed?.GoBackToStart();
        bool troubled = false;
        while (!stopTaking.IsCancellationRequested && !connection.Lost.IsCompleted)
        {
            lanes.Changed.Reset();
            parts.Pulse.Waits("reading the spool", Pulse.SlowDisk);
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

    public void Dispose() => _feed?.Dispose();

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
        await AdvanceLanesAsync(connection, _feed, marks);
        (int count, long bytes) = window.Room();
        if (count < _worthwhileRoom || bytes < _worthwhileBytes)
        {
            // Not for the spool: the ledger's own commits would wake the signal's thread again and again.
            await WaitAsync(connection, stopTaking, "for confirms", LookMeanwhile, window.WaitForRoomAsync(_worthwhileRoom, _worthwhileBytes));
            return;
        }

        window.BeginPage();
        IReadOnlyList<FeedMessage> page = _feed.Next(Math.Min(count, MaxPage), Math.Min(bytes, MaxPageBytes), marks.Barrier, lanes.PassBy(_feed.Position));
        bool isPublished = await PublishAsync(connection, page, stopTaking);
        if (isPublished && _feed.IsAtEnd)
        {
            // What was committed since the look began says so.
            await WaitAsync(connection, stopTaking, "for messages", lanes.DueIn);
        }
        else if (!Thread.CurrentThread.IsThreadPoolThread)
        {
            // One page may be sent on the signal's thread; whoever has more goes on in the pool, and the other servers do not wait for it.
            await Task.Yield();
        }
    }

    private static (string State, string? Reason)? StopReason(BrokerConnection connection, FeedMarks marks) =>
        marks.Paused ? ("paused", null)
        : connection.BlockedReason is { } blocked ? ("blocked", blocked)
        : null;

    /// <summary>False when the rest of the page must be read again.</summary>
    private async ValueTask<bool> PublishAsync(BrokerConnection connection, IReadOnlyList<FeedMessage> page, CancellationToken stopTaking)
    {
        foreach (FeedMessage message in page)
        {
            Lane lane = lanes.For(_encoding.ExchangeOf(message), message.Seq);
            if (stopTaking.IsCancellationRequested || connection.BlockedReason is not null || state.IsPaused)
            {
                _feed!.GoBackBefore(message.Seq);
                return false;
            }

            if (!lane.Accepts)
            {
                lane.Skip(message.Seq);
            }
            else if (window.Enter(message))
            {
                ValueTask publishing = PublishAsync(connection, lane, message);
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

        return true;
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

            if (await Task.WhenAny(publishing, _meanwhile) == _meanwhile && IsPaused())
            {
                state.Set("paused", connection);
            }
        }

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

    private async ValueTask PublishAsync(BrokerConnection connection, Lane lane, FeedMessage message)
    {
        if (_encoding.IsExpired(message))
        {
            lane.Settle(message, PublishOutcome.Expired, "its time to live ran out");
        }
        else if (_encoding.Encode(message, message.TakeBody(), out string? fault) is { } encoded)
        {
            await lane.PublishAsync(connection, message, encoded);
        }
        else
        {
            lane.Settle(message, PublishOutcome.Unencodable, fault);
        }
    }

    private async ValueTask AdvanceLanesAsync(BrokerConnection connection, SpoolFeed feed, FeedMarks marks)
    {
        if (lanes.Silence > ConfirmDeadline)
        {
            connection.GiveUp(string.Create(CultureInfo.InvariantCulture, $"no confirm came for {ConfirmDeadline.TotalSeconds:0} s"));
            throw new BrokerUnavailableException(await connection.Lost);
        }

        if (marks.ProbeWanted)
        {
            lanes.ProbeNow(await TakeProbeWishesAsync());
        }

        lanes.DeferOverdue(ConfirmDeadline);
        foreach (Lane lane in lanes.All)
        {
            await lane.AdvanceAsync(connection, message => feed.ReadBody(message) is { } body ? _encoding.Encode(message, body, out _) : null);
            if (lane.TakeRewind() is { } seq)
            {
                feed.GoBackBefore(seq);
            }
        }
    }

    /// <summary>What an operator asks for is done once.</summary>
    private Task<IReadOnlyList<string>> TakeProbeWishesAsync() => parts.Ledger.RunAsync<IReadOnlyList<string>>(connection =>
    {
        List<string> wanted = connection.ReadRows(
            "SELECT exchange FROM suspension WHERE server = $id AND next_probe_at = 0", row => row.GetString(0), ("$id", parts.ServerId));
        connection.Execute(
            "UPDATE suspension SET next_probe_at = $now WHERE server = $id AND next_probe_at = 0", ("$id", parts.ServerId), ("$now", parts.Clock.NowMicroseconds()));
        return wanted;
    });

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
            lanes.ForgiveSilence();
        }

        lanes.Changed.Set();
    }

    /// <summary>Takes the mark away first and only then looks back: what is made pending from now on sets it anew.</summary>
    private async Task LookBackAsync(SpoolFeed feed)
    {
        parts.Pulse.Waits("for the ledger");
        long? rewind = await parts.Ledger.RunAsync(connection =>
        {
            long? mark = connection.ReadNumberOrNull("SELECT rewind FROM server WHERE id = $id", ("$id", parts.ServerId));
            connection.Execute("UPDATE server SET rewind = NULL WHERE id = $id", ("$id", parts.ServerId));
            return mark;
        });
        if (rewind is { } seq)
        {
            feed.GoBackBefore(seq);
        }
    }

    /// <summary>Waits for any of: a change of the spool, of the lanes or of the connection, the end, the limit, the condition.</summary>
    private async Task WaitAsync(BrokerConnection connection, CancellationToken stopTaking, string reason, TimeSpan? limit = null, Task? condition = null)
    {
        // Whatever it waits for: the signal's slow poll or the limit turns the loop.
        parts.Pulse.Waits(reason, SpoolSignal.SlowPoll);
        if (stopTaking.IsCancellationRequested || connection.Lost.IsCompleted)
        {
            return; // said before the loop forgot what it was told
        }

        if (limit is null && condition is null)
        {
            await lanes.Changed.Next;
            return;
        }

        using var ends = CancellationTokenSource.CreateLinkedTokenSource(stopTaking);
        Task end = Task.Delay(limit ?? Timeout.InfiniteTimeSpan, parts.Clock, ends.Token);
        await Task.WhenAny(lanes.Changed.Next, condition ?? end, end);
        await ends.CancelAsync();
    }
}
