using System.Text;
using System.Text.Json;

namespace Quickq.DemoAudit;

/// <summary>What was accepted, in order: the lines of the event file beside the ids that `quickq-spool add --lines` printed.</summary>
internal static class AcceptedEvents
{
    public static IReadOnlyList<FoundMessage> Read(string eventsFile, string idsFile)
    {
        var lines = SplitLines(File.ReadAllBytes(eventsFile));
        var ids = File.ReadAllLines(idsFile);
        if (ids.Length > lines.Count)
        {
            throw new InvalidDataException($"{ids.Length} ids were printed for {lines.Count} events");
        }

        return [.. lines.Select((line, at) => new FoundMessage(at < ids.Length ? ids[at] : $"(never accepted: line {at + 1})", TopicOf(line), line))];
    }

    private static List<byte[]> SplitLines(byte[] text)
    {
        var lines = new List<byte[]>();
        foreach (var range in text.AsSpan().Split((byte)'\n'))
        {
            if (range.Start.Value != range.End.Value)
            {
                lines.Add(text[range]);
            }
        }

        return lines;
    }

    private static string TopicOf(byte[] line)
    {
        using var json = JsonDocument.Parse(Encoding.UTF8.GetString(line));
        return json.RootElement.GetProperty("__topic__").GetString()!;
    }
}
