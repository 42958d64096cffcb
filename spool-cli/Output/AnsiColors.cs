namespace Quickq.SpoolCli.Output;

/// <summary>What a colour means here.</summary>
internal enum Colour
{
    None,
    Good,
    Warning,
    Bad,
    Faint,
}

/// <summary>Paints text on a terminal, and leaves it alone elsewhere or where NO_COLOR asks for that (no-color.org).</summary>
internal sealed class AnsiColors
{
    public static readonly AnsiColors Plain = new(isOn: false);
    private readonly bool _isOn;

    private AnsiColors(bool isOn) => _isOn = isOn;

    public static AnsiColors For(bool terminal) =>
        terminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) && Environment.GetEnvironmentVariable("TERM") is not "dumb"
            ? new AnsiColors(isOn: true)
            : Plain;

    public string Paint(string text, Colour colour) => !_isOn || colour == Colour.None || text.Length == 0 ? text : colour switch
    {
        Colour.Good => $"\e[32m{text}\e[0m",
        Colour.Warning => $"\e[33m{text}\e[0m",
        Colour.Bad => $"\e[31m{text}\e[0m",
        _ => $"\e[2m{text}\e[0m",
    };
}
