namespace Quickq.Agent.Forwarding;

/// <summary>Finds the message that makes the broker close the whole connection, over several connections. Pure.</summary>
/// <remarks>
/// Closed twice with the same ones out: from then on one message is out on the whole connection, until the broker has answered those or closes again. What is out
/// alone then is the guilty one; the next connection follows at once, a bounded number of times.
/// </remarks>
internal sealed class ConnectionFaults
{
    /// <summary>So many connections in a row are made without back-off.</summary>
    public const int MostAtOnce = 12;

    private const int MostRemembered = 10_000;

    private readonly Dictionary<long, int> _convicted = [];
    private HashSet<long> _outBefore = [];
    private HashSet<long> _suspects = [];
    private int _atOnce;

    /// <summary>One message may be out on the whole connection.</summary>
    public bool IsIsolating => _suspects.Count > 0;

    /// <summary>Whether the next connection is to follow without back-off; asked once for each that ended.</summary>
    public bool ConnectAtOnce { get; private set; }

    /// <summary>Whether the code may mean that the broker failed over a message, and not that an operator or a limit ended the connection.</summary>
    public static bool MayBlameMessage(ushort code) => code is 501 or 502 or 505 or 540 or 541;

    /// <summary>The connection ended. Returns the guilty one with the number of times that it was out alone when that happened; null when there is none for certain.</summary>
    /// <param name="code">The broker's, 0 when it said nothing.</param>
    /// <param name="outWithIt">The messages that were out.</param>
    public (long Seq, int Times)? Ended(ushort code, IReadOnlyCollection<long> outWithIt)
    {
        ConnectAtOnce = false;
        if (!MayBlameMessage(code) || outWithIt.Count == 0)
        {
            return null;
        }

        bool wasIsolating = IsIsolating;
        if (outWithIt.Count == 1)
        {
            long seq = outWithIt.Single();
            if (_convicted.Count >= MostRemembered)
            {
                _convicted.Clear();
            }

            int times = _convicted[seq] = _convicted.GetValueOrDefault(seq) + 1;
            Forget();
            ConnectAtOnce = ++_atOnce <= MostAtOnce;
            return (seq, times);
        }

        HashSet<long> again = [.. outWithIt.Where(_outBefore.Contains)];
        _outBefore = [.. outWithIt];
        if (again.Count > 0 || wasIsolating)
        {
            _suspects = again.Count > 0 ? again : _outBefore;
            ConnectAtOnce = ++_atOnce <= MostAtOnce;
        }

        return null;
    }

    /// <summary>The broker answered this one: it is innocent.</summary>
    public void Answered(long seq)
    {
        if (_suspects.Count > 0 && _suspects.Remove(seq) && _suspects.Count == 0)
        {
            Forget();
        }
    }

    /// <summary>The message is settled for good: it is no longer of interest how often it was guilty.</summary>
    public void Settled(long seq) => _convicted.Remove(seq);

    /// <summary>The connection held, or the search took too long: nobody is suspected any more.</summary>
    public void Forget()
    {
        _outBefore = [];
        _suspects = [];
    }

    /// <summary>A connection lasted: the next ones may follow at once again.</summary>
    public void Lasted() => _atOnce = 0;
}
