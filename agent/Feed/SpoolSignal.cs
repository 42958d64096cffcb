using Microsoft.Data.Sqlite;
using Quickq.Spool;

namespace Quickq.Agent.Feed;

/// <summary>Tells that something was committed to the spool that the agent did not write itself, and every few seconds in any case.</summary>
/// <remarks>
/// One thread waits for the kernel on behalf of all who look. What they do about it is short: it runs on that thread. The ledger's settlements wake nobody; what
/// else the agent writes, it tells by <see cref="Changed"/>.
/// </remarks>
internal sealed class SpoolSignal : IDisposable
{
    /// <summary>A look without a reason: finds what the kernel did not tell of.</summary>
    public static readonly TimeSpan SlowPoll = TimeSpan.FromSeconds(5);

    private readonly Thread _thread;
    private readonly Lock _gate = new();
    private Action[] _subscribers = [];
    private TaskCompletionSource? _next;
    private volatile bool _stopping;

    public SpoolSignal(string spoolPath)
    {
        File = new FeedFile(spoolPath);
        Watch = new SpoolWatch(spoolPath, isAgent: true);
        _thread = new Thread(Run) { IsBackground = true, Name = "spool signal" };
        _thread.Start();
    }

    /// <summary>What the ledger tells of its own commits.</summary>
    public SpoolWatch Watch { get; }

    /// <summary>Where those who are told look: one connection for all.</summary>
    public FeedFile File { get; }

    /// <summary>Whether the caller runs on the signal's thread.</summary>
    public bool IsOwnThread => Thread.CurrentThread == _thread;

    /// <summary>Completes at the next change after this call.</summary>
    public Task NextChange
    {
        get
        {
            lock (_gate)
            {
                return (_next ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }
        }
    }

    /// <summary>Calls <paramref name="changed"/> at every change, on the signal's thread, until the subscription is disposed. Who looks into the spool after the call began sees the change.</summary>
    public IDisposable Subscribe(Action changed)
    {
        lock (_gate)
        {
            _subscribers = [.. _subscribers, changed];
        }

        return new Subscription(this, changed);
    }

    /// <summary>The agent itself wrote what others may want to know. Any thread.</summary>
    public void Changed() => Watch.Wake();

    public void Dispose()
    {
        _stopping = true;
        Watch.Wake();
        _thread.Join();
        Watch.Dispose();
        File.Dispose();
    }

    private void Run()
    {
        while (!_stopping)
        {
            Watch.WaitForChange(SlowPoll);
            Tell();
        }
    }

    private void Tell()
    {
        Action[] subscribers;
        TaskCompletionSource? due;
        lock (_gate)
        {
            (subscribers, due, _next) = (_subscribers, _next, null);
        }

        if (subscribers.Length > 0)
        {
            TellTogether(subscribers);
        }

        due?.SetResult();
    }

    /// <summary>Those who look at once look together: one read transaction for all.</summary>
    private void TellTogether(Action[] subscribers)
    {
        try
        {
            File.BeginLook();
        }
        catch (Exception trouble) when (trouble is SqliteException or SpoolException)
        {
            // Each meets the same trouble, and says so.
        }

        foreach (Action changed in subscribers)
        {
            changed();
        }

        try
        {
            File.EndLook();
        }
        catch (SqliteException)
        {
            File.Reset();
        }
    }

    private sealed class Subscription(SpoolSignal signal, Action changed) : IDisposable
    {
        public void Dispose()
        {
            lock (signal._gate)
            {
                signal._subscribers = [.. signal._subscribers.Where(each => !ReferenceEquals(each, changed))];
            }
        }
    }
}
