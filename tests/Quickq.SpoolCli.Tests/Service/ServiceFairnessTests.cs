using System.Globalization;
using System.Text;
using Quickq.SpoolCli.Service;
using Quickq.SpoolCli.Tests.Program;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>One account that asks for much: its own requests are refused or wait, those of others are served.</summary>
public sealed class ServiceFairnessTests : IDisposable
{
    private const uint Uid = 47_110, Gid = 47_120;
    private const int MostMessages = 10_000, MostAwaited = 20_000, MostIds = 1_000;

    /// <summary>One frame of 64 MiB and its copy as it grows, the program, and what the collector has not yet given back.</summary>
    private const long MostMemory = 384L * 1024 * 1024;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task A_request_of_more_messages_than_one_may_hold_is_refused_as_a_whole_and_costs_little()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Send('a', Objects(61 * 1024 * 1024 / 21, _ => "0"));
        client.Send('a', Objects(MostMessages + 1, Id));
        client.Send('a', Objects(MostMessages, Id));

        Assert.Contains("send fewer in one request", Refused(client, 65), StringComparison.Ordinal);
        Assert.Contains("at most 10,000 messages", Refused(client, 65), StringComparison.Ordinal);
        Assert.Equal(MostMessages, client.ReadAnswer().GetProperty("stored").GetInt32());
        Assert.Equal(MostMessages, _spool.Value<long>("SELECT count(*) FROM message"));
        var most = long.Parse(
            File.ReadLines($"/proc/{service.Child.Pid}/status").Single(line => line.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture) * 1024;
        Assert.True(most < MostMemory, $"{most:N0} bytes");
    }

    [Theory(Timeout = 120_000)]
    [InlineData('s')]
    [InlineData('w')]
    public async Task Ids_that_are_too_long_and_requests_that_are_too_large_end_the_connection(char kind)
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Send(kind, $$"""{"ids":["{{new string('x', 256)}}"]}""");
        Refused(client, 64);
        using var other = service.Connect();
        other.Send(kind, $$"""{"ids":["x"]{{new string(' ', 2 * 1024 * 1024)}}}""");
        Refused(other, 64);
    }

    [Fact(Timeout = 120_000)]
    public async Task Servers_that_are_no_text_are_the_clients_fault()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        foreach (var servers in (string[])["""["\ud800"]""", "\"\\ud800\"", "[1]", "{}"])
        {
            using var client = service.Connect();
            client.Send('w', $$"""{"ids":["x"],"servers":{{servers}}}""");
            Refused(client, 64);
        }

        Assert.DoesNotContain("internal error", service.Child.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task An_id_that_is_named_often_is_answered_as_often_and_counts_once()
    {
        await _spool.AddServersAsync("mq1");
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("m1", "x"));
        client.ReadAnswer();
        var often = string.Join(',', Enumerable.Repeat("\"m1\"", MostIds));
        client.Send('s', $$"""{"ids":[{{often}}]}""");
        Assert.Equal(MostIds, client.ReadAnswer().GetProperty("messages").GetArrayLength());
        client.Send('w', $$"""{"ids":[{{often}}],"timeout":0}""");
        Assert.Equal(MostIds, client.ReadAnswer().GetProperty("messages").GetArrayLength());

        using var waiting = service.Connect();
        for (var i = 0; i < 2 * MostAwaited / MostIds; i++)
        {
            waiting.Send('w', $$"""{"ids":[{{often}}]}""");
        }

        client.Send('w', $$"""{"ids":[{{often}}],"timeout":0.1}""");
        Assert.Equal("waiting", client.ReadAnswer().GetProperty("outcome").GetString());
    }

    [Fact(Timeout = 240_000)]
    public async Task What_an_account_waits_for_has_a_limit_and_others_are_answered()
    {
        await _spool.AddServersAsync("mq1");
        using var service = await ServeProcess.StartAsync(_spool, "--group", $"{Gid}");
        using var client = service.Connect();
        client.Send('a', Objects(MostIds, Id));
        client.ReadAnswer();
        var all = $$"""{"ids":[{{string.Join(',', Enumerable.Range(0, MostIds).Select(i => $"\"{Id(i)}\""))}}]""";
        using var later = ServiceClient.ConnectAs(service.Socket, Uid, Gid);
        later.Greet();
        using (var greedy = ServiceClient.ConnectAs(service.Socket, Uid, Gid))
        {
            greedy.Greet();
            for (var i = 0; i < MostAwaited / MostIds; i++)
            {
                greedy.Send('w', all + "}");
            }

            greedy.Add(("behind", "x")); // taken after the waits
            await Eventually.Is("it waits for as much as it may", Limit, () => _spool.Value<long>("SELECT count(*) FROM message WHERE id = 'behind'") == 1);
            Assert.Equal('e', Asked(later));
            client.Send('w', $$"""{"ids":["{{Id(0)}}"],"timeout":0.25}""");
            Assert.Equal("waiting", client.ReadAnswer().GetProperty("outcome").GetString());
        }

        await Eventually.Is("what it waited for is over with its connection", Limit, () => Asked(later) == 'j');

        static char Asked(ServiceClient client)
        {
            client.Send('w', $$"""{"ids":["{{Id(0)}}"],"timeout":0}""");
            return client.Read().Kind;
        }
    }

    [Fact(Timeout = 60_000)]
    public async Task Looks_take_turns_by_account_and_those_that_nobody_wants_are_left_out()
    {
        await _spool.AddServersAsync("mq1");
        using var readers = new SpoolReaders(_spool.Path);
        using var one = new ManualResetEventSlim();
        using var all = new ManualResetEventSlim();
        using var closed = new CancellationTokenSource();
        var seen = new List<uint>();
        var holding = Enumerable.Range(0, SpoolReaders.Most).Select(number => readers.LookAsync(1, default, _ => (number == 0 ? one : all).Wait(Limit))).ToList();
        var unwanted = readers.LookAsync<int>(1, closed.Token, _ => throw new InvalidOperationException("it is not wanted"));
        var first = Enumerable.Range(0, 100).Select(_ => Note(1)).ToList();
        var second = Note(2);
        await closed.CancelAsync();
        one.Set(); // one look after the other, since the others are held
        await Task.WhenAll([.. first, second]);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => unwanted);
        Assert.InRange(seen.IndexOf(2), 0, 1);
        all.Set();
        await Task.WhenAll(holding);

        Task<int> Note(uint uid) => readers.LookAsync(uid, default, _ =>
        {
            lock (seen)
            {
                seen.Add(uid);
            }

            return 0;
        });
    }

    [Fact(Timeout = 240_000)]
    public async Task Silent_connections_make_room_for_other_accounts_and_operators_find_a_place()
    {
        const uint AdminGid = 47_121;
        using var service = await ServeProcess.StartAsync(_spool, "--group", $"{Gid}", "--admin-group", $"{AdminGid}");
        var silent = new List<ServiceClient>();
        try
        {
            for (var i = 0; i < 1024 - 32; i++)
            {
                silent.Add(ServiceClient.ConnectAs(service.Socket, Uid + (uint)(i % 2), Gid));
            }

            using var member = ServiceClient.ConnectAs(service.Socket, Uid + 2, Gid);
            member.Greet();
            Assert.True(silent[0].IsAtEnd() || silent[1].IsAtEnd());

            // Operators have places of their own.
            for (var i = 0; i < 16; i++)
            {
                silent.Add(ServiceClient.ConnectAs(service.Socket, Uid + 3, AdminGid));
                silent[^1].Greet();
            }
        }
        finally
        {
            silent.ForEach(client => client.Dispose());
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task Only_operators_say_when_a_message_was_accepted()
    {
        using var service = await ServeProcess.StartAsync(_spool, "--group", $"{Gid}");
        using var member = ServiceClient.ConnectAs(service.Socket, Uid, Gid);
        member.Greet();
        using var owner = service.Connect();
        var payload = Objects("""[{"id":"m1","body":0,"createdAt":1700000000000000}]""");
        member.Send('a', payload);
        owner.Send('a', payload);
        Assert.Contains("createdAt", Refused(member, 77), StringComparison.Ordinal);
        Assert.Equal(1, owner.ReadAnswer().GetProperty("stored").GetInt32());
        Assert.Equal(1_700_000_000_000_000, _spool.Value<long>("SELECT created_at FROM message"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_spool_that_was_deleted_is_made_anew_by_the_next_add()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("m1", "x"));
        client.ReadAnswer();
        File.Delete(_spool.Path);
        client.Add(("m2", "x"));
        Assert.Equal(1, client.ReadAnswer().GetProperty("stored").GetInt32());
        Assert.Equal(["m2"], _spool.Query<string>("SELECT id FROM message"));
    }

    [Theory]
    [InlineData("uid 6001", "6200", "add the account with uid 6001 to group 6200, then log in again")]
    [InlineData("uid 6001", "staff", "add the account with uid 6001 to group staff, then log in again")]
    [InlineData("alice", "6200", "add the account alice to group 6200, then log in again")]
    [InlineData("alice", "staff", "sudo usermod -aG staff alice, then log in again")]
    public void A_hint_is_a_command_only_where_it_can_be_typed(string account, string group, string hint) =>
        Assert.Equal(hint, new AccessRules(0, new ServiceGroup(group, 6200), AdminGroup: null).UseHint(account));

    private static string Id(int number) => $"m{number:d5}";

    private static string Refused(ServiceClient client, int code)
    {
        var (was, text) = client.ReadError();
        Assert.Equal(code, was);
        return text;
    }

    private static byte[] Objects(int count, Func<int, string> id)
    {
        var json = new StringBuilder("[");
        for (var i = 0; i < count; i++)
        {
            json.Append(i == 0 ? "" : ",").Append(CultureInfo.InvariantCulture, $$"""{"id":"{{id(i)}}","body":0}""");
        }

        return Objects(json.Append(']').ToString());
    }

    private static byte[] Objects(string json)
    {
        var bytes = Encoding.UTF8.GetBytes(json);
        return [.. BitConverter.GetBytes(System.Net.IPAddress.HostToNetworkOrder(bytes.Length)), .. bytes];
    }
}
