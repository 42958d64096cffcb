using System.Diagnostics.CodeAnalysis;

namespace Quickq.Agent.Forwarding;

/// <summary>A routing key of an exchange.</summary>
internal readonly record struct RoutedKey(string Exchange, string Key);

/// <summary>A routing key whose message was nacked, refused, or is unanswered: it has a limit of its own, and its trouble costs no other key anything.</summary>
internal sealed class TroubledKey(RoutedKey key, SendLimit limit) : MessageFlow(key.Exchange, limit)
{
    private readonly HashSet<long> _out = [];

    public RoutedKey Key => key;

    public override string RoutingKey => key.Key;

    public override int Out => _out.Count;

    /// <summary>Why it is in trouble.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>Its message closed the channel: the next one is sent with nothing else on it, so that no other is sent twice for it.</summary>
    public bool NeedsAlone => ClosesChannel || ClosesConnection;

    public bool ClosesChannel { get; private set; }

    /// <summary>The same with the whole connection.</summary>
    public bool ClosesConnection { get; private set; }

    /// <summary>Its queue answers nothing: any answer that comes ends that.</summary>
    public bool IsUnanswered { get; private set; }

    public void Sent(long seq) => _out.Add(seq);

    /// <summary>The message is not out any more. True if it was sent under this limit.</summary>
    public bool Left(long seq) => _out.Remove(seq);

    /// <summary>The connection is gone, and what was out with it.</summary>
    public void LeftAll() => _out.Clear();

    /// <summary>Suspends the key; returns the time until the probe.</summary>
    public TimeSpan Suspend(string reason, bool unanswered = false)
    {
        (Reason, IsUnanswered) = (reason, unanswered);
        return Limit.Suspend();
    }

    public void CloseChannel() => ClosesChannel = true;

    public void CloseConnection() => ClosesConnection = true;

    /// <summary>The broker took a message of this key. True if that says something: an older one that was under way when the trouble began does not.</summary>
    public bool Confirmed(long seq)
    {
        if (!_out.Remove(seq) && !IsUnanswered)
        {
            return false;
        }

        Limit.Answered();
        (ClosesChannel, ClosesConnection, IsUnanswered) = (false, false, false);
        return true;
    }
}

/// <summary>The routing keys in trouble at one server, a bounded number of them.</summary>
internal sealed class TroubledKeys(Func<SendLimit> newLimit)
{
    /// <summary>What comes beyond has no limit of its own: each message is deferred by itself.</summary>
    public const int Most = 1_000;

    private readonly Dictionary<RoutedKey, TroubledKey> _byKey = [];

    public int Count => _byKey.Count;

    public IReadOnlyCollection<TroubledKey> All => _byKey.Values;

    /// <summary>The key, if it is in trouble.</summary>
    public TroubledKey? Find(string exchange, string key) => _byKey.Count == 0 ? null : _byKey.GetValueOrDefault(new RoutedKey(exchange, key));

    /// <summary>The key, which is in trouble from now on; false where there are too many.</summary>
    /// <param name="exchange">Its exchange.</param>
    /// <param name="key">The routing key.</param>
    /// <param name="troubled">It.</param>
    /// <param name="isNew">It was not in trouble before.</param>
    public bool TryAdd(string exchange, string key, [NotNullWhen(true)] out TroubledKey? troubled, out bool isNew)
    {
        troubled = Find(exchange, key);
        isNew = troubled is null;
        if (troubled is not null)
        {
            return true;
        }

        if (_byKey.Count >= Most && _byKey.Values.FirstOrDefault(IsForgettable) is { } forgettable)
        {
            _byKey.Remove(forgettable.Key);
        }

        if (_byKey.Count >= Most)
        {
            return false;
        }

        troubled = new TroubledKey(new RoutedKey(exchange, key), newLimit());
        _byKey.Add(troubled.Key, troubled);
        return true;
    }

    public void Remove(TroubledKey key) => _byKey.Remove(key.Key);

    /// <summary>Its probe is due and no message waits for it.</summary>
    private static bool IsForgettable(TroubledKey key) => key is { Out: 0, WaitingFrom: null } && (key.Limit.Value > 0 || key.Limit.ProbeIn == TimeSpan.Zero);
}
