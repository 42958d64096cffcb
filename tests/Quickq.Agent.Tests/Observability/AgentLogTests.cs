using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Observability;
using Quickq.Spool.Systemd;

namespace Quickq.Agent.Tests.Observability;

public sealed class AgentLogTests : IDisposable
{
    private readonly StringWriter _output = new();
    private readonly AgentLogging _logging;
    private readonly ILogger _log;

    public AgentLogTests()
    {
        _logging = new AgentLogging(LogLevel.Information, _output, journal: null, TimeProvider.System);
        _log = _logging.Factory.CreateLogger("test");
    }

    // Tests run in artifacts/bin/<project>/<flavour>/.
    private static string Manual => Path.Combine(AppContext.BaseDirectory, "../../../../docs/operations.md");

    private static IEnumerable<MethodInfo> Methods =>
        typeof(AgentLog).Assembly.GetTypes().SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly));

    private static IEnumerable<LoggerMessageAttribute> Events => Methods.Select(method => method.GetCustomAttribute<LoggerMessageAttribute>()).OfType<LoggerMessageAttribute>();

    [Fact]
    public void Every_event_has_an_id_of_its_own()
    {
        Assert.NotEmpty(Events);
        Assert.Equal(Events.Count(), Events.DistinctBy(logged => logged.EventId).Count());
    }

    [Fact]
    public void The_manual_lists_every_event_as_it_is()
    {
        var expected = Methods.Select(method => (method.Name, Logged: method.GetCustomAttribute<LoggerMessageAttribute>()!)).Where(found => found.Logged is not null)
            .OrderBy(found => found.Logged.EventId)
            .Select(found => $"| `{found.Logged.EventId:x4}` | `{found.Name}` | {found.Logged.Level.ToString().ToLowerInvariant()} | {found.Logged.Message} |");

        Assert.Equal(expected, File.ReadLines(Manual).Where(line => Regex.IsMatch(line, @"^\| `[0-9a-f]{4}` \|", RegexOptions.None, TimeSpan.FromSeconds(1))));
        Assert.Contains($"`{JournalRecord.MessageIdPrefix}`", File.ReadAllText(Manual), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_value_in_an_event_has_a_known_name()
    {
        var known = typeof(LogKey).GetFields().Select(field => (string)field.GetRawConstantValue()!).ToHashSet(StringComparer.Ordinal);
        var used = Events.SelectMany(logged => Regex.Matches(logged.Message, @"(?<=\{)\w+", RegexOptions.None, TimeSpan.FromSeconds(1))).Select(match => match.Value);

        Assert.All(used, name => Assert.Contains(name, known));
    }

    [Fact]
    public void An_event_is_one_line_with_time_in_UTC_and_level()
    {
        _log.ConnectionLost("mq1", "127.0.0.1:5672", "End of \"stream\"\n2026-01-01T00:00:00.000Z INFO forged \u001b[31m");

        Assert.Matches(
            @"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARN mq1: connection to 127\.0\.0\.1:5672 lost: End of ""stream""\\n2026-01-01T00:00:00\.000Z INFO forged \\u001b\[31m\n\z",
            _output.ToString());
    }

    [Fact]
    public void The_level_decides_and_can_be_changed()
    {
        _log.NextAttempt("mq1", 2);
        Assert.Empty(_output.ToString());

        _logging.SetLevel(LogLevel.Debug);
        _log.NextAttempt("mq1", 2);
        Assert.EndsWith(" DEBUG mq1: next attempt to connect in 2.0 s\n", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Nobody_reading_the_log_does_no_harm()
    {
        using var broken = new BrokenPipe();
        using var logging = new AgentLogging(LogLevel.Information, new BufferedStderrWriter(broken), journal: null, TimeProvider.System);
        logging.Factory.CreateLogger("test").Stopped();
    }

    public void Dispose() => _logging.Dispose();

    private sealed class BrokenPipe : StringWriter
    {
        public override void Write(string? value) => throw new IOException("Broken pipe");
    }
}
