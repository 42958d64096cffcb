using Quickq.Spool;

namespace Quickq.SpoolCli.Service;

/// <summary>Looks into the spool for the connections: at most <see cref="Most"/> at a time, each with a reader that is kept for the next.</summary>
internal sealed class SpoolReaders(string path) : IDisposable
{
    /// <summary>Looks at one time; more wait for their turn.</summary>
    public const int Most = 4;

    private readonly SemaphoreSlim _turn = new(Most);
    private readonly Stack<SpoolReader> _idle = new();

    /// <summary>Runs <paramref name="look"/> on a thread of the pool.</summary>
    /// <exception cref="SpoolException">There is no spool, or it cannot be read.</exception>
    public async Task<T> LookAsync<T>(Func<SpoolReader, T> look)
    {
        await _turn.WaitAsync();
        try
        {
            return await Task.Run(() => Look(look));
        }
        finally
        {
            _turn.Release();
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

    public void Dispose()
    {
        CloseIdle();
        _turn.Dispose();
    }

    private SpoolReader Take()
    {
        if (SpoolCreation.IsMissing(SpoolPath.FollowLinks(path)))
        {
            CloseIdle(); // they would go on to read a file that has no name any more
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
