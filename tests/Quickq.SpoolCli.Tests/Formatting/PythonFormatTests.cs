using System.Text.Json;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Intake;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Formatting;

/// <summary>What a place in a template gives, against what the interpreter on this machine gives for the same value and specification.</summary>
public sealed class PythonFormatTests
{
    private const int Count = 20_000;

    private const string Oracle = """
        import json, sys
        if sys.version_info < (3, 10):
            sys.exit(3)
        for line in sys.stdin.buffer:
            case = json.loads(line.decode())
            try:
                text = case["template"].format(v=json.loads(case["json"]))
                text.encode()
            except (ValueError, OverflowError, TypeError):
                text = None
            sys.stdout.write(json.dumps(text) + "\n")
        """;

    [Theory(Timeout = 300_000)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Random_values_and_specifications_give_what_Python_gives(int seed)
    {
        var places = new RandomPlaces(seed);
        RandomPlace[] cases = [.. Enumerable.Range(0, Count).Select(_ => places.Next())];
        var input = string.Concat(cases.Select(one => JsonSerializer.Serialize(new { template = one.Template, json = one.Json }) + "\n"));

        using var interpreter = ChildProcess.Start(PythonProgram.Interpreter, ["-c", Oracle]);
        var python = await interpreter.EndAsync(input, TimeSpan.FromMinutes(2));
        Assert.SkipWhen(python.ExitCode == 3, "this Python formats text as before 3.10");
        Assert.Equal(0, python.ExitCode);

        string?[] expected = [.. python.Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<string?>(line))];
        var different = cases.Zip(expected, (one, wanted) => (one, wanted, got: Format(one))).Where(result => !string.Equals(result.wanted, result.got, StringComparison.Ordinal));
        Assert.Empty(different.Take(10).Select(result => $"{result.one}: Python {result.wanted ?? "refuses"}, here {result.got ?? "refused"}"));
        Assert.Equal(Count, expected.Length);
        Assert.InRange(expected.Count(text => text is not null), Count / 4, Count);
    }

    private static string? Format(RandomPlace place)
    {
        try
        {
            return TopicTemplate.Parse(place.Template).Expand(JsonElement.Parse($$"""{"v":{{place.Json}}}"""));
        }
        catch (CommandException)
        {
            return null;
        }
    }
}
