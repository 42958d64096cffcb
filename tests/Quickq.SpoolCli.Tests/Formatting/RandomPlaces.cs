using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Quickq.SpoolCli.Tests.Formatting;

/// <summary>Random JSON values and format specifications, right and wrong ones.</summary>
internal sealed class RandomPlaces(int seed)
{
    private static readonly string[] Texts = ["", "8", "G16", "café", "🚀x", "it's", "\"'", "a\tb\\c\n", "\u00ad\u2028\u0001\u007f\u00a0", "Not Available", "東京"];
    private readonly Random _random = new(seed);

    public RandomPlace Next() => new(Value(), _random.Next(5) > 0 ? "" : Pick("s", "r", "a"), _random.Next(8) == 0 ? "" : Specification());

    private string Value() => _random.Next(10) switch
    {
        0 => Pick("true", "false", "null"),
        1 or 2 => JsonSerializer.Serialize(Texts[_random.Next(Texts.Length)]),
        3 => Sign() + _random.Next(300).ToString(CultureInfo.InvariantCulture),
        4 => Sign() + Digits(1 + _random.Next(40)),
        5 => BitConverter.Int64BitsToDouble(_random.NextInt64(long.MinValue, long.MaxValue)) is var any && double.IsFinite(any) ? Float(any) : "0.0",
        6 => Float((_random.Next(-20_000, 20_000) + 0.5) / Math.Pow(10, _random.Next(5))),
        7 => Float(Math.ScaleB(_random.Next(1, 64), _random.Next(-1074, 960))),
        8 => $"{Sign()}{Digits(1 + _random.Next(20))}.{_random.NextInt64(long.MaxValue)}",
        _ => $"{Sign()}{_random.Next(1, 10)}e{_random.Next(-330, 312)}",
    };

    private string Specification()
    {
        var text = new StringBuilder();
        if (_random.Next(3) == 0)
        {
            _ = text.Append(_random.Next(2) == 0 ? "" : Pick("0", "*", "x", "é", "🚀", ".", "-", " ")).Append(Pick("<", ">", "=", "^"));
        }

        _ = text.Append(_random.Next(4) == 0 ? Pick("+", "-", " ") : "").Append(_random.Next(6) == 0 ? "#" : "").Append(_random.Next(5) == 0 ? "0" : "");
        _ = text.Append(_random.Next(2) == 0 ? _random.Next(1, 40).ToString(CultureInfo.InvariantCulture) : "").Append(_random.Next(6) == 0 ? Pick(",", "_") : "");
        _ = text.Append(_random.Next(3) == 0 ? $".{_random.Next(_random.Next(2) == 0 ? 6 : 40)}" : "");
        return text.Append(_random.Next(2) == 0 ? "" : Pick([.. "sdnboxXceEfFgG%".Select(type => type.ToString()), "y"])).ToString();
    }

    private string Digits(int count) => _random.Next(1, 10) + string.Concat(Enumerable.Range(1, count).Select(_ => _random.Next(10)));

    private string Sign() => _random.Next(3) == 0 ? "-" : "";

    private string Pick(params string[] among) => among[_random.Next(among.Length)];

    private static string Float(double value) => value.ToString("E16", CultureInfo.InvariantCulture);
}

/// <summary>A place of a template: the value as JSON, its conversion and its specification.</summary>
internal sealed record RandomPlace(string Json, string Conversion, string Specification)
{
    public string Template => "{v" + (Conversion.Length > 0 ? "!" + Conversion : "") + (Specification.Length > 0 ? ":" + Specification : "") + "}";
}
