using Quickq.Spool;
using Quickq.Spool.Files;

namespace Quickq.SpoolCli.Service;

/// <summary>Stores what the connections received: one transaction at a time, which takes all that has arrived when it begins.</summary>
/// <remarks>
/// A lone request never waits for company, nor for another thread: who brings it stores it. In a crowd one thread does it for all; it sleeps while there is nothing to store.
/// The accounts take turns; the requests of each keep the order in which they were queued, so each connection's order holds. <see cref="Add"/>, <see cref="Expire"/> and
/// <see cref="StopAsync"/> come from any thread; what stores belongs to the one that has set <c>_isWriting</c>.
/// </remarks>
internal sealed class CommitQueue(string path, ServiceLog log, LoopLiveness liveness, TimeProvider clock)
{
    /// <summary>What one transaction takes at most, its last request apart.</summary>
    public const int MaxMessages = 256, MaxBytes = 1024 * 1024;

    /// <summary>What is not committed so long after it arrived is refused.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    /// <summary>Waits for no lock.</summary>
    private static readonly CancellationToken NoWait = new(canceled: true);

    private readonly Lock _gate = new();
    private readonly AccountQueue<AddRequest> _queue = new();
    private readonly AutoResetEvent _arrived = new(initialState: false);
    private readonly RefusedAdds _refusals = new(clock);
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _stopping;
    private volatile SpoolException? _trouble;
    private bool _isRunning;
    private bool _isWriting;
    private SpoolWriter? _writer;

    private enum Step
    {
        Store,
        Rest,
        End,
    }

    /// <summary>Whether anything is not stored yet.</summary>
    public bool IsBusy
    {
        get
        {
            lock (_gate)
            {
                return _queue.Count > 0 || liveness.IsAtWork;
            }
        }
    }

    /// <summary>Queues a request; its answer follows the sync of the disk.</summary>
    /// <param name="uid">The account that it comes from.</param>
    /// <param name="request">The request.</param>
    /// <param name="isLone">Nothing has come behind it: where nobody stores just now, here or in another program, it is stored on return.</param>
    public void Add(uint uid, AddRequest request, bool isLone)
    {
        lock (_gate)
        {
            _queue.Enqueue(uid, request);
            if (!isLone || _queue.Count > 1 || _isWriting || _stopping || _writer is null)
            {
                WakeThread_NeedsLock();
                return;
            }

            _isWriting = true;
        }

        StoreNext(NoWait);
        lock (_gate)
        {
            if (_queue.Count > 0 || _stopping)
            {
                WakeThread_NeedsLock();
            }
        }
    }

    /// <summary>Refuses what has waited too long; nothing of it is stored.</summary>
    public void Expire() => Refuse(IsLate, $"not stored within {Deadline.TotalSeconds:0} s");

    /// <summary>Refuses all that no transaction has taken yet: the service ends now.</summary>
    public void RefuseAll() => Refuse(_ => true, "not stored: the spool service stops");

    /// <summary>Stores what has arrived, then closes the spool.</summary>
    public Task StopAsync()
    {
        lock (_gate)
        {
            _stopping = true;
            WakeThread_NeedsLock();
        }

        return _stopped.Task;
    }

    private void WakeThread_NeedsLock()
    {
        if (!_isRunning)
        {
            _isRunning = true;
            new Thread(Run) { Name = "spool writer", IsBackground = true }.Start();
        }

        _arrived.Set();
    }

    private void Run()
    {
        while (true)
        {
            switch (NextStep())
            {
                case Step.Store:
                    StoreNext(CancellationToken.None);
                    break;
                case Step.Rest:
                    _arrived.WaitOne();
                    break;
                default:
                    _writer?.CheckpointIfAlone(isLast: true);
                    _writer?.Dispose();
                    _stopped.TrySetResult();
                    return;
            }
        }
    }

    private Step NextStep()
    {
        lock (_gate)
        {
            if (_isWriting)
            {
                return Step.Rest; // who writes wakes the thread when that leaves something to do
            }

            _isWriting = _queue.Count > 0;
            return _isWriting ? Step.Store : _stopping ? Step.End : Step.Rest;
        }
    }

    /// <summary>Stores what has arrived; nothing, when <paramref name="wait"/> ends the wait for the lock. <c>_isWriting</c> is the caller's.</summary>
    private void StoreNext(CancellationToken wait)
    {
        liveness.Works();
        Store(wait);
        liveness.Rests();
        lock (_gate)
        {
            _isWriting = false;
        }
    }

    private void Store(CancellationToken wait)
    {
        List<AddRequest> taken = [];
        bool wasOpen = _writer is not null;
        try
        {
            _writer ??= Open();
            SpoolOwnership.RequireFolder(path); // its mode may have changed since
            _writer.AppendRequests(() =>
            {
                taken = Take();
                return [.. taken.Select(request => request.Content)];
            }, wait);
        }
        catch (OperationCanceledException) when (wait.IsCancellationRequested)
        {
            return; // another program has the lock: the thread waits for it, and the connection reads on
        }
        catch (SpoolException failure) when (failure.Fault == SpoolFault.NotFound && wasOpen && taken.Count == 0)
        {
            CloseWriter(); // it was deleted since: the next look at the queue makes a new one
            return;
        }
        catch (SpoolException failure)
        {
            Fail(taken, failure);
            return;
        }
        catch (Exception exception) // a fault of ours is the answer to these requests, not the end of the service
        {
            log.InternalError(exception);
            CloseWriter();
            AnswerAll(taken.Count > 0 ? taken : Take(), _ => Answers.Internal());
            return;
        }

        if (_trouble is not null)
        {
            _trouble = null;
            log.AcceptsAgain(path);
        }

        AnswerAll(taken, request => Answers.Added(request.Content));
        _writer.CheckpointIfAlone(isLast: false);
    }

    private SpoolWriter Open()
    {
        SpoolWriter writer = SpoolWriter.Open(path);
        writer.Refusals = _refusals;
        if (writer.KeptLog is { } kept)
        {
            log.KeptWal(kept);
        }

        return writer;
    }

    private void Fail(List<AddRequest> taken, SpoolException failure)
    {
        if (_trouble?.Fault != failure.Fault)
        {
            log.CannotStore(failure);
        }

        _trouble = failure;

        CloseWriter();
        if (failure.Fault == SpoolFault.Busy && taken.Count == 0)
        {
            return; // who has time left waits on
        }

        taken = taken.Count > 0 ? taken : Take();
        _refusals.Count(taken.Sum(request => request.Content.Messages.Count));
        AnswerAll(taken, _ => Answers.Error(failure));
    }

    /// <summary>The next request opens the spool again: it may have been made anew, repaired, mounted.</summary>
    private void CloseWriter()
    {
        _writer?.Dispose();
        _writer = null;
    }

    /// <summary>What has arrived, the accounts in turns, up to the limits of one transaction; at least one request, unless all were late.</summary>
    private List<AddRequest> Take()
    {
        Expire();
        var taken = new List<AddRequest>();
        int messages = 0;
        long bytes = 0;
        lock (_gate)
        {
            while (_queue.TryPeek(out AddRequest? next)
                && (taken.Count == 0 || (messages + next.Content.Messages.Count <= MaxMessages && bytes + next.Bytes <= MaxBytes)))
            {
                taken.Add(_queue.Dequeue());
                messages += next.Content.Messages.Count;
                bytes += next.Bytes;
            }
        }

        return taken;
    }

    private bool IsLate(AddRequest request) => clock.GetElapsedTime(request.ArrivedAt) >= Deadline;

    private void Refuse(Predicate<AddRequest> isRefused, string what)
    {
        List<AddRequest> refused;
        lock (_gate)
        {
            refused = _queue.RemoveFirst(isRefused);
        }

        foreach (AddRequest request in refused)
        {
            _refusals.Count(request.Content.Messages.Count);
            request.Complete(_trouble is { } trouble
                ? Answers.Error(ExitCode.TryLater, trouble.Fault.ToString(), $"{what}: {trouble.Message}", trouble.Hint)
                : Answers.Error(ExitCode.TryLater, nameof(SpoolFault.Busy), what, "try later; 'quickq-spool check' looks at the disk"));
        }
    }

    /// <summary>The writer itself answers one; sending many is left to others, so that the next commit need not wait for it.</summary>
    private static void AnswerAll(List<AddRequest> requests, Func<AddRequest, byte[]> answer)
    {
        if (requests is [var only])
        {
            only.Complete(answer(only));
            return;
        }

        ThreadPool.UnsafeQueueUserWorkItem(
            all =>
            {
                foreach (AddRequest request in all)
                {
                    request.Complete(answer(request));
                }
            },
            requests,
            preferLocal: false);
    }
}
