using Quickq.SpoolCli.Service;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>How much of what peers send is held.</summary>
public sealed class MemoryBudgetTests
{
    private const int Mebibyte = 1024 * 1024;
    private readonly MemoryBudget _budget = new();

    [Fact]
    public async Task One_account_has_half_and_others_go_on()
    {
        using var oldest = _budget.Open(1);
        using var large = _budget.Open(1);
        await large.GrowAsync(32 * Mebibyte, default);
        var more = large.GrowAsync(1, default).AsTask();
        using var other = _budget.Open(2);
        await other.GrowAsync(16 * Mebibyte, default);

        Assert.False(more.IsCompleted);
        Assert.True(large.IsWaiting);
        Assert.Equal(48 * Mebibyte, _budget.Held);
    }

    [Fact]
    public async Task The_oldest_goes_on_whatever_is_held()
    {
        var oldest = _budget.Open(1);
        var next = _budget.Open(2);
        using var last = _budget.Open(3);
        await next.GrowAsync(32 * Mebibyte, default);
        await last.GrowAsync(32 * Mebibyte, default);
        await oldest.GrowAsync(60 * Mebibyte, default);
        var waiting = next.GrowAsync(Mebibyte, default).AsTask();
        Assert.False(waiting.IsCompleted);

        // One account at a time goes beyond its half: the next when the first has given back.
        oldest.Complete();
        Assert.False(waiting.IsCompleted);
        oldest.Dispose();
        await waiting;
        next.Dispose();
    }

    [Fact]
    public async Task A_half_sent_frame_of_one_account_takes_no_more_than_its_half_from_the_others()
    {
        using var halfSent = _budget.Open(1);
        await halfSent.GrowAsync(60 * Mebibyte, default);
        using var other = _budget.Open(2);
        await other.GrowAsync(30 * Mebibyte, default);
        Assert.Equal(90 * Mebibyte, _budget.Held);
    }

    [Fact]
    public async Task What_is_whole_may_grow_further_in_its_turn()
    {
        var first = _budget.Open(1);
        await first.GrowAsync(32 * Mebibyte, default);
        first.Complete();
        var second = _budget.Open(1);
        await second.GrowAsync(Mebibyte, default);
        second.Complete();
        var third = first.GrowAsync(Mebibyte, default).AsTask();
        Assert.True(third.IsCompleted); // the oldest of its account that wants more
        first.Complete();
        first.Dispose();
        second.Dispose();
        Assert.Equal(0, _budget.Held);
    }

    [Fact]
    public async Task Every_account_has_a_little_of_its_own_and_memory_given_back_is_given_out()
    {
        using var oldest = _budget.Open(1);
        var first = _budget.OpenFor(2, 32 * Mebibyte);
        using var second = _budget.OpenFor(3, 32 * Mebibyte);
        using var small = _budget.Open(4);
        await small.GrowAsync((int)MemoryBudget.Minimum, default);
        var more = small.GrowAsync(1, default).AsTask();
        Assert.False(more.IsCompleted);

        first.Dispose();
        await more;
        Assert.Equal((32 * Mebibyte) + MemoryBudget.Minimum + 1, _budget.Held);
    }

    [Fact]
    public async Task Who_waits_can_stop_waiting_and_leaves_nothing_behind()
    {
        using var oldest = _budget.Open(1);
        using var all = _budget.OpenFor(1, 64 * Mebibyte);
        using var stop = new CancellationTokenSource();
        using (var waiting = _budget.Open(1))
        {
            var more = waiting.GrowAsync(Mebibyte, stop.Token).AsTask();
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => more);
        }

        Assert.Equal(64 * Mebibyte, _budget.Held);
    }
}
