using FsCheck;
using FsCheck.Fluent;
using Quickq.Agent.Feed;
using Quickq.Agent.Forwarding;

namespace Quickq.Agent.Tests.Forwarding;

public sealed class UnconfirmedTagsTests
{
    [Fact]
    public void Any_sequence_of_publishes_and_answers_gives_each_message_back_exactly_once()
    {
        // A number below 6 publishes; else it answers a tag, with or without multiple. The model is a sorted dictionary.
        Prop.ForAll(Gen.Choose(0, 11).ArrayOf(400).ToArbitrary(), steps =>
        {
            var tags = new UnconfirmedTags();
            var model = new SortedDictionary<ulong, FeedMessage>();
            long seq = 0;
            foreach ((int step, int at) in steps.Select((step, at) => (step, at)))
            {
                if (step < 6)
                {
                    FeedMessage message = Rows.Row(++seq);
                    model.Add(tags.NextTag, message);
                    tags.Add(message, sentAt: 0);
                    continue;
                }

                ulong tag = (ulong)(at * 7 % (seq + 1));
                bool multiple = step % 2 == 0;
                ulong[] answered = multiple ? [.. model.Keys.Where(key => tag == 0 || key <= tag)] : model.ContainsKey(tag) ? [tag] : [];
                var taken = new List<FeedMessage>();
                tags.Take(tag, multiple, taken);
                Assert.Equal(answered.Select(key => model[key]), taken);
                Array.ForEach(answered, key => model.Remove(key));
                Assert.Equal(model.Count, tags.Count);
            }

            Assert.Equal(model.Values, tags.TakeAll());
            Assert.Equal(1UL, tags.NextTag);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_message_that_was_not_sent_gives_its_tag_back()
    {
        var tags = new UnconfirmedTags();
        FeedMessage[] rows = Rows.Of(2);
        tags.Add(rows[0], sentAt: 0);
        tags.Add(rows[1], sentAt: 0);

        tags.TakeBack(rows[1]);

        Assert.Equal((2UL, 1), (tags.NextTag, tags.Count));
        Assert.Equal([rows[0]], tags.TakeAll());
    }

    [Fact]
    public void What_is_overdue_counts_no_longer_and_a_late_answer_still_finds_it()
    {
        var tags = new UnconfirmedTags();
        FeedMessage[] rows = Rows.Of(4);
        Array.ForEach(rows, row => tags.Add(row, sentAt: row.Seq));
        var taken = new List<FeedMessage>();
        tags.Take(3, multiple: false, taken);

        Assert.True(tags.HasPassedBy(sentBefore: 1));
        tags.SetOverdue(sentBefore: 1, silent: false, _ => true);
        Assert.Equal([rows[0]], tags.Overdue.Select(overdue => overdue.Message));
        Assert.Equal((2, 2L), (tags.Count, tags.OldestSentAt));

        tags.Take(1, multiple: false, taken);
        Assert.Equal([rows[2], rows[0]], taken);
        Assert.Empty(tags.Overdue);
    }

    [Fact]
    public void What_no_later_one_has_passed_is_overdue_only_where_the_channel_is_silent()
    {
        var tags = new UnconfirmedTags();
        FeedMessage[] rows = Rows.Of(3);
        Array.ForEach(rows, row => tags.Add(row, sentAt: row.Seq));

        tags.SetOverdue(sentBefore: 2, silent: false, _ => true);
        Assert.Equal(3, tags.Count);
        tags.SetOverdue(sentBefore: 2, silent: true, message => message.Seq == 1);

        Assert.Equal([rows[0]], tags.Overdue.Select(overdue => overdue.Message));
        Assert.Equal([rows[0], rows[1], rows[2]], tags.TakeAll());
        Assert.Empty(tags.Overdue);
    }
}
