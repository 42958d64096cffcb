using System.Globalization;
using System.Text.RegularExpressions;
using Quickq.Agent.Feed;

namespace Quickq.Agent.Forwarding;

/// <summary>Reads from the broker's words who is to blame when it closed a channel: the exchange, or one of the messages.</summary>
/// <param name="Code">AMQP reply code.</param>
/// <param name="Text">Reply text.</param>
internal sealed partial record ChannelFault(ushort Code, string Text)
{
    private const ushort AccessRefused = 403, NotFound = 404, PreconditionFailed = 406;

    /// <summary>The exchange is missing or forbidden: no message is to blame.</summary>
    public bool IsOfExchange => Code == NotFound || (Code == AccessRefused && !TopicRefused().IsMatch(Text));

    /// <summary>There is no such exchange: whether it came can be asked without sending anything.</summary>
    public bool IsMissingExchange => Code == NotFound;

    /// <summary>What it means for the message that is found to be the cause.</summary>
    public PublishOutcome Outcome => Code == PreconditionFailed ? PublishOutcome.RefusedForGood : PublishOutcome.Refused;

    /// <summary>The broker's words, with the code.</summary>
    public string Reason => string.Create(CultureInfo.InvariantCulture, $"{Code} {Text}");

    /// <summary>The messages that the text itself names, by their size or routing key; empty when it names none.</summary>
    public IReadOnlyList<FeedMessage> FindNamed(IReadOnlyList<FeedMessage> inFlight)
    {
        if (TooLarge().Match(Text) is { Success: true } size
            && long.TryParse(size.Groups["max"].ValueSpan, CultureInfo.InvariantCulture, out long max))
        {
            return [.. inFlight.Where(message => message.BodyBytes > max)];
        }

        if (TopicRefused().Match(Text) is { Success: true } topic)
        {
            // All of them: the next one with this key would close the channel in the same way, and its neighbours would be sent once more for it.
            return [.. inFlight.Where(message => string.Equals(message.RoutingKey, topic.Groups["key"].Value, StringComparison.Ordinal))];
        }

        return [];
    }

    // RabbitMQ 3.8 and up: "PRECONDITION_FAILED - message size 2048 is larger than configured max size 1024"; 4.x says "than max size".
    [GeneratedRegex(@"message size \d+ is larger than (?:configured )?max size (?<max>\d+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TooLarge();

    // "ACCESS_REFUSED - access to topic 'a.b' in exchange 'x' in vhost '/' refused for user 'u'"
    [GeneratedRegex("access to topic '(?<key>.*?)' in exchange", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TopicRefused();
}
