using FsCheck;
using FsCheck.Fluent;
using Quickq.Agent.Feed;
using Quickq.Agent.Forwarding;

namespace Quickq.Agent.Tests.Forwarding;

public sealed class SuspectSearchTests
{
    [Fact]
    public void It_convicts_exactly_the_guilty_whoever_and_however_many_they_are()
    {
        Prop.ForAll(Gen.Choose(1, 300).ToArbitrary(), Gen.Choose(0, 299).ArrayOf(3).ToArbitrary(), (count, picks) =>
        {
            var guilty = picks.Select(pick => (long)(pick % count) + 1).ToHashSet();

            (HashSet<long> convicted, HashSet<long> cleared, _) = Run(count, guilty);

            Assert.Equal(guilty, convicted);
            Assert.Equal(count - guilty.Count, cleared.Count);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void One_among_a_thousand_costs_few_channels()
    {
        foreach (long guilty in (long[])[1, 2, 500, 999, 1_000])
        {
            (_, _, int closed) = Run(1_000, [guilty]);
            Assert.InRange(closed, 1, 25);
        }
    }

    /// <summary>A broker that answers a group in order, and closes the channel at a guilty one without answering those before it in the same breath.</summary>
    private static (HashSet<long> Convicted, HashSet<long> Cleared, int Closed) Run(int count, HashSet<long> guilty)
    {
        var search = new SuspectSearch(Rows.Of(count));
        HashSet<long> convicted = [], cleared = [];
        int closed = 0;
        while (!search.IsOver)
        {
            IReadOnlyList<FeedMessage> group = search.NextGroup();
            if (group.Any(message => guilty.Contains(message.Seq)))
            {
                closed++;
                if (search.GroupFailed(group) is { } found)
                {
                    convicted.Add(found.Seq);
                }

                continue;
            }

            foreach (FeedMessage message in group)
            {
                search.Clear(message);
                cleared.Add(message.Seq);
            }

            search.GroupPassed();
        }

        return (convicted, cleared, closed);
    }
}
