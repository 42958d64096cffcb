using System.Globalization;
using Quickq.Spool.Files;

namespace Quickq.Spool.Inspect;

/// <summary>Finds processes that hold a read snapshot of a spool for long: while one does, the write-ahead log cannot be cut back.</summary>
/// <remarks>
/// A reader of a WAL database holds one of five byte locks on the -shm file. Nobody tells since when, so it is looked at several times: Quickq's own readers hold none for longer than
/// a second. Reads <c>/proc/locks</c> only; opening the -shm file would drop the locks of this process.
/// </remarks>
internal static class LongReaders
{
    private const int FirstReadLock = 123, LastReadLock = 127;
    private const int Looks = 6;
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(250);

    /// <summary>Each as "process 4711 (sqlite3)".</summary>
    public static IReadOnlyList<string> Find(string resolvedSpool)
    {
        HashSet<(int Pid, int Slot)> always = Look(resolvedSpool);
        using var pause = new ManualResetEventSlim();
        for (int look = 1; look < Looks && always.Count > 0; look++)
        {
            pause.Wait(Between);
            always.IntersectWith(Look(resolvedSpool));
        }

        return [.. always.Select(held => held.Pid).Distinct().Order().Select(Describe)];
    }

    private static HashSet<(int Pid, int Slot)> Look(string resolvedSpool)
    {
        var held = new HashSet<(int, int)>();
        if (FileIdentity.Find(resolvedSpool + "-shm") is not { } file)
        {
            return held;
        }

        string place = file.Identity.ToString();
        foreach (string line in File.ReadLines("/proc/locks"))
        {
            // "3: POSIX  ADVISORY  READ 4711 fe:00:1234 123 123"
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words is [_, "POSIX", _, "READ", var pid, var where, var first, ..] && string.Equals(where, place, StringComparison.Ordinal)
                && int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out int slot) && slot is >= FirstReadLock and <= LastReadLock
                && int.TryParse(pid, NumberStyles.None, CultureInfo.InvariantCulture, out int process) && process != Environment.ProcessId)
            {
                held.Add((process, slot));
            }
        }

        return held;
    }

    private static string Describe(int pid)
    {
        string number = pid.ToString(CultureInfo.InvariantCulture);
        try
        {
            return $"process {number} ({File.ReadAllText($"/proc/{number}/comm").Trim()})";
        }
        catch (IOException)
        {
            return $"process {number}"; // it has ended, or is in another container
        }
    }
}
