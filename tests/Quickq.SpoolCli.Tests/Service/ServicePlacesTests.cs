using System.Globalization;
using Quickq.SpoolCli.Service;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>Who may have how many commands run, and for how long one may keep its place. Needs root.</summary>
public sealed class ServicePlacesTests : IDisposable
{
    private const uint First = 47_111, Users = 47_120, Admins = 47_130, Others = 47_140;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 180_000)]
    public async Task Members_leave_places_to_each_other_to_operators_and_to_the_owner()
    {
        using var service = await ServeProcess.StartAsync(_spool, "--group", $"{Users}", "--admin-group", $"{Admins}");
        using var owner = service.Connect();
        owner.Add(("m1", "x"));
        owner.ReadAnswer();
        var held = new List<ServiceClient>();
        foreach (var (account, places) in (IEnumerable<(uint, int)>)[(First, 4), (First + 1, 4), (First + 2, 2)])
        {
            for (var i = 0; i < places; i++)
            {
                held.Add(Hold(service, account, Users));
            }

            await Eventually.Is("all of them run", Limit, () => ServiceRunTests.CommandsOf(service).Count == held.Count);
            using var more = Connect(service, account, Users);
            more.Send('r', """{"arguments":["list"]}""");
            Assert.Equal(75, more.ReadError().Code);
        }

        using (var anOperator = Connect(service, First + 3, Admins))
        {
            Assert.Equal(0, anOperator.Run("cancel", "--all", "--yes").ExitCode);
        }

        held.AddRange([Hold(service, First + 3, Admins), Hold(service, First + 4, Admins)]);
        await Eventually.Is("operators have theirs", Limit, () => ServiceRunTests.CommandsOf(service).Count == held.Count);
        Assert.Equal(0, owner.Run("list").ExitCode);

        held[0].Dispose();
        using var again = Connect(service, First + 5, Admins);
        await Eventually.Is("a place that was left is given away", Limit, () =>
        {
            again.Send('r', """{"arguments":["list"]}""");
            again.Send('d', [0]);
            return again.ReadEnd() is ('j', _);
        });
        held.ForEach(client => client.Dispose());
    }

    [Fact(Timeout = 120_000)]
    public async Task The_kernel_ends_a_command_before_the_service_where_memory_is_short()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Send('r', """{"arguments":["add","--lines","-t","a"]}""");
        await Eventually.Is("the command runs", Limit, () => ServiceRunTests.CommandsOf(service).Count == 1);
        Assert.Equal(Math.Min(1000, ScoreOf(service.Child.Pid) + 500), ScoreOf(ServiceRunTests.CommandsOf(service).Single()));
    }

    [Fact]
    public void Patience_ends_ten_minutes_after_the_last_word_and_what_is_not_read_yet_renews_it()
    {
        var clock = new TimerByHand();
        var (isWaiting, isOver) = (false, false);
        using var patience = new InputPatience(() => isWaiting, () => isOver = true, clock);
        Assert.Equal((TimeSpan.FromMinutes(10), 1), (clock.DueTime, clock.Settings));
        patience.Renew();
        Assert.Equal((TimeSpan.FromMinutes(10), 2), (clock.DueTime, clock.Settings));

        clock.Elapse!(null);
        Assert.False(isOver);
        Assert.Equal(3, clock.Settings);

        isWaiting = true;
        clock.Elapse(null);
        Assert.True(isOver);
        Assert.Equal(3, clock.Settings);
    }

    private static int ScoreOf(int pid) => int.Parse(File.ReadAllText($"/proc/{pid}/oom_score_adj"), CultureInfo.InvariantCulture);

    private static ServiceClient Hold(ServeProcess service, uint account, uint group)
    {
        var client = Connect(service, account, group);
        client.Send('r', """{"arguments":["add","--lines","-t","a"]}""");
        return client;
    }

    private static ServiceClient Connect(ServeProcess service, uint account, uint group)
    {
        var client = ServiceClient.ConnectAs(service.Socket, account, Others, group);
        client.Greet();
        return client;
    }

    /// <summary>A clock with one timer, which the test lets elapse.</summary>
    private sealed class TimerByHand : TimeProvider, ITimer
    {
        public TimerCallback? Elapse { get; private set; }

        public TimeSpan DueTime { get; private set; }

        /// <summary>How often the timer was set.</summary>
        public int Settings { get; private set; }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Elapse = callback;
            Change(dueTime, period);
            return this;
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            (DueTime, Settings) = (dueTime, Settings + 1);
            return true;
        }

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
