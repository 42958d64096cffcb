using System.Globalization;
using Quickq.Bench;
using Quickq.Bench.Contestants;

// Usage: tests/bench/run.sh [NAME...] [options] | backlog [MESSAGES [BYTES]] | poison [MESSAGES [ROUNDS]].
// A contestant that must have a process of its own is this program again.
int Number(int index, int otherwise) => args.Length > index ? int.Parse(args[index], CultureInfo.InvariantCulture) : otherwise;
switch (args)
{
    case ["contestant", .. var what]:
        return await ClientAlone.RunAsync(what);
    case ["backlog", ..]:
        await BacklogMeasurement.RunAsync(Number(1, 5_000_000), Number(2, 1_000), Console.Out);
        return 0;
    case ["poison", ..]:
        await PoisonComparison.RunAsync(Number(1, 100_000), Number(2, 3), Console.Out);
        return 0;
    default:
        return await BenchRun.RunAsync(args);
}
