using System.Collections.Concurrent;
using Quickq.Spool.Locking;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Locking;

public sealed class LockQueueTests : IDisposable
{
    private const int Waiting = 8, Rounds = 20;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);
    private readonly TempSpool _spool = new();
    private readonly LockLine _line;

    public LockQueueTests() => _line = new LockLine(_spool);

    [Fact(Timeout = 600_000)]
    public async Task Who_waits_is_served_in_the_order_of_arrival_and_who_comes_back_at_once_goes_to_the_end()
    {
        for (int round = 0; round < Rounds; round++)
        {
            using WriteLock busy = Patient();
            busy.Acquire(Limit);
            var served = new ConcurrentQueue<int>();
            Task[] waiting = new Task[Waiting];
            for (int i = 0; i < Waiting; i++)
            {
                int who = i;
                waiting[i] = WaitOnThread(() => served.Enqueue(who));
                await _line.IsTakenAsync(i);
            }

            busy.Release(announce: false);
            busy.Acquire(Limit);
            served.Enqueue(Waiting);
            busy.Release(announce: false);
            await Task.WhenAll(waiting).WaitAsync(Limit, TestContext.Current.CancellationToken);

            Assert.Equal(Enumerable.Range(0, Waiting + 1), served);
            Assert.True(_line.IsEmpty);
        }
    }

    [Fact(Timeout = 600_000)]
    public Task The_place_of_one_who_gives_up_is_free() => LockLine.PlayAsync(async () =>
    {
        using WriteLock busy = Patient();
        busy.Acquire(Limit);
        Task givingUp = OnThread(impatient => Assert.Throws<SpoolException>(() => impatient.Acquire(TimeSpan.FromMilliseconds(300))));
        await _line.IsTakenAsync(0);
        Task last = WaitOnThread(() => { });
        await _line.IsTakenAsync(1);

        await givingUp;
        Assert.False(_line.IsTakenUpTo(0));
        busy.Release(announce: false);

        await last.WaitAsync(Limit, TestContext.Current.CancellationToken);
        Assert.True(_line.IsEmpty);
    });

    public void Dispose()
    {
        _line.Dispose();
        _spool.Dispose();
    }

    private WriteLock Patient() => new(_spool.Path, Limit);

    private Task WaitOnThread(Action whileHeld) => OnThread(mine =>
    {
        mine.Acquire(Limit);
        whileHeld();
        mine.Release(announce: false);
    });

    private Task OnThread(Action<WriteLock> act) => Task.Factory.StartNew(
        () =>
        {
            using WriteLock mine = Patient();
            act(mine);
        },
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
