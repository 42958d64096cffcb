using System.Buffers;
using System.Text.Json;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Intake;

/// <summary>Puts members into a JSON object: one of that name is replaced where it stands, others are added at the end.</summary>
/// <remarks>What is not replaced keeps its bytes: numbers their digits, strings their escapes.</remarks>
internal static class JsonMembers
{
    private static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = 100_000 };

    public static ReadOnlyMemory<byte> Merge(ReadOnlyMemory<byte> payload, IReadOnlyList<KeyValuePair<string, string>> members)
    {
        if (JsonText.Fault(payload.Span) is { } fault)
        {
            throw CommandException.BadData($"the message is not JSON ({fault})", "--metadata needs a JSON object to merge into");
        }

        var json = payload.Span;
        var reader = new Utf8JsonReader(json, ReaderOptions);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw CommandException.BadData("the message is not a JSON object", "--metadata needs a JSON object to merge into");
        }

        var merged = new ArrayBufferWriter<byte>(json.Length + 256);
        var written = new HashSet<string>(StringComparer.Ordinal);
        merged.Write("{"u8);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            CopyOrReplace(ref reader, json, members, written, merged);
        }

        foreach (var (name, value) in members)
        {
            if (written.Add(name))
            {
                WriteMember(merged, name, value);
            }
        }

        merged.Write("}"u8);
        return merged.WrittenMemory;
    }

    private static void CopyOrReplace(
        ref Utf8JsonReader reader,
        ReadOnlySpan<byte> json,
        IReadOnlyList<KeyValuePair<string, string>> members,
        HashSet<string> written,
        ArrayBufferWriter<byte> merged)
    {
        foreach (var (name, value) in members)
        {
            if (reader.ValueTextEquals(name))
            {
                reader.Skip();
                if (written.Add(name))
                {
                    WriteMember(merged, name, value);
                }

                return;
            }
        }

        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        Separate(merged);
        merged.Write(json[start..(int)reader.BytesConsumed]);
    }

    private static void WriteMember(ArrayBufferWriter<byte> merged, string name, string value)
    {
        Separate(merged);
        WriteString(merged, name);
        merged.Write(":"u8);
        WriteString(merged, value);
    }

    private static void WriteString(ArrayBufferWriter<byte> merged, string text)
    {
        using var writer = new Utf8JsonWriter(merged, new JsonWriterOptions { Encoder = Output.Json.PlainEncoder });
        writer.WriteStringValue(text);
    }

    private static void Separate(ArrayBufferWriter<byte> merged)
    {
        if (merged.WrittenCount > 1)
        {
            merged.Write(","u8);
        }
    }
}
