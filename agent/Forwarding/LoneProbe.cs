namespace Quickq.Agent.Forwarding;

/// <summary>
/// Holds others back while a routing key that closed the channel, or the connection, is tried again: its message is sent with nothing else on it, so nobody is sent
/// twice for it. They wait for a bounded time. Belongs to the forwarder's loop.
/// </summary>
internal sealed class LoneProbe(TimeProvider clock)
{
    /// <summary>So long what the broker would take waits for a key that was refused before.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>So long it waits where a message closes whole connections.</summary>
    public static readonly TimeSpan PatienceOfConnection = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan TryAgainAfter = TimeSpan.FromSeconds(1);

    private long _since;
    private bool _wasSent;

    /// <summary>The key that is tried; null when none is.</summary>
    public TroubledKey? Key { get; private set; }

    /// <summary>Until the others go on; null when nobody waits.</summary>
    public TimeSpan? Left => Key is { } key && (key.ClosesConnection ? PatienceOfConnection : Patience) - clock.GetElapsedTime(_since) is var left
        ? left > TimeSpan.Zero ? left : TimeSpan.Zero
        : null;

    /// <summary>Whether messages of this flow must wait.</summary>
    public bool Holds(MessageFlow flow) => Key is { } key && !ReferenceEquals(flow, key) && (key.ClosesConnection || string.Equals(key.Exchange, flow.Exchange, StringComparison.Ordinal));

    /// <summary>Begins with this key if none is being tried.</summary>
    public void Begin(TroubledKey key)
    {
        if (Key is null)
        {
            (Key, _since, _wasSent) = (key, clock.GetTimestamp(), false);
        }
    }

    /// <summary>Its message is out.</summary>
    public void Sent(TroubledKey key) => _wasSent |= ReferenceEquals(Key, key);

    /// <summary>Nobody waits any more if its message was answered, if none waits, or if it took too long.</summary>
    public void Look()
    {
        if (Key is not { } key)
        {
            return;
        }

        if (_wasSent ? key.Out == 0 : key.WaitingFrom is null || key.Limit.Value == 0)
        {
            Key = null;
        }
        else if (Left == TimeSpan.Zero)
        {
            Key = null;
            if (!_wasSent)
            {
                key.Limit.Postpone(TryAgainAfter);
            }
        }
    }

    /// <summary>The connection is gone.</summary>
    public void Forget() => Key = null;
}
