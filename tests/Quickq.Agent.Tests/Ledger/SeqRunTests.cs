using Quickq.Agent.Ledger;

namespace Quickq.Agent.Tests.Ledger;

public sealed class SeqRunTests
{
    [Fact]
    public void Runs_end_at_gaps_and_a_number_given_twice_opens_none()
    {
        Assert.Equal([new SeqRun(1, 3), new SeqRun(5, 5), new SeqRun(7, 8)], SeqRun.Split([1, 2, 2, 3, 5, 7, 8]));
        Assert.Empty(SeqRun.Split([]));
    }

    [Fact]
    public void Runs_hold_exactly_the_numbers_that_were_given()
    {
        var dice = new Random(7);
        for (int round = 0; round < 1_000; round++)
        {
            List<long> ascending = [.. Enumerable.Range(0, dice.Next(30)).Select(_ => (long)dice.Next(40)).Order()];

            IEnumerable<long> held = SeqRun.Split(ascending).SelectMany(run => Enumerable.Range((int)run.First, (int)(run.Last - run.First + 1)).Select(number => (long)number));

            Assert.Equal(ascending.Distinct(), held);
        }
    }
}
