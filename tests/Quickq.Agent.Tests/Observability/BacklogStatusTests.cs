using Quickq.Agent.Observability;

namespace Quickq.Agent.Tests.Observability;

public sealed class BacklogStatusTests
{
    [Fact]
    public void The_backlog_is_said_in_words()
    {
        Assert.Equal("no server is configured; nothing waits", Say(0));
        Assert.Equal("no server is configured; 12 wait for a server", Say(12));
        Assert.Equal("1 server connected; nothing waits", Say(0, new ServerBacklog("mq1", "connected", 0, 0, 0)));
        Assert.Equal(
            "2 of 4 servers connected; mq2: 2,001 wait, 1 held; mq3 reconnecting: 7 wait; mq4 paused: 3 rejected",
            Say(0, new("mq1", "connected", 0, 0, 0), new("mq2", "connected", 2_001, 1, 0), new("mq3", "reconnecting", 7, 0, 0), new("mq4", "paused", 0, 0, 3)));
        Assert.Equal(
            "0 of 7 servers connected; a blocked: 1 wait; b blocked: 1 wait; c blocked: 1 wait; d blocked: 1 wait; e blocked: 1 wait; 2 more servers: 2 wait",
            Say(0, [.. "abcdefg".Select(name => new ServerBacklog($"{name}", "blocked", 1, 0, 0))]));
    }

    [Fact]
    public void Trouble_with_the_spool_stands_in_front()
    {
        Assert.Equal(
            "1 server connected; the spool cannot be written: disk full; mq1: 1 wait",
            BacklogStatus.Describe([new("mq1", "connected", 1, 0, 0)], unassigned: 0, "the spool cannot be written: disk full"));
    }

    private static string Say(long unassigned, params ServerBacklog[] servers) => BacklogStatus.Describe(servers, unassigned, trouble: null);
}
