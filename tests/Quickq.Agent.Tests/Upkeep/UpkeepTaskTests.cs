using Microsoft.Extensions.Logging.Abstractions;
using Quickq.Agent.Ledger;
using Quickq.Agent.Upkeep;
using Quickq.Spool;

namespace Quickq.Agent.Tests.Upkeep;

public sealed class UpkeepTaskTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Fact(Timeout = 120_000)]
    public async Task A_fault_of_one_task_comes_out_at_once_though_the_others_would_run_for_ever()
    {
        var never = new TaskCompletionSource<UpkeepProgress>();
        Task run = RunAsync(
            new UpkeepTask("waits for ever", TimeSpan.Zero, () => never.Task, () => Task.FromResult(UpkeepProgress.NothingLeft)),
            new UpkeepTask("has a step that does not end", TimeSpan.Zero, () => never.Task, () => never.Task),
            new UpkeepTask("has a fault", TimeSpan.Zero, () => never.Task, () => throw new InvalidOperationException("a bug")));

        var fault = await Assert.ThrowsAsync<InvalidOperationException>(() => run.WaitAsync(Limit, TestContext.Current.CancellationToken));
        Assert.Equal("a bug", fault.Message);
    }

    [Fact(Timeout = 120_000)]
    public async Task Trouble_of_the_disk_is_no_fault_and_the_task_goes_on()
    {
        using var stop = new CancellationTokenSource();
        var never = new TaskCompletionSource();
        var worked = new TaskCompletionSource();
        int step = 0, reset = 0;
        Task run = RunAsync(stop.Token, new UpkeepTask("meets a full disk", TimeSpan.Zero, () => never.Task, Step, () => reset++));

        await worked.Task.WaitAsync(Limit, TestContext.Current.CancellationToken);
        await stop.CancelAsync();
        await run.WaitAsync(Limit, TestContext.Current.CancellationToken);
        Assert.Equal((2, 1), (step, reset));

        Task<UpkeepProgress> Step()
        {
            if (++step == 1)
            {
                throw new SpoolException(SpoolFault.Full, "/spool.db", "the disk is full");
            }

            worked.SetResult();
            return Task.FromResult(UpkeepProgress.NothingLeft);
        }
    }

    private static Task RunAsync(params UpkeepTask[] tasks) => RunAsync(CancellationToken.None, tasks);

    private static Task RunAsync(CancellationToken stopping, params UpkeepTask[] tasks) =>
        UpkeepTask.RunAllAsync(tasks, new SpoolHealth(), TimeProvider.System, NullLogger.Instance, stopping);
}
