using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Quickq.Agent.Feed;

namespace Quickq.Agent.Forwarding;

/// <summary>Reads from the broker's words who is to blame when it closed a channel: the exchange, or some of the messages. Pure.</summary>
/// <remarks>The exchange is blamed only for words that begin so, never because nobody else was found. RabbitMQ cuts its text at 255 bytes, the last three are dots then.</remarks>
/// <param name="Code">AMQP reply code.</param>
/// <param name="Text">Reply text.</param>
internal sealed partial record ChannelFault(ushort Code, string Text)
{
    private const ushort PreconditionFailed = 406;
    private const int CutAt = 255;
    private const string Dots = "...";

    /// <summary>The exchange is missing, forbidden or internal: no message is to blame.</summary>
    public bool IsOfExchange => ExchangeRefused().IsMatch(Text);

    /// <summary>There is no such exchange: whether it came can be asked without sending anything.</summary>
    public bool IsMissingExchange => Text.StartsWith("NOT_FOUND - no exchange ", StringComparison.Ordinal);

    /// <summary>What it means for the message that is found to be the cause.</summary>
    public PublishOutcome Outcome => Code == PreconditionFailed ? PublishOutcome.RefusedForGood : PublishOutcome.Refused;

    /// <summary>The broker's words, with the code.</summary>
    public string Reason => string.Create(CultureInfo.InvariantCulture, $"{Code} {Text}");

    /// <summary>
    /// The guilty ones that the text names: all that are larger than the broker allows, or the first with the routing key that it refuses. Empty when it names none.
    /// </summary>
    public IReadOnlyList<FeedMessage> FindNamed(IReadOnlyList<FeedMessage> inFlight)
    {
        if (TooLarge().Match(Text) is { Success: true } size
            && long.TryParse(size.Groups["max"].ValueSpan, CultureInfo.InvariantCulture, out long max))
        {
            return [.. inFlight.Where(message => message.BodyBytes > max)];
        }

        if (TopicRefused().Match(Text) is not { Success: true } topic)
        {
            return [];
        }

        // A key may hold what follows it in the text: the longest that fits is meant.
        string words = topic.Groups["rest"].Value;
        FeedMessage? named = inFlight.Where(message => Names(words, message.RoutingKey)).MaxBy(message => message.RoutingKey.Length);
        return named is null ? [] : [named];
    }

    private bool Names(string words, string key)
    {
        if (words.StartsWith(key + "' in ", StringComparison.Ordinal))
        {
            return true;
        }

        if (!words.EndsWith(Dots, StringComparison.Ordinal) || Encoding.UTF8.GetByteCount(Text) < CutAt - 3)
        {
            return false;
        }

        // The cut may go through a character, which then reads as U+FFFD.
        string begin = words[..^Dots.Length].TrimEnd('\uFFFD');
        return (key + "' in ").StartsWith(begin, StringComparison.Ordinal);
    }

    // "NOT_FOUND - no exchange 'x' in vhost '/'"; "ACCESS_REFUSED - access to exchange 'x' in vhost '/' refused for user 'u'", since 3.11 "write access to";
    // "ACCESS_REFUSED - cannot publish to internal exchange 'x' in vhost '/'".
    [GeneratedRegex(@"\A(?:NOT_FOUND - no exchange |ACCESS_REFUSED - (?:write )?access to exchange '|(?:ACCESS_REFUSED - )?cannot publish to internal exchange)", RegexOptions.Singleline, 1000)]
    private static partial Regex ExchangeRefused();

    // RabbitMQ 3.8 and up: "PRECONDITION_FAILED - message size 2048 is larger than configured max size 1024"; 4.x says "than max size".
    [GeneratedRegex(@"\APRECONDITION_FAILED - message size \d+ is larger than (?:configured )?max size (?<max>\d+)", RegexOptions.ExplicitCapture | RegexOptions.Singleline, 1000)]
    private static partial Regex TooLarge();

    // "ACCESS_REFUSED - access to topic 'a.b' in exchange 'x' in vhost '/' refused for user 'u'"
    [GeneratedRegex(@"\AACCESS_REFUSED - (?:write )?access to topic '(?<rest>.*)\z", RegexOptions.ExplicitCapture | RegexOptions.Singleline, 1000)]
    private static partial Regex TopicRefused();
}
