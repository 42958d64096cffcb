using System.Diagnostics;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>A service that hangs, or dies before it answers: the client says in its time what it knows, and nothing is stored twice.</summary>
public sealed class LostAnswerTests : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30), Short = TimeSpan.FromMilliseconds(500);
    private readonly SharedSpool _shared = new();

    public async ValueTask InitializeAsync() => await _shared.StartAsync();

    public ValueTask DisposeAsync()
    {
        _shared.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact(Timeout = 120_000)]
    public async Task A_service_that_hangs_is_named_and_what_it_stores_later_is_stored_once()
    {
        using var client = new SpoolClient(SpoolLocation.Service(_shared.Socket, _shared.Path), Short);
        client.Append(Message("before"));
        await _shared.Service!.PauseAsync();

        var lost = Assert.Throws<SpoolException>(() => client.AppendMany([Message("m1"), new OutgoingMessage { Body = "y"u8.ToArray() }]));

        Assert.Equal(SpoolFault.Unanswered, lost.Fault);
        Assert.Contains("may have been stored", lost.Message, StringComparison.Ordinal);
        Assert.Equal(["m1", lost.MessageIds[1]], lost.MessageIds);
        _shared.Service!.Resume();
        Assert.Equal(lost.MessageIds, client.AppendMany([Message("m1"), new OutgoingMessage { Id = lost.MessageIds[1], Body = "y"u8.ToArray() }]));
        Assert.Equal(["before", .. lost.MessageIds], _shared.Spool.Query<string>("SELECT id FROM message ORDER BY seq"));
    }

    [Fact(Timeout = 180_000)]
    public async Task The_program_waits_for_a_hanging_service_for_its_time_and_names_the_id()
    {
        await _shared.Service!.PauseAsync();
        var clock = Stopwatch.StartNew();
        using ChildProcess add = _shared.Start(SharedSpool.Member, "add", "--id", "m1", "x");
        using ChildProcess status = _shared.Start(SharedSpool.Member, "status");

        Assert.Equal(75, await add.WaitForExitAsync(TimeSpan.FromSeconds(150)));
        Assert.Equal(75, await status.WaitForExitAsync(TimeSpan.FromSeconds(150)));

        Assert.True(clock.Elapsed >= TimeSpan.FromSeconds(79), $"it waited for {clock.Elapsed}");
        Assert.Contains("may have been stored, its id is m1", add.Stderr, StringComparison.Ordinal);
        _shared.Service!.Resume();
        Assert.Equal("m1\n", (await _shared.RunAsync(SharedSpool.Member, "add", "--id", "m1", "x")).MustSucceed().Stdout);
        Assert.Equal(1, _shared.Spool.Value<int>("SELECT count(*) FROM message"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_service_killed_between_commit_and_answer_has_stored_the_message_once()
    {
        using var cutter = new AnswerCutter(_shared.Spool.File("cut.sock"), _shared.Socket);
        using ChildProcess add = TestAccount.Root.Start(
            SharedSpool.Program, ["add", "--id", "m1", "x"], new Dictionary<string, string?>(StringComparer.Ordinal) { ["QUICKQ_SOCKET"] = cutter.Path });

        // The greeting and the add are answered; the answers stop here, and the service with them.
        await cutter.CutAfterAsync(answers: 2, _shared.Service!.Kill, Limit);
        Assert.Equal(1, _shared.Spool.Value<int>("SELECT count(*) FROM message WHERE id = 'm1'"));
        await _shared.StartAsync();
        cutter.PassOn();

        Assert.Equal(0, await add.WaitForExitAsync(Limit));
        Assert.Equal("m1\n", add.Stdout);
        Assert.Equal(1, _shared.Spool.Value<int>("SELECT count(*) FROM message"));
    }

    [Fact(Timeout = 120_000)]
    public async Task An_idle_connection_that_was_closed_is_opened_again()
    {
        using var client = new SpoolClient(SpoolLocation.Service(_shared.Socket, _shared.Path));
        client.Append(Message("m1"));
        _shared.Service!.Kill();
        await _shared.StartAsync();

        Assert.Equal("m2", client.Append(Message("m2")));
        Assert.Equal(SettlementProgress.Pending, client.WaitForDelivery(["m1", "m2"], TimeSpan.Zero));
        Assert.Equal("m1", client.ReadStatus("m1")!.Id);
        Assert.Null(client.ReadStatus("nobody"));
    }

    [Fact(Timeout = 120_000)]
    public void What_the_service_refuses_is_the_same_exception_as_directly()
    {
        using var client = new SpoolClient(SpoolLocation.Service(_shared.Socket, _shared.Path));
        client.Append(Message("m1"));

        var conflict = Assert.Throws<SpoolException>(() => client.Append(Message("m1") with { RoutingKey = "other" }));
        var tooLarge = Assert.Throws<SpoolException>(() => client.Append(new OutgoingMessage { Body = new byte[17 * 1024 * 1024] }));
        var invalid = Assert.Throws<SpoolException>(() => client.Append(new OutgoingMessage { RoutingKey = new string('k', 256) }));

        Assert.Equal([SpoolFault.IdConflict, SpoolFault.InvalidMessage, SpoolFault.InvalidMessage], [conflict.Fault, tooLarge.Fault, invalid.Fault]);
        Assert.All([conflict, tooLarge, invalid], refused => Assert.NotNull(refused.Hint));
        Assert.Equal("m2", client.Append(Message("m2")));
    }

    private static OutgoingMessage Message(string id) => new() { Id = id, Body = "x"u8.ToArray() };
}
