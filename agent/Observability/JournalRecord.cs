using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Quickq.Spool;
using Serilog.Events;

namespace Quickq.Agent.Observability;

/// <summary>A log event in the journal's native form: one field a line, a value that holds a line break with its length in front.</summary>
internal static class JournalRecord
{
    /// <summary>Each kind of event has this and its number in four hexadecimal digits as <c>MESSAGE_ID</c>. Never to be changed: searches and catalogues rely on it.</summary>
    public const string MessageIdPrefix = "6d1f8a2ec3b9470590e47bd25fa6";

    public const string Identifier = "quickq-agent";

    /// <summary>In characters. All values together stay far below what one datagram holds (some 200 kB).</summary>
    private const int LongestValue = 8 * 1024;

    public static byte[] Encode(LogEvent logEvent)
    {
        var record = new MemoryStream(512);
        Add(record, "MESSAGE", EventText.MessageOf(logEvent));
        Add(record, "PRIORITY", PriorityOf(logEvent.Level));
        Add(record, "SYSLOG_IDENTIFIER", Identifier);
        foreach (var (name, value) in logEvent.Properties)
        {
            if (value is ScalarValue { Value: { } scalar } && name is not "SourceContext")
            {
                Add(record, FieldOf(name), SafeText.Lines(EventText.WithoutPasswords(Convert.ToString(scalar, CultureInfo.InvariantCulture) ?? "")));
            }
        }

        if (EventKind.Of(logEvent) is { Id: > 0 } kind)
        {
            Add(record, "MESSAGE_ID", MessageIdOf(kind.Id));
            Add(record, "QUICKQ_EVENT", kind.Name);
        }

        if (logEvent.Exception is { } exception)
        {
            Add(record, "QUICKQ_EXCEPTION", SafeText.Lines(EventText.WithoutPasswords(exception.ToString())));
        }

        return record.ToArray();
    }

    public static string MessageIdOf(int eventId) => MessageIdPrefix + eventId.ToString("x4", CultureInfo.InvariantCulture);

    /// <summary><c>MessageId</c> becomes <c>QUICKQ_MESSAGE_ID</c>.</summary>
    public static string FieldOf(string property)
    {
        var field = new StringBuilder("QUICKQ");
        foreach (var letter in property)
        {
            if (char.IsAsciiLetterUpper(letter))
            {
                field.Append('_');
            }

            field.Append(char.IsAsciiLetterOrDigit(letter) ? char.ToUpperInvariant(letter) : '_');
        }

        return field.ToString();
    }

    private static string PriorityOf(LogEventLevel level) => level switch
    {
        LogEventLevel.Fatal => "2",
        LogEventLevel.Error => "3",
        LogEventLevel.Warning => "4",
        LogEventLevel.Information => "6",
        _ => "7",
    };

    private static void Add(MemoryStream record, string field, string value)
    {
        if (value.Length > LongestValue)
        {
            value = string.Create(CultureInfo.InvariantCulture, $"{value.AsSpan(0, LongestValue)}... ({value.Length} characters)");
        }

        var bytes = Encoding.UTF8.GetBytes(value);
        record.Write(Encoding.ASCII.GetBytes(field));
        if (bytes.AsSpan().Contains((byte)'\n'))
        {
            Span<byte> length = stackalloc byte[sizeof(ulong)];
            BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)bytes.Length);
            record.WriteByte((byte)'\n');
            record.Write(length);
        }
        else
        {
            record.WriteByte((byte)'=');
        }

        record.Write(bytes);
        record.WriteByte((byte)'\n');
    }
}
