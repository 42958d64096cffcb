using Quickq.Spool;
using Quickq.Spool.Files;

namespace Quickq.SpoolCli.Service;

/// <summary>Looks into the spool for the connections: at most <see cref="Most"/> at a time, one account after the other, each with a reader that is kept for the next.</summary>
internal sealed class SpoolReaders(string path) : IDisposable
{
    /// <summary>Looks at one time; more wait for their turn.</summary>
    public const int Most = 4;

    private readonly Lock _gate = new();
    private readonly AccountQueue<TaskCompletionSource> _waiting = new();
    private int _looking;
    private readonly Stack<SpoolReader> _idle = new();

    /// <summary>Runs <paramref name="look"/> on a thread of the pool, when it is this account's turn.</summary>
    /// <exception cref="SpoolException">There is no spool, or it cannot be read.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="unwanted"/> was cancelled before its turn came.</exception>
    public async Task<T> LookAsync<T>(uint uid, CancellationToken unwanted, Func<SpoolReader, T> look)
    {
        await TurnAsync(uid);
        try
        {
            return await Task.Run(() => Look(look), unwanted);
        }
        finally
        {
            PassOn();
        }
    }

    /// <summary>Runs <paramref name="look"/> here.</summary>
    public T Look<T>(Func<SpoolReader, T> look)
    {
        SpoolReader reader = Take();
        try
        {
            T seen = look(reader);
            lock (_idle)
            {
                _idle.Push(reader);
            }

            return seen;
        }
        catch
        {
            reader.Dispose(); // the next one looks afresh
            throw;
        }
    }

    /// <summary>Closes the readers that are not in use.</summary>
    public void CloseIdle()
    {
        lock (_idle)
        {
            while (_idle.TryPop(out SpoolReader? reader))
            {
                reader.Dispose();
            }
        }
    }

    public void Dispose() => CloseIdle();

    private Task TurnAsync(uint uid)
    {
        lock (_gate)
        {
            if (_looking < Most)
            {
                _looking++;
                return Task.CompletedTask;
            }

            var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(uid, turn);
            return turn.Task;
        }
    }

    /// <summary>The turn goes to the account that has waited longest for one.</summary>
    private void PassOn()
    {
        lock (_gate)
        {
            if (_waiting.Count > 0)
            {
                _waiting.Dequeue().SetResult();
            }
            else
            {
                _looking--;
            }
        }
    }

    private SpoolReader Take()
    {
        string resolved = SpoolPath.FollowLinks(path);
        if (SpoolCreation.IsMissing(resolved))
        {
            CloseIdle(); // they would go on to read a file that has no name any more
        }
        else
        {
            SpoolOwnership.RequireFolder(resolved); // its mode may have changed since
        }

        lock (_idle)
        {
            if (_idle.TryPop(out SpoolReader? kept))
            {
                return kept;
            }
        }

        return SpoolReader.Open(path);
    }
}
