using System.Text.Json;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Ssec;

/// <summary>The two readers of the table of topics, here and in the Python package: the same topic, or the same error, for any payload.</summary>
public sealed class PythonTopicTests
{
    private const int Count = 20_000;

    private const string Oracle = """
        import json, sys
        from quickq import ssec
        for line in sys.stdin.buffer:
            try:
                topic = ssec.topic_for(json.loads(line.decode()))
                said = [topic] + ssec.validate_topic(topic)
            except ValueError as wrong:
                said = ["error: {}".format(wrong)]
            sys.stdout.write(json.dumps(said) + "\n")
        """;

    private static readonly string[] Families =
        ["GOES", "Himawari", "Meteosat", "JPSS", "NOAA", "MetOp", "DMSP", "FengYun", "GCOM", "Sentinel", "Composite", "Electro", "decides", "Not Available", "a.b"];

    private static readonly string[] Satellites =
    [
        "G16", "GOES-16", "goes 16", "goes", "GOES-R", "H9", "h09", "H0", "Himawari-9", "himawari9x", "8", "MTG-I1", "m12", "Meteosat-9", "NPP", "NOAA-20", "N19", "FY3D", "fy-4a",
        "FY2", "FY5", "S5P", "Sentinel-4A", "S3A", "Not Available", "n/a", "", "x y", "é", "F17",
    ];

    private static readonly string[] Others = ["ABI", "SEIS", "mag", "VIIRS", "file", "adde", "realtime", "ncdf", "image", "end", "geo", "leo", "Not Available", " N/A ", "", "#", "ü"];
    private static readonly object?[] Odd = [null, true, 7, -3, 1.5, new[] { 1 }, new { a = 1 }];
    private static readonly string[] Members = ["satellite_type", "satellite_family", "satellite_ID", "instrument", "medium", "server_type", "format", "message_type", "status", "band"];

    [Theory(Timeout = 300_000)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Any_payload_gives_the_same_here_and_in_the_Python_package(int seed)
    {
        var random = new Random(seed);
        string[] payloads = [.. Enumerable.Range(0, Count).Select(_ => JsonSerializer.Serialize(Payload(random)))];

        using ChildProcess interpreter = ChildProcess.Start(PythonProgram.Interpreter, ["-c", Oracle], PythonProgram.Variables("/nowhere/spool.db"));
        CommandResult python = await interpreter.EndAsync(string.Concat(payloads.Select(payload => payload + "\n")), TimeSpan.FromMinutes(2));

        Assert.Equal(0, python.ExitCode);
        string[] expected = [.. python.Lines.Select(line => string.Join(" | ", JsonSerializer.Deserialize<string[]>(line)!))];
        Assert.Equal(Count, expected.Length);
        Assert.Empty(payloads.Zip(expected, (payload, said) => (payload, said, here: Derive(payload))).Where(pair => !string.Equals(pair.said, pair.here, StringComparison.Ordinal)).Take(10));
        Assert.InRange(expected.Count(said => !said.StartsWith("error", StringComparison.Ordinal)), Count / 20, Count);
    }

    private static Dictionary<string, object?> Payload(Random random)
    {
        var payload = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (string member in Members.Where(_ => random.Next(12) > 0))
        {
            string[] from = member switch { "satellite_family" => Families, "satellite_ID" => Satellites, _ => Others };
            payload[member] = random.Next(40) == 0 ? Odd[random.Next(Odd.Length)] : from[random.Next(from.Length)];
        }

        return payload;
    }

    private static string Derive(string payload)
    {
        try
        {
            string topic = SsecTopic.Derive(JsonElement.Parse(payload));
            return string.Join(" | ", [topic, .. SsecTopic.FindUnusualWords(topic)]);
        }
        catch (FormatException wrong)
        {
            return $"error: {wrong.Message}";
        }
    }
}
