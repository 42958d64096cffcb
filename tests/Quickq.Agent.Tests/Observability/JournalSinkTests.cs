using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Observability;
using Quickq.Spool.Systemd;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Observability;

/// <summary>The journal's native protocol, as a real datagram socket receives it.</summary>
public sealed class JournalSinkTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly TempFolder _folder = new("journal");
    private readonly StringWriter _lines = new();
    private readonly Socket _journal = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 10_000 };

    private string Address => _folder.File("socket");

    [Fact]
    public void An_event_arrives_with_its_fields()
    {
        _journal.Bind(new UnixDomainSocketEndPoint(Address));
        using var logging = Start();

        logging.Own.MessageRejected("mq1", "0199-a", "too large");

        Assert.Equal(
            [
                "MESSAGE=mq1: message 0199-a is rejected: too large", "PRIORITY=4", "SYSLOG_IDENTIFIER=quickq-agent",
                "QUICKQ_SERVER=mq1", "QUICKQ_MESSAGE_ID=0199-a", "QUICKQ_REASON=too large",
                $"MESSAGE_ID={JournalRecord.MessageIdPrefix}00d4", "QUICKQ_EVENT=MessageRejected",
            ],
            Receive().TrimEnd('\n').Split('\n'));
        Assert.Empty(_lines.ToString());
    }

    [Fact]
    public void A_value_with_line_breaks_goes_in_the_binary_form_and_forges_no_field()
    {
        _journal.Bind(new UnixDomainSocketEndPoint(Address));
        using var logging = Start();

        logging.Own.ConnectFailed("mq1", "one\nPRIORITY=0");

        string record = Receive();
        Assert.Contains("\nQUICKQ_REASON\n\u000e\0\0\0\0\0\0\0one\nPRIORITY=0\n", record, StringComparison.Ordinal);
        Assert.StartsWith("MESSAGE=mq1: cannot connect, tried again until it works: one\\nPRIORITY=0\nPRIORITY=4\n", record, StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_beyond_measure_is_cut_and_says_so()
    {
        _journal.Bind(new UnixDomainSocketEndPoint(Address));
        using var logging = Start();

        logging.Own.ReloadRefused(new string('x', 3_000_000));

        Assert.Contains("... (3000000 characters)\n", Receive(), StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_journal_that_reads_nothing_stops_nobody_and_learns_later_how_much_it_missed()
    {
        _journal.Bind(new UnixDomainSocketEndPoint(Address));
        using var logging = Start();
        foreach (int server in Enumerable.Range(0, 500))
        {
            logging.Own.Connected($"mq{server}", "127.0.0.1:5672");
        }

        var heard = new List<string>();
        await Eventually.Is("the journal hears of what it lost", Limit, () =>
        {
            heard.Add(Receive());
            return heard[^1].Contains("QUICKQ_EVENT=JournalLost\n", StringComparison.Ordinal);
        });

        // In order and whole up to what was kept; the rest is counted.
        int kept = heard.Count - 1;
        Assert.All(Enumerable.Range(0, kept), index => Assert.Contains($"QUICKQ_SERVER=mq{index}\n", heard[index], StringComparison.Ordinal));
        Assert.Contains($"\nQUICKQ_COUNT={500 - kept}\n", heard[^1], StringComparison.Ordinal);
        Assert.InRange(kept, 129, 499);
    }

    [Fact]
    public void Without_a_journal_lines_go_to_standard_error()
    {
        using var logging = Start();

        logging.Own.Stopped();

        Assert.EndsWith(" INFO stopped\n", _lines.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("9:1")]
    [InlineData("nonsense")]
    public void A_JOURNAL_STREAM_that_is_not_standard_error_is_not_believed(string? stream) => Assert.False(JournalStream.IsWanted(stream));

    [Fact]
    public void An_address_in_anybodys_words_loses_its_password()
    {
        using var logging = Start();

        logging.Own.ConnectFailed("mq1", "cannot reach amqps://oper:hunter2@mq1:5671/%2F nor http://a:b@c:hunter2@d/x?y@z");

        Assert.EndsWith("cannot reach amqps://***@mq1:5671/%2F nor http://***@d/x?y@z\n", _lines.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", _lines.ToString(), StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _journal.Dispose();
        _folder.Dispose();
    }

    private AgentLogging Start() => new(LogLevel.Information, _lines, Address, TimeProvider.System);

    private string Receive()
    {
        var buffer = new byte[1 << 18];
        return Encoding.UTF8.GetString(buffer, 0, _journal.Receive(buffer));
    }
}
