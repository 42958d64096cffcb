using System.Globalization;
using System.Text;
using System.Text.Unicode;
using Quickq.Spool;

namespace Quickq.SpoolCli.Output;

/// <summary>Messages for a person: the rows of <c>status ID</c> and <c>list</c>, the page of <c>show</c>.</summary>
internal sealed class MessageText(TextWriter output, AnsiColors palette, DateTimeOffset now)
{
    private const int MaxBodyShown = 4096;
    private static readonly string[] DeliveryHeadings = ["SERVER", "STATE", ">ATTEMPTS", "NEXT ATTEMPT", "SETTLED", "ENDPOINT", "REASON"];

    /// <summary>One row per message and server.</summary>
    public void WriteStatus(IEnumerable<MessageStatus> messages)
    {
        var table = new TextTable(["ID", .. DeliveryHeadings]);
        foreach (var message in messages)
        {
            foreach (var row in DeliveryRows(message))
            {
                table.Add([message.Id, .. row]);
            }
        }

        table.Write(output, palette);
    }

    /// <summary>One row per message.</summary>
    public void WriteList(IReadOnlyList<MessageStatus> messages)
    {
        if (messages.Count == 0)
        {
            return;
        }

        var table = new TextTable("ID", "ACCEPTED", "EXCHANGE", "TOPIC", "DELIVERIES");
        foreach (var message in messages)
        {
            table.Add(
                message.Id,
                Time.Short(message.CreatedAt),
                Exchange(message.Exchange),
                message.RoutingKey,
                message.Deliveries.Count == 0 ? "unassigned" : string.Join(' ', message.Deliveries.Select(row => $"{row.Server}:{row.State}")));
        }

        table.Write(output, palette);
    }

    /// <summary>Everything about one message.</summary>
    public void WriteMessage(StoredMessage message)
    {
        var (status, properties) = (message.Status, message.Properties);
        Line("id", status.Id);
        Line("accepted", $"{Time.Exact(status.CreatedAt)}, {Time.Span(now - status.CreatedAt)} ago");
        Line("exchange", Exchange(status.Exchange));
        Line("topic", status.RoutingKey);
        if (status.Servers is { } servers)
        {
            Line("servers", string.Join(", ", servers));
        }

        Line("expires", Time.Exact(status.ExpiresAt) ?? "never");
        if (message.PropertiesFault is { } fault)
        {
            Line("properties", $"cannot be read: {fault}");
            Line("", message.UnreadableProperties!);
        }

        Line("content type", properties.ContentType ?? "-");
        Line("delivery mode", properties.Transient ? "transient" : "persistent");
        Line("priority", properties.Priority?.ToString(CultureInfo.InvariantCulture) ?? "-");
        foreach (var (name, value) in properties.Headers ?? new Dictionary<string, object?>(StringComparer.Ordinal))
        {
            Line("header", $"{name}={Convert.ToString(value, CultureInfo.InvariantCulture)}");
        }

        Line("body", ByteSize.Describe(message.Body.Length));
        output.Write('\n');
        var table = new TextTable(DeliveryHeadings);
        foreach (var row in DeliveryRows(status))
        {
            table.Add(row);
        }

        table.Write(output, palette);
        output.Write('\n');
        WriteBody(message.Body);
    }

    private void Line(string name, string value) => output.Write($"{palette.Paint(name.PadRight(13), Colour.Faint)}  {SafeText.OneLine(value)}\n");

    private void WriteBody(byte[] body)
    {
        if (!Utf8.IsValid(body))
        {
            output.Write("(the body is not text; --body writes it byte for byte)\n");
            return;
        }

        // Cut between characters, not within one.
        var shown = Math.Min(body.Length, MaxBodyShown);
        while (shown < body.Length && (body[shown] & 0xC0) == 0x80)
        {
            shown--;
        }

        output.Write(SafeText.Lines(Encoding.UTF8.GetString(body, 0, shown)));
        output.Write(shown < body.Length ? $"\n(cut here; --body writes all {Printable.Count(body.Length)} bytes)\n" : "\n");
    }

    private static IEnumerable<Cell[]> DeliveryRows(MessageStatus message) => message.Deliveries.Count == 0
        ? [["-", new("unassigned", Colour.Warning), "0", "-", "-", "-", message.Servers is null ? "no server takes it yet" : $"none of its servers is known yet: {string.Join(", ", message.Servers)}"]]
        : message.Deliveries.Select(row => new Cell[]
        {
            row.ServerActive ? row.Server : $"{row.Server} (not configured)",
            new(row.State, ColourOf(row.State)),
            row.Attempts.ToString(CultureInfo.InvariantCulture),
            Time.Short(row.NextAttemptAt),
            Time.Short(row.SettledAt),
            row.Endpoint ?? "-",
            row.Reason ?? "-",
        });

    private static Colour ColourOf(string state) => state switch
    {
        DeliveryState.Delivered => Colour.Good,
        DeliveryState.Rejected or DeliveryState.Expired or DeliveryState.Cancelled => Colour.Bad,
        _ => Colour.Warning,
    };

    private static string Exchange(string? exchange) => exchange switch
    {
        null => "(the server's)",
        "" => "(AMQP default)",
        _ => exchange,
    };
}
