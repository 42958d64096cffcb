using Quickq.Agent.Forwarding;
using Quickq.Agent.Ledger;

namespace Quickq.Agent.Tests.Forwarding;

public sealed class InFlightWindowTests
{
    private readonly InFlightWindow _window = new(server: 1, maxCount: 4, maxBytes: 100);

    [Fact]
    public void A_message_stays_in_flight_until_its_settlement_is_committed()
    {
        Array.ForEach(Rows.Of(3), row => _window.Enter(row));

        _window.Settle(new Settlement(1, "delivered", At: 5));
        _window.Settle(new Settlement(2, "delivered", At: 5));
        SettlementBatch batch = _window.TakeSettlements()!;
        Assert.Equal(3, _window.Count);
        _window.Committed(batch);

        Assert.Equal(1, _window.Count);
        Assert.Null(_window.TakeSettlements());
    }

    [Fact]
    public void The_same_message_does_not_enter_twice()
    {
        Assert.True(_window.Enter(Rows.Row(1)));
        Assert.False(_window.Enter(Rows.Row(1)));
    }

    [Fact]
    public void What_was_committed_since_its_page_was_read_does_not_enter_again()
    {
        _window.Enter(Rows.Row(1));
        _window.BeginPage(); // the feed looked back: this page still shows message 1 as pending
        Deliver(1);

        Assert.False(_window.Enter(Rows.Row(1)));

        _window.BeginPage(); // made pending again by an operator, and read again
        Assert.True(_window.Enter(Rows.Row(1)));
    }

    [Fact]
    public void Count_and_bytes_bound_it_and_one_that_is_larger_than_all_may_enter_alone()
    {
        Assert.Equal((4, 100L), _window.Room());
        _window.Enter(Rows.Row(1, bytes: 70));
        Assert.Equal((3, 30L), _window.Room());
        _window.Enter(Rows.Row(2, bytes: 500));
        Assert.Equal((0, 0L), _window.Room());
        _window.Leave(Rows.Row(1, bytes: 70));
        _window.Leave(Rows.Row(2, bytes: 500));
        Assert.Equal((4, 100L), _window.Room());
    }

    [Fact]
    public void What_is_set_aside_does_not_count_up_to_one_more_window()
    {
        foreach (int first in (int[])[1, 5])
        {
            for (int seq = first; seq < first + 4; seq++)
            {
                Assert.True(_window.Enter(Rows.Row(seq)));
            }

            Assert.Equal(0, _window.Room().Count);
            for (int seq = first; seq < first + 4; seq++)
            {
                Assert.Equal(first == 1, _window.SetAside(seq));
            }
        }

        Assert.Equal((0, 60L), _window.Room());
        Deliver(5);
        Assert.Equal((1, 70L), _window.Room());

        // A late answer: it counts again until it is committed, and then no more.
        _window.Settle(new Settlement(1, "delivered", At: 5));
        Assert.Equal(0, _window.Room().Count);
        _window.Committed(_window.TakeSettlements()!);
        Assert.Equal(1, _window.Room().Count);
        Assert.Equal(6, _window.LeaveUnsettled());
        Assert.Equal((4, 100L), _window.Room());
    }

    [Fact]
    public async Task Whoever_waits_for_room_goes_on_when_a_commit_made_it()
    {
        Array.ForEach(Rows.Of(4), row => _window.Enter(row));
        Task room = _window.WaitForRoomAsync(2, 1);
        Deliver(1);
        Assert.False(room.IsCompleted);

        Deliver(2);

        await room.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Whoever_waits_for_room_for_so_many_bytes_is_not_woken_for_fewer()
    {
        _window.Enter(Rows.Row(1, bytes: 20));
        _window.Enter(Rows.Row(2, bytes: 70));
        Task room = _window.WaitForRoomAsync(1, 40);
        Deliver(1);
        Assert.False(room.IsCompleted);

        Deliver(2);

        await room.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void When_the_connection_is_gone_only_what_has_an_outcome_stays()
    {
        Array.ForEach(Rows.Of(4), row => _window.Enter(row));
        _window.Settle(new Settlement(1, "delivered", At: 5));
        SettlementBatch committing = _window.TakeSettlements()!;
        _window.Settle(new Settlement(2, "delivered", At: 5));

        Assert.Equal(2, _window.LeaveUnsettled());

        Assert.Equal(2, _window.Count);
        Assert.True(_window.Enter(Rows.Row(3)));
        Assert.False(_window.Enter(Rows.Row(2)));
        _window.Committed(committing);
        _window.BeginPage();
        Assert.True(_window.Enter(Rows.Row(1)));
    }

    [Fact]
    public void What_was_deferred_and_then_confirmed_before_either_was_committed_counts_once()
    {
        Array.ForEach(Rows.Of(2), row => _window.Enter(row));
        _window.Settle(new Settlement(1, "deferred", At: 5));
        _window.Settle(new Settlement(1, "delivered", At: 6));

        Assert.Equal(1, _window.LeaveUnsettled());
        Assert.Equal(1, _window.Count);
    }

    [Fact]
    public void The_ledger_is_told_of_the_first_outcome_and_of_the_last()
    {
        Array.ForEach(Rows.Of(3), row => _window.Enter(row));

        Assert.True(_window.Settle(new Settlement(1, "delivered", At: 5)));
        Assert.False(_window.Settle(new Settlement(2, "delivered", At: 5)));
        Assert.True(_window.Settle(new Settlement(3, "delivered", At: 5)));
    }

    private void Deliver(long seq)
    {
        _window.Settle(new Settlement(seq, "delivered", At: 5));
        _window.Committed(_window.TakeSettlements()!);
    }
}
