using Quickq.Agent.Forwarding;

namespace Quickq.Agent.Tests.Forwarding;

public sealed class ConnectionFaultsTests
{
    private readonly ConnectionFaults _faults = new();

    [Fact]
    public void Closed_twice_with_the_same_messages_one_at_a_time_is_out_and_what_is_out_alone_is_the_guilty_one()
    {
        Assert.Null(_faults.Ended(541, [1, 2, 3, 4]));
        Assert.False(_faults.IsIsolating);
        Assert.Null(_faults.Ended(541, [3, 4, 5]));
        Assert.True(_faults.IsIsolating);
        Assert.True(_faults.ConnectAtOnce);
        _faults.Answered(3);

        Assert.Equal((4, 1), _faults.Ended(541, [4]));
        Assert.False(_faults.IsIsolating);
        Assert.Equal((4, 2), _faults.Ended(541, [4]));
    }

    [Fact]
    public void What_the_broker_answers_meanwhile_is_innocent_and_the_search_ends_with_the_last_of_them()
    {
        _faults.Ended(541, [1, 2]);
        _faults.Ended(541, [1, 2]);

        _faults.Answered(1);
        Assert.True(_faults.IsIsolating);
        _faults.Answered(2);
        Assert.False(_faults.IsIsolating);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(320)]
    [InlineData(403)]
    [InlineData(530)]
    public void A_connection_that_ends_for_another_reason_blames_nobody(ushort code)
    {
        for (int time = 0; time < 3; time++)
        {
            Assert.Null(_faults.Ended(code, [1]));
            Assert.False(_faults.IsIsolating);
            Assert.False(_faults.ConnectAtOnce);
        }
    }

    [Fact]
    public void Two_ends_with_different_messages_are_no_search()
    {
        _faults.Ended(541, [1, 2]);
        _faults.Ended(541, [3, 4]);

        Assert.False(_faults.IsIsolating);
    }

    [Fact]
    public void Only_so_many_connections_in_a_row_follow_at_once()
    {
        for (int time = 0; time < ConnectionFaults.MostAtOnce; time++)
        {
            _faults.Ended(541, [time]);
            Assert.True(_faults.ConnectAtOnce);
        }

        _faults.Ended(541, [99]);
        Assert.False(_faults.ConnectAtOnce);
        _faults.Lasted();
        _faults.Ended(541, [100]);
        Assert.True(_faults.ConnectAtOnce);
    }
}
