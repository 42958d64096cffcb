using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Commands;

/// <summary>The options by which <c>list</c> and the operator's commands choose messages.</summary>
/// <param name="usualLimit">How many when <c>--limit</c> is not given: "100", "all".</param>
internal sealed class FilterOptions(string usualLimit)
{
    private readonly Option _server = Options.Value("--server", "NAME", "only messages for this server");
    private readonly Option _state = Options.Value("--state", "STATE", "only messages in this state (see 'status --help')");
    private readonly Option _topic = Options.Value("--topic", "PATTERN", "only topics that match", "-t");
    private readonly Option _since = Options.Value("--since", "TIME", "only what was accepted at this time or later");
    private readonly Option _until = Options.Value("--until", "TIME", "only what was accepted before this time");
    private readonly Option _limit = Options.Value("--limit", "N", $"show at most N, newest first (default: {usualLimit})");

    public void AddTo(Command command)
    {
        foreach (var option in (ReadOnlySpan<Option>)[_server, _state, _topic, _since, _until, _limit])
        {
            command.Options.Add(option);
        }
    }

    public MessageFilter Read(ParsedArguments typed, TimeProvider clock, int defaultLimit) => new()
    {
        Server = typed.ValueOf(_server),
        State = Values.State("--state", typed.ValueOf(_state)),
        TopicPattern = typed.ValueOf(_topic),
        Since = Values.Instant("--since", typed.ValueOf(_since), clock),
        Until = Values.Instant("--until", typed.ValueOf(_until), clock),
        Limit = Values.Whole("--limit", typed.ValueOf(_limit), 1, int.MaxValue - 1) ?? defaultLimit,
    };
}
