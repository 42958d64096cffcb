using System.Globalization;
using System.Text;

namespace Quickq.Agent.Settings;

/// <summary>Text from bytes that must be UTF-8: anything else would become another text, a wrong password for instance, without a word.</summary>
internal static class StrictText
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The text, without a byte order mark.</summary>
    /// <exception cref="IOException">It is not UTF-8; the message says in which line.</exception>
    public static string Read(byte[] bytes)
    {
        try
        {
            return Strict.GetString(bytes is [0xEF, 0xBB, 0xBF, ..] ? bytes.AsSpan(3) : bytes);
        }
        catch (DecoderFallbackException wrong)
        {
            // The index counts from the end of the byte order mark: no line begins within that.
            int line = 1 + bytes.AsSpan(0, Math.Clamp(wrong.Index, 0, bytes.Length)).Count((byte)'\n');
            throw new IOException(string.Create(CultureInfo.InvariantCulture, $"it is not UTF-8, line {line}"), wrong);
        }
    }
}
