using System.Buffers;
using System.Globalization;
using System.Text;

namespace Quickq.Spool;

/// <summary>What AMQP 0-9-1 and the spool can hold: refuses the rest before anything is stored.</summary>
internal static class MessageRules
{
    /// <summary>An AMQP short string: at most this many bytes of UTF-8 (AMQP 0-9-1, section 4.2.5.3).</summary>
    public const int MaxShortString = 255;

    /// <summary>Names of servers in one message.</summary>
    public const int MaxServers = 1000;

    private static readonly SearchValues<char> IdCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-");

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Refuses a message that could not be delivered as it is, whatever the spool allows; needs no lock.</summary>
    /// <exception cref="SpoolException"><see cref="SpoolFault.InvalidMessage"/>, with the part and the limit.</exception>
    public static void Check(OutgoingMessage message, string path)
    {
        if (message.RoutingKey is null || message.Properties is null)
        {
            throw Refuse(path, $"the {(message.RoutingKey is null ? "routing key" : "properties")} must not be null", "leave it out: the default is an empty one");
        }

        if (message.Id is { } id && (id.Length is 0 or > MaxShortString || id.AsSpan().ContainsAnyExcept(IdCharacters)))
        {
            throw Refuse(path, "the id must have 1 to 255 characters of A-Z a-z 0-9 . _ : -", "choose another id, or leave it out: the spool makes one");
        }

        CheckShortString(message.RoutingKey, "routing key", path);
        CheckShortString(message.Exchange, "exchange", path);
        CheckShortString(message.Properties.ContentType, "content type", path);
        foreach ((string name, object? value) in message.Properties.Headers ?? new Dictionary<string, object?>(StringComparer.Ordinal))
        {
            CheckShortString(name, "header name", path);
            CheckHeader(name, value, path);
        }

        if (message.TimeToLive is { } timeToLive && (timeToLive <= TimeSpan.Zero || timeToLive > TimeSpan.FromDays(36500)))
        {
            throw Refuse(path, "the time to live must be more than zero and at most 100 years", "leave it out for a message that never expires");
        }

        CheckServers(message.Servers, path);
    }

    private static void CheckServers(IReadOnlyList<string>? names, string path)
    {
        if (names is null)
        {
            return;
        }

        if (names.Count is 0 or > MaxServers)
        {
            throw Refuse(path, names.Count == 0 ? "the list of servers is empty" : $"a message names at most {MaxServers} servers", "leave it out for all servers");
        }

        foreach (string name in names)
        {
            if (!TargetServers.IsName(name) || !HasUtf8Form(name))
            {
                throw Refuse(path, "the name of a server must have 1 to 255 characters, none of them a space or a control character", "'quickq-spool status' lists the names");
            }
        }
    }

    /// <summary>Refuses a body that is larger than the spool allows.</summary>
    /// <exception cref="SpoolException"><see cref="SpoolFault.InvalidMessage"/>, with the limit.</exception>
    public static void CheckSize(OutgoingMessage message, long maxMessageSize, string path)
    {
        if (message.Body.Length > maxMessageSize)
        {
            throw Refuse(path, string.Create(CultureInfo.InvariantCulture, $"the message has {message.Body.Length:N0} bytes, at most {maxMessageSize:N0} (maxMessageSize) are accepted"),
                "send a smaller one, or raise spool.maxMessageSize if the brokers take it");
        }
    }

    private static void CheckShortString(string? value, string what, string path)
    {
        if (value is null)
        {
            return;
        }

        int bytes;
        try
        {
            bytes = Strict.GetByteCount(value);
        }
        catch (EncoderFallbackException)
        {
            throw Refuse(path, $"the {what} contains an unpaired surrogate and cannot be encoded as UTF-8", $"correct the {what}");
        }

        if (bytes > MaxShortString)
        {
            throw Refuse(path, string.Create(CultureInfo.InvariantCulture, $"the {what} has {bytes} bytes, AMQP allows {MaxShortString}"), $"shorten the {what}");
        }

        if (value.Contains('\0', StringComparison.Ordinal))
        {
            throw Refuse(path, $"the {what} holds a zero byte, which AMQP does not allow", $"correct the {what}");
        }
    }

    private static void CheckHeader(string name, object? value, string path)
    {
        bool fits = value switch
        {
            null or bool or long or int => true,
            double number => double.IsFinite(number),
            string text => HasUtf8Form(text),
            _ => false,
        };
        if (!fits)
        {
            throw Refuse(path, $"the value of header '{name}' is not valid in AMQP", "use a string, a finite number, true, false or null");
        }
    }

    private static bool HasUtf8Form(string text)
    {
        try
        {
            Strict.GetByteCount(text);
            return true;
        }
        catch (EncoderFallbackException)
        {
            return false; // half a surrogate pair
        }
    }

    private static SpoolException Refuse(string path, string message, string hint) => new(SpoolFault.InvalidMessage, path, message, hint);
}
