using System.Globalization;
using System.Text.Json;
using Quickq.Bench.Contestants;
using Quickq.Testing;

namespace Quickq.Bench.Comparisons;

/// <summary>One message by a whole process: Quickq's program, the <c>sqlite3</c> program, <c>amqp-publish</c>, Python (add_processes.py starts and times them in turns).</summary>
internal static class CliComparison
{
    private const int RoundsAlways = 300;

    public static async Task<Report> RunAsync(BenchOptions options)
    {
        await using var nodes = new NodeSet();
        await using Target target = await Target.MakeAsync(await nodes.AddAsync("cli"), "cli");
        int rounds = options.Rounds is { } asked ? asked * RoundsAlways / 3 : RoundsAlways;
        int lines = options.Messages ?? 100_000;
        string output = await PythonScript.RunAsync(
            "add_processes.py", [BuiltPrograms.SpoolCli, Text(rounds), Text(lines), $"amqp://guest:guest@{target.Address}", BuiltPrograms.PythonPackage]);
        Line[] all = [.. output.Trim().Split('\n').Select(line => JsonSerializer.Deserialize<Line>(line)!)];
        Line[] processes = [.. all.Where(line => line.Name is not "lines")];
        Line add = processes.Single(line => line.Name is "`quickq-spool add`");
        Line served = processes.Single(line => line.Name.Contains("through the service", StringComparison.Ordinal));
        Line sqlite = processes.Single(line => line.Name.Contains("durable insert", StringComparison.Ordinal));
        Line[] rates = [.. all.Where(line => line.Name is "lines").OrderBy(line => line.Median)];
        return new Report(
            [$"one message of 1 kB, {rounds} rounds in turns", "ms, median", "10 % - 90 %", "processor ms"],
            [.. processes.Select(line => (string[])[line.Name, Report.Number(line.Median, 1), $"{Report.Number(line.Tenth, 1)} - {Report.Number(line.Ninetieth, 1)}", Report.Number(line.Processor, 1)])],
            Report.Goal("`quickq-spool add` against the `sqlite3` program", add.Median / sqlite.Median, 1.1, atLeast: false),
            Report.Goal("`quickq-spool add` through the service against the `sqlite3` program", served.Median / sqlite.Median, 1.2, atLeast: false),
            $"`quickq-spool add --lines` with a topic template, {Report.Number(lines)} lines of 1 kB: **{Report.Number(rates[rates.Length / 2].Median)}** messages/s ({Report.Number(rates[0].Median)} - {Report.Number(rates[^1].Median)})");
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private sealed record Line(string Name, double Median, double Tenth, double Ninetieth, double Processor);
}
