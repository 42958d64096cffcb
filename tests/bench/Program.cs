using System.Globalization;
using Quickq.Bench;

// Usage: bash tests/bench/run.sh drain [messages [bytes [rounds]]] | backlog [messages [bytes]]
int Number(int index, int otherwise) => args.Length > index ? int.Parse(args[index], CultureInfo.InvariantCulture) : otherwise;
switch (args)
{
    case ["drain", ..]:
        await DrainComparison.RunAsync(Number(1, 100_000), Number(2, 1_000), Number(3, 3), Console.Out);
        return 0;
    case ["backlog", ..]:
        await BacklogMeasurement.RunAsync(Number(1, 5_000_000), Number(2, 1_000), Console.Out);
        return 0;
    default:
        await Console.Error.WriteLineAsync("usage: bash tests/bench/run.sh drain [MESSAGES [BYTES [ROUNDS]]] | backlog [MESSAGES [BYTES]]");
        return 64;
}
