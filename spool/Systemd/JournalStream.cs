using System.Globalization;
using Quickq.Spool.Files;

namespace Quickq.Spool.Systemd;

/// <summary>Whether a program's standard error goes to the journal.</summary>
internal static class JournalStream
{
    private const int StandardError = 2;

    /// <summary>Whether systemd connected this process's standard error to the journal.</summary>
    public static bool IsStandardError => IsWanted(Environment.GetEnvironmentVariable("JOURNAL_STREAM"));

    /// <summary>Whether JOURNAL_STREAM, as given, names the device and inode of standard error. A shell's redirection makes it another.</summary>
    public static bool IsWanted(string? journalStream) =>
        FileIdentity.OfDescriptor(StandardError) is { } standardError
        && string.Equals(journalStream, string.Create(CultureInfo.InvariantCulture, $"{standardError.Device}:{standardError.Inode}"), StringComparison.Ordinal);
}
