using System.Net;
using System.Net.Sockets;
using Quickq.Agent.Broker;

namespace Quickq.Agent.Tests.Broker;

public sealed class DnsChangeMonitorTests
{
    private static readonly IPAddress InUse = IPAddress.Parse("192.0.2.1"), Other = IPAddress.Parse("192.0.2.2");
    private readonly HandTime _time = new();
    private readonly Queue<Func<IReadOnlyList<IPAddress>>> _answers = new();
    private int _asked;

    [Fact]
    public async Task A_name_that_leads_elsewhere_twice_has_moved()
    {
        Task moved = Watch(() => [Other], () => [Other]);

        Advance(DnsChangeMonitor.Interval);
        Assert.False(moved.IsCompleted);
        Advance(DnsChangeMonitor.Confirmation);

        await moved.WaitAsync(TimeSpan.FromSeconds(10));
    }

    public static TheoryData<string> NotMoved => ["still there", "back after five seconds", "mapped to v6", "does not resolve", "fails at the second look"];

    [Theory]
    [MemberData(nameof(NotMoved))]
    public void Nothing_less_counts(string what)
    {
        Func<IReadOnlyList<IPAddress>>[] answers = what switch
        {
            "still there" => [() => [Other, InUse]],
            "back after five seconds" => [() => [Other], () => [InUse]],
            "mapped to v6" => [() => [InUse.MapToIPv6()]],
            "does not resolve" => [() => throw new BrokerUnavailableException("the name does not resolve")],
            _ => [() => [Other], () => throw new BrokerUnavailableException("the name servers do not answer")],
        };
        Task moved = Watch(answers);

        Advance(DnsChangeMonitor.Interval);
        Advance(DnsChangeMonitor.Confirmation);

        Assert.Equal(answers.Length, _asked);
        Assert.False(moved.IsCompleted);
    }

    [Fact]
    public async Task Answers_that_rotate_cause_one_move_in_five_minutes()
    {
        var watch = new DnsChangeMonitor(_time, Answer);
        for (int i = 0; i < 100; i++)
        {
            _answers.Enqueue(() => [Other]);
        }

        Task first = watch.WaitUntilMovedAsync("mq", InUse, CancellationToken.None);
        Advance(DnsChangeMonitor.Interval);
        Advance(DnsChangeMonitor.Confirmation);
        await first.WaitAsync(TimeSpan.FromSeconds(10));

        Task second = watch.WaitUntilMovedAsync("mq", InUse, CancellationToken.None);
        for (TimeSpan passed = TimeSpan.Zero; passed < DnsChangeMonitor.Quiet - DnsChangeMonitor.Interval; passed += DnsChangeMonitor.Interval)
        {
            Advance(DnsChangeMonitor.Interval);
            Assert.False(second.IsCompleted);
        }

        Advance(DnsChangeMonitor.Interval);
        Advance(DnsChangeMonitor.Interval);
        Advance(DnsChangeMonitor.Confirmation);
        await second.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void A_literal_address_is_never_asked_about()
    {
        var watch = new DnsChangeMonitor(_time, Answer);
        Task moved = watch.WaitUntilMovedAsync("192.0.2.1", InUse, CancellationToken.None);

        Advance(TimeSpan.FromHours(1));

        Assert.Equal(0, _asked);
        Assert.False(moved.IsCompleted);
    }

    private Task Watch(params Func<IReadOnlyList<IPAddress>>[] answers)
    {
        Array.ForEach(answers, _answers.Enqueue);
        return new DnsChangeMonitor(_time, Answer).WaitUntilMovedAsync("mq", InUse, CancellationToken.None);
    }

    // Everything here completes on the spot, so that the next timer runs when Advance returns.
    private void Advance(TimeSpan by) => _time.Advance(by);

    private Task<IReadOnlyList<IPAddress>> Answer(string host, AddressFamily family, CancellationToken stopping)
    {
        Assert.Equal(AddressFamily.InterNetwork, family); // that of the address in use
        _asked++;
        return Task.FromResult(_answers.Dequeue()());
    }
}
