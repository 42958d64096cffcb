using System.Text;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary><c>add --ssec</c>: the nine-word topic is made from the event.</summary>
public sealed class AddSsecTests : IDisposable
{
    private readonly TempSpool _spool = new();
    private readonly SpoolCommand _quickq;

    public AddSsecTests() => _quickq = new SpoolCommand(_spool);

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task Every_captured_event_gets_the_topic_it_was_published_under()
    {
        byte[] lines = await File.ReadAllBytesAsync(SsecEvents.FilePath);

        (await _quickq.RunWithInputAsync(lines, "add", "--lines", "--ssec")).MustSucceed();

        Assert.Equal(SsecEvents.All.Select(captured => captured.Topic), _spool.Query<string>("SELECT routing_key FROM message ORDER BY seq"));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_word_that_cannot_be_derived_is_named_and_nothing_is_stored()
    {
        CommandResult result = await _quickq.RunAsync("add", "--ssec", """{"satellite_ID":"G16"}""");

        Assert.Equal(65, result.ExitCode);
        Assert.Contains("satellite_family", result.Stderr, StringComparison.Ordinal);
        Assert.False(File.Exists(_spool.Path) && _spool.Value<int>("SELECT count(*) FROM message") > 0);
    }

    [Fact(Timeout = 60_000)]
    public async Task An_unusual_word_passes_with_one_warning_however_often_it_comes()
    {
        string odd = Encoding.UTF8.GetString(SsecEvents.All[0].Payload).Replace("\"server_type\": \"realtime\"", "\"server_type\": \"novel\"", StringComparison.Ordinal);

        CommandResult result = (await _quickq.RunWithInputAsync(Encoding.UTF8.GetBytes($"{odd}\n{odd}\n"), "add", "--lines", "--ssec")).MustSucceed();

        Assert.Equal(2, result.Lines.Count);
        Assert.Single(result.Stderr.TrimEnd().Split('\n'));
        Assert.Contains("novel", result.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_topic_of_ones_own_does_not_go_with_it()
    {
        Assert.Equal(64, (await _quickq.RunAsync("add", "--ssec", "-t", "x", "{}")).ExitCode);
    }
}
