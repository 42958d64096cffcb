using System.Globalization;
using System.Net.Sockets;
using Quickq.Spool;
using Quickq.Spool.Files;
using Quickq.SpoolCli.Service;
using Quickq.SpoolCli.Tests.Program;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>Whose message is stored next where many wait.</summary>
public sealed class AccountQueueTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Fact]
    public void Accounts_take_turns_and_what_each_has_queued_keeps_its_order()
    {
        var queue = new AccountQueue<string>();
        foreach (var (uid, item) in (IEnumerable<(uint, string)>)[(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1"), (3, "c1"), (2, "b2"), (1, "a4")])
        {
            queue.Enqueue(uid, item);
        }

        Assert.Equal(["a1", "b1", "c1", "a2"], Take(4));
        queue.Enqueue(3, "c2");
        Assert.Equal(["b2", "a3"], queue.RemoveFirst(item => item is "a3" or "b2"));
        Assert.Equal(["a4", "c2"], Take(queue.Count));
        Assert.False(queue.TryPeek(out _));
        queue.Enqueue(1, "a5");
        Assert.Equal(["a5"], Take(1));

        List<string> Take(int count) => [.. Enumerable.Range(0, count).Select(_ =>
        {
            Assert.True(queue.TryPeek(out var next));
            Assert.Equal(next, queue.Dequeue());
            return next;
        })];
    }

    [Fact(Timeout = 120_000)]
    public async Task A_message_of_one_account_does_not_wait_for_a_thousand_of_another()
    {
        await _spool.CreateAsync();
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        var answers = new AnswerQueue(socket, _ => { }, TimeProvider.System); // nobody reads them
        var queue = new CommitQueue(
            _spool.Path, new ServiceLog(TextWriter.Null, forJournal: false, TimeProvider.System), new LoopLiveness(Limit, TimeProvider.System), TimeProvider.System);
        using (var held = new WriteLock(_spool.Path))
        {
            held.Acquire(Limit);
            for (var i = 0; i < 1_000; i++)
            {
                queue.Add(1, Request(Id(i)), isLone: false);
            }

            queue.Add(2, Request("late"), isLone: false);
            held.Release(announce: false);
        }

        await queue.StopAsync().WaitAsync(Limit);
        Assert.Equal(1_001, _spool.Value<long>("SELECT count(*) FROM message"));
        Assert.Equal(1, _spool.Value<long>("SELECT count(*) FROM message WHERE seq < (SELECT seq FROM message WHERE id = 'late')"));
        Assert.Equal(Enumerable.Range(0, 1_000).Select(Id), _spool.Query<string>("SELECT id FROM message WHERE id <> 'late' ORDER BY seq"));

        AddRequest Request(string id) => new(new AppendRequest([new OutgoingMessage { Id = id }]), TimeProvider.System.GetTimestamp(), answers.Reserve(), new MemoryStream());
    }

    private static string Id(int number) => string.Create(CultureInfo.InvariantCulture, $"m{number:d5}");
}
