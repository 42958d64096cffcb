using System.Net.Sockets;
using System.Text;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>What listens is not the owner's service, or does not answer as one: nothing counts as stored, and nothing crashes. Needs root.</summary>
public sealed class FalseServiceTests : IDisposable
{
    private const string Welcome = """{"protocol":1,"version":"1.0.0","spool":"/s","rights":"use"}""";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData('j', Welcome, 'd', "x")]
    [InlineData('j', Welcome, 'z', "{}")]
    [InlineData('j', Welcome, 'j', "{}")]
    [InlineData('j', Welcome, 'j', "[1]")]
    [InlineData('j', Welcome, 'j', "not JSON")]
    [InlineData('j', Welcome, 'j', """{"ids":["other"],"stored":1}""")]
    [InlineData('j', Welcome, 'j', """{"ids":["m1","m1"],"stored":1}""")]
    [InlineData('j', Welcome, 'j', """{"ids":[1],"stored":1}""")]
    [InlineData('j', "{}", 'j', """{"ids":["m1"],"stored":1}""")]
    [InlineData('d', Welcome, 'j', """{"ids":["m1"],"stored":1}""")]
    public void Only_an_answer_that_names_the_ids_says_that_they_are_stored(char first, string greeting, char second, string answer)
    {
        using var service = new FixedAnswers(_spool.File("f.sock"), (first, greeting), (second, answer));
        using SpoolClient client = SpoolClient.Open(service.Path);

        SpoolException lost = Assert.Throws<SpoolException>(() => client.Append(new OutgoingMessage { Id = "m1", Body = "x"u8.ToArray() }));

        Assert.Equal(SpoolFault.Unanswered, lost.Fault);
        Assert.Equal(["m1"], lost.MessageIds);
    }

    [Fact(Timeout = 120_000)]
    public void An_answer_that_names_them_does()
    {
        using var service = new FixedAnswers(_spool.File("f.sock"), ('j', Welcome), ('j', """{"ids":["m1"],"stored":1}"""));
        using SpoolClient client = SpoolClient.Open(service.Path);

        Assert.Equal("m1", client.Append(new OutgoingMessage { Id = "m1", Body = "x"u8.ToArray() }));
    }

    [Theory(Timeout = 120_000)]
    [InlineData('j', """{"code":3}""", 3)]
    [InlineData('j', "{}", 75)]
    [InlineData('j', """{"code":-1}""", 75)]
    [InlineData('j', """{"code":256}""", 75)]
    [InlineData('j', """{"code":"0"}""", 75)]
    [InlineData('j', "not JSON", 75)]
    [InlineData('e', """{"code":0,"fault":"Busy","message":"no","hint":null}""", 74)]
    [InlineData('e', """{"code":256,"fault":"Busy","message":"no","hint":null}""", 74)]
    [InlineData('e', "not JSON", 74)]
    [InlineData('e', "{}", 74)]
    public async Task The_exit_code_of_a_command_is_the_one_that_was_sent_or_that_of_an_error(char kind, string answer, int code)
    {
        using var service = new FixedAnswers(_spool.File("f.sock"), ('j', Welcome), (kind, answer));
        using ChildProcess status = Start(TestAccount.Root, service.Path, "status");

        Assert.Equal(code, await status.WaitForExitAsync(Limit));
        Assert.DoesNotContain("   at ", status.Stderr, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("add", "x")]
    [InlineData("status")]
    public async Task A_service_of_another_account_than_the_owner_gets_nothing(params string[] arguments)
    {
        using var folder = new TempFolder("planted");
        File.SetUnixFileMode(folder.Path, (UnixFileMode)0x1ED); // 0755
        using ChildProcess planted = await PlantAsync(folder);

        foreach (TestAccount account in (TestAccount[])[TestAccount.Root, SharedSpool.Member])
        {
            using ChildProcess sent = Start(account, folder.File("spool.sock"), arguments);
            Assert.Equal(77, await sent.WaitForExitAsync(Limit));
            Assert.Contains($"runs as {SharedSpool.Outsider.User}, not as the owner root", sent.Stderr, StringComparison.Ordinal);
        }

        await planted.StopAsync(Limit);
        Assert.Equal("ready\n", planted.Stdout);
    }

    [Fact(Timeout = 120_000)]
    public async Task In_a_folder_that_others_may_write_no_service_is_called()
    {
        using var folder = new TempFolder("planted");
        File.SetUnixFileMode(folder.Path, (UnixFileMode)0x3FF); // 1777
        using ChildProcess planted = await PlantAsync(folder);
        using ChildProcess add = Start(SharedSpool.Member, folder.File("spool.sock"), "add", "x");

        Assert.Equal(77, await add.WaitForExitAsync(Limit));
        Assert.Contains("may be written by other accounts", add.Stderr, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("/etc/passwd", 66, "/etc/passwd is not a socket")]
    [InlineData("/etc", 66, "/etc is not a socket")]
    [InlineData("/nowhere/spool.sock", 73, "set QUICKQ_SOCKET to")]
    public async Task A_wrong_path_in_the_environment_is_named(string path, int code, string says)
    {
        using ChildProcess add = Start(TestAccount.Root, path, "add", "x");

        Assert.Equal(code, await add.WaitForExitAsync(Limit));
        Assert.Contains(says, add.Stderr, StringComparison.Ordinal);
    }

    private static ChildProcess Start(TestAccount account, string socket, params string[] arguments) =>
        account.Start(SharedSpool.Program, arguments, new Dictionary<string, string?>(StringComparer.Ordinal) { ["QUICKQ_SOCKET"] = socket, ["QUICKQ_SPOOL"] = null });

    /// <summary>A listener of another account at the place of a service: it writes what it is sent to its output.</summary>
    private static async Task<ChildProcess> PlantAsync(TempFolder folder)
    {
        const string Code = """
            import os, socket, sys
            s = socket.socket(socket.AF_UNIX)
            s.bind(sys.argv[1])
            os.chmod(sys.argv[1], 0o666)
            os.setgroups([]); os.setgid(61953); os.setuid(61953)
            s.listen(8)
            print("ready", flush=True)
            while True:
                sys.stdout.write(s.accept()[0].recv(65536).decode("latin-1"))
                sys.stdout.flush()
            """;
        ChildProcess planted = ChildProcess.Start("python3", ["-c", Code, folder.File("spool.sock")]);
        await Eventually.Is("it listens", Limit, () => planted.Stdout.Contains("ready", StringComparison.Ordinal) || planted.HasExited);
        return planted;
    }

    /// <summary>Says the same to everybody who connects and sends something, as often as asked.</summary>
    private sealed class FixedAnswers : IDisposable
    {
        private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        private readonly byte[] _answers;

        public FixedAnswers(string path, params (char Kind, string Payload)[] answers)
        {
            Path = path;
            _answers = [.. answers.SelectMany(answer => ServiceClient.Frame(answer.Kind, Encoding.UTF8.GetBytes(answer.Payload)))];
            _listener.Bind(new UnixDomainSocketEndPoint(path));
            _listener.Listen();
            _ = AnswerAsync();
        }

        public string Path { get; }

        public void Dispose() => _listener.Dispose();

        private async Task AnswerAsync()
        {
            while (true)
            {
                Socket peer;
                try
                {
                    peer = await _listener.AcceptAsync();
                }
                catch (SocketException)
                {
                    return; // the test is over
                }

                _ = AnswerAsync(peer);
            }
        }

        private async Task AnswerAsync(Socket peer)
        {
            using (peer)
            {
                byte[] request = new byte[65536];
                await peer.ReceiveAsync(request);
                await peer.SendAsync(_answers);
                while (await peer.ReceiveAsync(request) > 0)
                {
                    // Until the client leaves.
                }
            }
        }
    }
}
