using Quickq.Agent.Broker;

namespace Quickq.Agent.Forwarding;

/// <summary>Finds messages that get no answer although the broker answers: their queue hangs, and nobody waits for it. Belongs to the forwarder's loop.</summary>
/// <remarks>
/// That the broker answers is seen by later messages of the channel that were confirmed; where the channel is silent altogether the broker is asked, on another channel.
/// A broker that is slow, or reads nothing, answers that question as late as anything else, and no message is blamed.
/// </remarks>
internal sealed class HangingQueues(TimeProvider clock, ChannelSlots slots, Action wake)
{
    /// <summary>So long a message may be unanswered before it is suspected.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>So long until it is deferred; and so long without any sign of life until the connection is closed.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(500);

    private Task<bool>? _question;
    private long _askedAt;
    private long _lookedAt = clock.GetTimestamp();
    private long _forgivenAt = clock.GetTimestamp();

    /// <summary>The broker could not answer until now, or did just now: all times begin again. Any thread.</summary>
    public void Forgive() => Volatile.Write(ref _forgivenAt, clock.GetTimestamp());

    /// <summary>For how long the broker has given no sign of life at all, although messages are out; zero when none are.</summary>
    public TimeSpan Silence(IEnumerable<ExchangePublisher> publishers)
    {
        TimeSpan forgiven = clock.GetElapsedTime(Volatile.Read(ref _forgivenAt));
        return publishers.Min(publisher => publisher.Silence) is not { } silence ? TimeSpan.Zero : silence < forgiven ? silence : forgiven;
    }

    /// <summary>Until something may be overdue; null while nothing is out.</summary>
    public TimeSpan? DueIn(IEnumerable<ExchangePublisher> publishers)
    {
        TimeSpan? due = null;
        foreach (ExchangePublisher publisher in publishers)
        {
            if (publisher.OldestSentAt is { } sentAt && Patience - clock.GetElapsedTime(sentAt) is var left && (due is null || left < due))
            {
                due = left;
            }

            if (publisher.Overdue.FirstOrDefault(overdue => !overdue.IsDeferred) is { } overdue && Deadline - clock.GetElapsedTime(overdue.SentAt) is var toDefer && (due is null || toDefer < due))
            {
                due = toDefer;
            }
        }

        return due < BetweenLooks ? BetweenLooks : due;
    }

    /// <summary>Looks for what is overdue, asks the broker if need be, and defers what was for too long.</summary>
    /// <param name="connection">The connection in use; it is not blocked.</param>
    /// <param name="publishers">All of it.</param>
    /// <param name="window">So many deferred messages are remembered for a late confirm.</param>
    /// <param name="stopping">The agent stops.</param>
    public void Look(BrokerConnection connection, IReadOnlyCollection<ExchangePublisher> publishers, int window, CancellationToken stopping)
    {
        if (_question is { IsCompleted: true } answered)
        {
            _question = null;
            if (answered is { IsCompletedSuccessfully: true, Result: true })
            {
                Judge(publishers, _askedAt, silent: true);
                Forgive();
            }
        }

        if (clock.GetElapsedTime(_lookedAt) < BetweenLooks || clock.GetElapsedTime(Volatile.Read(ref _forgivenAt)) < Patience)
        {
            return;
        }

        _lookedAt = clock.GetTimestamp();
        Judge(publishers, _lookedAt, silent: false);
        long deadline = Before(_lookedAt, Deadline);
        foreach (ExchangePublisher publisher in publishers)
        {
            publisher.DeferOverdue(deadline, window);
        }

        if (_question is null && slots.IsFreeForQuestion(connection) && publishers.Any(publisher => publisher.Silence >= Patience))
        {
            _askedAt = _lookedAt;
            _question = AskAsync(connection, stopping);
        }
    }

    /// <summary>The connection is gone, and with it the question.</summary>
    public void ConnectionLost()
    {
        _question = null;
        Forgive();
    }

    private void Judge(IReadOnlyCollection<ExchangePublisher> publishers, long now, bool silent)
    {
        long before = Before(now, Patience);
        foreach (ExchangePublisher publisher in publishers)
        {
            if (silent ? publisher.Silence >= Patience : publisher.HasPassedBy(before))
            {
                publisher.SetOverdue(before, silent);
            }
        }
    }

    private async Task<bool> AskAsync(BrokerConnection connection, CancellationToken stopping)
    {
        bool answered = await connection.AskForAnswerAsync(stopping);
        wake();
        return answered;
    }

    private long Before(long now, TimeSpan span) => now - (long)(span.TotalSeconds * clock.TimestampFrequency);
}
