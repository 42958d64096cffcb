using Quickq.Agent.Timing;

namespace Quickq.Agent.Forwarding;

/// <summary>One number: how many messages of an exchange, or of a routing key in trouble, may be unconfirmed.</summary>
/// <remarks>
/// 0 is suspended until a probe is due, 1 is probing or isolating. Each answer adds one, up to the most: so it doubles with each round trip.
/// Knows nothing of messages, channels or exchanges. Belongs to one thread.
/// </remarks>
/// <param name="most">The window.</param>
/// <param name="schedule">From the number of suspensions in a row to the time until the probe.</param>
/// <param name="clock">A clock that no step of the wall clock moves.</param>
internal sealed class SendLimit(int most, RetrySchedule schedule, TimeProvider clock)
{
    private int _heldBack;
    private TimeSpan _probeAfter;
    private long _suspendedAt;

    /// <summary>So many may be unconfirmed.</summary>
    public int Value
    {
        get => most - _heldBack;
        private set => _heldBack = most - value;
    }

    /// <summary>How often in a row it was suspended.</summary>
    public int Failures { get; private set; }

    /// <summary>Nothing is held back: the window alone bounds what is out.</summary>
    public bool IsFull => Value >= most;

    /// <summary>Until the probe is due; zero from then on.</summary>
    public TimeSpan ProbeIn => _probeAfter - clock.GetElapsedTime(_suspendedAt) is { Ticks: > 0 } left ? left : TimeSpan.Zero;

    /// <summary>Nothing may be sent until the probe is due. Returns when that is.</summary>
    public TimeSpan Suspend()
    {
        Failures++;
        Value = 0;
        _probeAfter = schedule.DelayAfter(Failures);
        _suspendedAt = clock.GetTimestamp();
        return _probeAfter;
    }

    /// <summary>The probe is due at once.</summary>
    public void ProbeNow() => _probeAfter = TimeSpan.Zero;

    /// <summary>The probe could not be made: tries again after this time, which counts as no failure.</summary>
    public void Postpone(TimeSpan delay)
    {
        Value = 0;
        _probeAfter = delay;
        _suspendedAt = clock.GetTimestamp();
    }

    /// <summary>Allows one message if it is suspended and the probe is due.</summary>
    public bool TryProbe()
    {
        if (Value > 0 || ProbeIn > TimeSpan.Zero)
        {
            return false;
        }

        Value = 1;
        return true;
    }

    /// <summary>One message was answered.</summary>
    public void Answered()
    {
        Failures = 0;
        Value = Math.Min(most, Value + 1);
    }

    /// <summary>The channel, or the connection, closed for a reason that names nobody. True if the message that was out is the guilty one: it was out alone.</summary>
    /// <param name="count">How many messages were out.</param>
    public bool Closed(int count)
    {
        if (count == 1)
        {
            return true;
        }

        Value = Math.Min(Value, 1);
        return false;
    }
}
