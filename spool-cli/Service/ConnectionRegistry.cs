namespace Quickq.SpoolCli.Service;

/// <summary>All open connections: how many there may be, their deadlines, and when the last has left.</summary>
internal sealed class ConnectionRegistry : IDisposable
{
    /// <summary>Connections in all, of one account, and how many of all are kept for root and the owner, and for operators.</summary>
    public const int Most = 1024, MostOfOne = 512, KeptForOwner = 16, KeptForOperators = 16;

    /// <summary>So many of one account are safe; of more, one may be closed to make room for another account.</summary>
    public const int SafeOfOne = Most / 4;

    private static readonly TimeSpan SweepEvery = TimeSpan.FromSeconds(1);

    private readonly int _most;
    private readonly Action _quiet;
    private readonly Action _swept;
    private readonly ITimer _sweep;
    private readonly Lock _gate = new();
    private readonly HashSet<Connection> _open = [];
    private readonly Dictionary<uint, int> _byAccount = [];
    private TaskCompletionSource? _empty;

    /// <param name="most">Connections at one time: <see cref="Most"/>, or fewer where the system allows no more.</param>
    /// <param name="quiet">Called when the last connection has left.</param>
    /// <param name="swept">Called about once a second while there are connections.</param>
    /// <param name="clock">The clock.</param>
    public ConnectionRegistry(int most, Action quiet, Action swept, TimeProvider clock)
    {
        (_most, _quiet, _swept) = (most, quiet, swept);
        _sweep = clock.CreateTimer(_ => Sweep(), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _open.Count;
            }
        }
    }

    /// <summary>False when there are too many, in all or of this account. The account with the most may lose its longest idle one for it.</summary>
    public bool TryAdd(Connection connection, bool isPrivileged)
    {
        Connection? closed = null;
        lock (_gate)
        {
            int own = _byAccount.GetValueOrDefault(connection.Peer.Uid);
            int kept = isPrivileged ? 0 : connection.Rights == PeerRights.Admin ? KeptForOwner : KeptForOwner + KeptForOperators;
            if (own >= MostOfOne || (_open.Count >= Math.Max(1, _most - kept) && (own >= SafeOfOne || (closed = Dispensable_NeedsLock()) is null)))
            {
                return false;
            }

            _byAccount[connection.Peer.Uid] = own + 1;
            _open.Add(connection);
            if (_open.Count == 1)
            {
                _sweep.Change(SweepEvery, SweepEvery);
            }
        }

        closed?.Close(new IOException("others need the place"));
        return true;
    }

    /// <summary>The longest idle connection of the account that has the most, where it has more than is safe; those that wait for an answer come last.</summary>
    private Connection? Dispensable_NeedsLock()
    {
        (uint uid, int count) = _byAccount.MaxBy(account => account.Value);
        return count <= SafeOfOne ? null : _open
            .Where(connection => connection.Peer.Uid == uid && !connection.Closed.IsCancellationRequested)
            .OrderBy(connection => connection.IsBusy)
            .ThenBy(connection => connection.ActiveAt)
            .FirstOrDefault();
    }

    /// <summary>It has left.</summary>
    public void Remove(Connection connection)
    {
        lock (_gate)
        {
            _open.Remove(connection);
            if (--_byAccount[connection.Peer.Uid] == 0)
            {
                _byAccount.Remove(connection.Peer.Uid);
            }

            if (_open.Count > 0)
            {
                return;
            }

            // Nothing wakes the service while nobody is connected.
            _sweep.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _empty?.TrySetResult();
        }

        _quiet();
    }

    /// <summary>Returns when no connection is left.</summary>
    public Task EmptyAsync()
    {
        lock (_gate)
        {
            _empty = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_open.Count == 0)
            {
                _empty.SetResult();
            }

            return _empty.Task;
        }
    }

    /// <summary>Reads no more from anybody.</summary>
    public void StopReading()
    {
        foreach (Connection connection in Snapshot())
        {
            connection.StopReading();
        }
    }

    public void Dispose() => _sweep.Dispose();

    private void Sweep()
    {
        foreach (Connection connection in Snapshot())
        {
            connection.Sweep();
        }

        _swept();
    }

    private Connection[] Snapshot()
    {
        lock (_gate)
        {
            return [.. _open];
        }
    }
}
