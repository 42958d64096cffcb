using System.Text.Json;
using Quickq.Agent.Broker;
using Quickq.Agent.Feed;
using Quickq.Agent.Timing;
using Quickq.Agent.Upkeep;
using Quickq.Spool;

namespace Quickq.Agent.Forwarding;

/// <summary>From a row of the spool to what goes to the broker. Remembers the last few forms of properties: most messages share theirs.</summary>
internal sealed class MessageEncoding(string defaultExchange, ExpiryClock expiry)
{
    private const int MaxRemembered = 64, LongestRemembered = 4 * 1024;

    /// <summary>In characters. Headers fit in one frame of 128 KiB, in whatever way they are escaped.</summary>
    private const int LongestProperties = 1024 * 1024;

    private readonly Dictionary<string, MessageProperties> _parsed = new(StringComparer.Ordinal);

    /// <summary>The exchange that the message goes to at this server.</summary>
    public string ExchangeOf(FeedMessage message) => message.Exchange ?? defaultExchange;

    /// <summary>True when its time to live has run out.</summary>
    public bool IsExpired(FeedMessage message) => message.ExpiresAt is { } expiresAt && expiry.IsOver(expiresAt);

    /// <summary>The message for the broker; null, with the reason, when a foreign writer stored properties that cannot be read.</summary>
    public BrokerMessage? Encode(FeedMessage message, byte[] body, out string? fault)
    {
        fault = message.Fault ?? (message.Properties.Length > LongestProperties ? $"its properties take {message.Properties.Length} characters" : null);
        if (fault is not null)
        {
            return null;
        }

        try
        {
            return new BrokerMessage(message.Id, ExchangeOf(message), message.RoutingKey, PropertiesOf(message),
                SpoolTime.FromMicroseconds(message.CreatedAt), TimeLeft(message), body);
        }
        catch (JsonException unreadable)
        {
            fault = "its properties in the spool cannot be read: " + unreadable.Message;
            return null;
        }
        catch (Exception odd)
        {
            // A row that nobody foresaw must not stop the others.
            fault = $"it cannot be read from the spool: {odd.GetType().Name}: {odd.Message}";
            return null;
        }
    }

    private TimeSpan? TimeLeft(FeedMessage message) =>
        message.ExpiresAt is { } expiresAt ? expiry.TimeLeft(message.CreatedAt, expiresAt) : null;

    private MessageProperties PropertiesOf(FeedMessage message)
    {
        if (!_parsed.TryGetValue(message.Properties, out MessageProperties? properties))
        {
            properties = MessageProperties.FromJson(message.Properties);
            if (message.Properties.Length <= LongestRemembered)
            {
                if (_parsed.Count >= MaxRemembered)
                {
                    _parsed.Clear();
                }

                _parsed.Add(message.Properties, properties);
            }
        }

        return properties;
    }
}
