using System.Globalization;
using Quickq.Bench;

// Usage: bash tests/bench/run.sh drain [messages [bytes [rounds]]], or poison [messages [rounds]]
if (args is not ["drain" or "poison", ..])
{
    await Console.Error.WriteLineAsync("usage: bash tests/bench/run.sh drain [MESSAGES [BYTES [ROUNDS]]] | poison [MESSAGES [ROUNDS]]");
    return 64;
}

int Number(int index, int otherwise) => args.Length > index ? int.Parse(args[index], CultureInfo.InvariantCulture) : otherwise;
if (args[0] is "poison")
{
    await PoisonComparison.RunAsync(Number(1, 100_000), Number(2, 3), Console.Out);
    return 0;
}

await DrainComparison.RunAsync(Number(1, 100_000), Number(2, 1_000), Number(3, 3), Console.Out);
return 0;
