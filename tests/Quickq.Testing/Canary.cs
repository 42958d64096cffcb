using System.Globalization;
using System.Text;

namespace Quickq.Testing;

/// <summary>A password that is to be found nowhere but where it was put, and the hunt for it.</summary>
/// <remarks>Two words with the characters between them that addresses, JSON and shells escape: whoever shows half of it is found too, and in whichever form.</remarks>
public sealed class Canary
{
    private readonly string _left = string.Create(CultureInfo.InvariantCulture, $"tweet{Guid.NewGuid():N}");
    private readonly string _right = string.Create(CultureInfo.InvariantCulture, $"chirp{Guid.NewGuid():N}");

    /// <summary>The password as it is.</summary>
    public string Password => $"{_left}@/% {_right}";

    /// <summary>The password as an address holds it.</summary>
    public string InAddress => Uri.EscapeDataString(Password);

    /// <summary>Throws where it finds any part of the password in a text.</summary>
    /// <param name="place">What the text is, for the failure.</param>
    /// <param name="text">What somebody could read there.</param>
    public void MustNotBeIn(string place, string text)
    {
        foreach (string word in new[] { _left, _right })
        {
            int at = text.IndexOf(word, StringComparison.OrdinalIgnoreCase);
            if (at >= 0)
            {
                throw new InvalidOperationException($"The canary sings in {place}: ...{text[Math.Max(0, at - 150)..Math.Min(text.Length, at + 80)].Replace('\0', ' ')}...");
            }
        }
    }

    /// <summary>The same for the bytes of a file.</summary>
    public void MustNotBeIn(FileInfo file)
    {
        // A socket cannot be read, and holds nothing.
        if (file.Length > 0 && IsIn(File.ReadAllBytes(file.FullName)))
        {
            throw new InvalidOperationException($"The canary sings in the file {file.FullName}");
        }
    }

    /// <summary>Whether any part of it is there, as UTF-8 or as .NET keeps texts in memory.</summary>
    public bool IsIn(ReadOnlySpan<byte> bytes)
    {
        foreach (string word in new[] { _left, _right })
        {
            if (bytes.IndexOf(Encoding.UTF8.GetBytes(word)) >= 0 || bytes.IndexOf(Encoding.Unicode.GetBytes(word)) >= 0)
            {
                return true;
            }
        }

        return false;
    }
}
