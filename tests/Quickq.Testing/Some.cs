using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Xunit;

namespace Quickq.Testing;

/// <summary>Random values. Each test has a sequence of its own, made from one seed that is printed when the test fails.</summary>
public static class Some
{
    private const string Letters = "abcdefghijklmnopqrstuvwxyz0123456789";
    private static readonly ConcurrentDictionary<string, Random> Sequences = new(StringComparer.Ordinal);

    /// <summary>The seed of this run: QUICKQ_SEED, else a random one.</summary>
    public static int Seed { get; } =
        int.TryParse(Environment.GetEnvironmentVariable("QUICKQ_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
            ? seed
            : new Random().Next();

    /// <summary>From <paramref name="least"/> to <paramref name="most"/>, both possible.</summary>
    public static int Number(int least, int most) => Draw(dice => dice.Next(least, most + 1));

    /// <summary>One of these.</summary>
    public static T Of<T>(params T[] choices) => choices[Number(0, choices.Length - 1)];

    public static TimeSpan Time(TimeSpan least, TimeSpan most) => least + ((most - least) * Draw(dice => dice.NextDouble()));

    public static byte[] Bytes(int count) => Draw(dice =>
    {
        var bytes = new byte[count];
        dice.NextBytes(bytes);
        return bytes;
    });

    /// <summary>Lower-case letters and digits: fit for names, keys and ids.</summary>
    public static string Word(int length = 8) => Draw(dice => new string(dice.GetItems<char>(Letters, length)));

    /// <summary>A routing key of so many words.</summary>
    public static string Topic(int words = 9) => string.Join('.', Enumerable.Range(0, words).Select(_ => Word(4)));

    /// <summary>A JSON object of about so many bytes.</summary>
    public static byte[] Json(int bytes = 1000) => Encoding.UTF8.GetBytes($$"""{"id":"{{Word(12)}}","text":"{{Word(Math.Max(1, bytes - 32))}}"}""");

    /// <summary>From the current test's own sequence, which several threads of it may draw from.</summary>
    private static T Draw<T>(Func<Random, T> draw)
    {
        Random dice = Sequences.GetOrAdd(TestContext.Current.Test?.TestDisplayName ?? "", static test => new Random(unchecked(Seed + StableHash(test))));
        lock (dice)
        {
            return draw(dice);
        }
    }

    private static int StableHash(string text) => text.Aggregate(17, static (hash, letter) => unchecked((hash * 31) + letter));
}
