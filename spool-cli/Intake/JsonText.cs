using System.Text.Json;
using System.Text.Unicode;

namespace Quickq.SpoolCli.Intake;

/// <summary>Judges whether a payload is one JSON text, and reads from it.</summary>
internal static class JsonText
{
    // The reader keeps one bit per level: depth costs nothing, and refusing it would call good JSON bad.
    private static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = 100_000 };
    private static readonly JsonDocumentOptions DocumentOptions = new() { MaxDepth = 100_000 };

    /// <summary>Whether the payload is exactly one JSON object or array.</summary>
    public static bool IsObjectOrArray(ReadOnlySpan<byte> payload)
    {
        var text = payload.TrimStart(" \t\r\n"u8);
        return !text.IsEmpty && text[0] is (byte)'{' or (byte)'[' && Fault(payload) is null;
    }

    /// <summary>Why the payload is not exactly one JSON text, or null when it is.</summary>
    public static string? Fault(ReadOnlySpan<byte> payload)
    {
        if (!Utf8.IsValid(payload))
        {
            return "it is not valid UTF-8";
        }

        try
        {
            var reader = new Utf8JsonReader(payload, ReaderOptions);
            while (reader.Read())
            {
                reader.TrySkip();
            }

            return null;
        }
        catch (JsonException exception)
        {
            // The message ends with the position, counted from 0: people count from 1.
            var reason = exception.Message.Split(" LineNumber:")[0].TrimEnd('.');
            return $"line {exception.LineNumber + 1}, byte {exception.BytePositionInLine + 1}: {reason}";
        }
    }

    /// <summary>Reads the payload as a document; refuses what is not one JSON text.</summary>
    public static JsonDocument Parse(ReadOnlyMemory<byte> payload, string wantedBy) =>
        Fault(payload.Span) is { } fault
            ? throw CommandLine.CommandException.BadData($"the message is not JSON ({fault})", $"{wantedBy} needs JSON")
            : JsonDocument.Parse(payload, DocumentOptions);
}
