using System.Text;
using System.Text.Json;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Intake;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Formatting;

/// <summary>The two readers of templates, here and in the Python package: the same key, or the same error, for any template.</summary>
public sealed class PythonTemplateTests
{
    private const int Count = 20_000;

    private const string Payload = """{"a":{"b":"x","0":7,":":"colon","}":null},"b":"é","c":-12.5,"l":["first",[true]],"a.b":3}""";

    private const string Oracle = """
        import json, sys
        from quickq import InvalidMessage
        from quickq.template import TopicTemplate
        payload = json.loads(sys.argv[1])
        for line in sys.stdin.buffer:
            try:
                said = TopicTemplate(json.loads(line.decode()))(payload)
            except InvalidMessage as wrong:
                said = "{}: {}".format(wrong.code, wrong.message)
            sys.stdout.write(json.dumps(said) + "\n")
        """;

    private static readonly string[] Pieces = ["{", "{", "}", "}", "[", "]", ":", "!", "a", "b", "c", "l", "0", "1", ".", ">", "<", "^", "5", "r", "s", "x", ",", "é", "🚀", " "];
    private static readonly string[] Places = ["{b}", "{a[b]}", "{c:.1f}", "{l[0]}", "{l[1][0]}", "{b!r:>5}", "{{", "}}", "{a[:]:>7}", "{a[}]}", "{c:=+9}"];

    [Theory(Timeout = 300_000)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Any_template_gives_the_same_here_and_in_the_Python_package(int seed)
    {
        var random = new Random(seed);
        string[] templates = [.. Enumerable.Range(0, Count).Select(_ => Template(random))];
        var input = string.Concat(templates.Select(template => JsonSerializer.Serialize(template) + "\n"));

        using var interpreter = ChildProcess.Start(PythonProgram.Interpreter, ["-c", Oracle, Payload], PythonProgram.Variables("/nowhere/spool.db"));
        var python = await interpreter.EndAsync(input, TimeSpan.FromMinutes(2));

        Assert.Equal((0, ""), (python.ExitCode, python.Stderr));
        string[] expected = [.. python.Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<string>(line)!)];
        Assert.Equal(Count, expected.Length);
        Assert.Empty(templates.Zip(expected, (template, said) => (template, said, here: Expand(template))).Where(pair => !string.Equals(pair.said, pair.here, StringComparison.Ordinal)).Take(10));
        Assert.InRange(expected.Count(said => !said.StartsWith("6", StringComparison.Ordinal)), Count / 10, Count);
    }

    private static string Template(Random random)
    {
        var text = new StringBuilder();
        for (var count = random.Next(1, 8); count > 0; count--)
        {
            var from = random.Next(3) == 0 ? Places : Pieces;
            _ = text.Append(from[random.Next(from.Length)]);
        }

        return text.ToString();
    }

    private static string Expand(string template)
    {
        try
        {
            return TopicTemplate.Parse(template).Expand(JsonElement.Parse(Payload));
        }
        catch (CommandException wrong)
        {
            return $"{(int)wrong.Code}: {wrong.Message.Replace("--topic ", "", StringComparison.Ordinal)}";
        }
    }
}
