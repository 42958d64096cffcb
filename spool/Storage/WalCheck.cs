using Quickq.Spool.Files;

namespace Quickq.Spool.Storage;

/// <summary>Keeps a WAL that lost acknowledged transactions as it is: the next commit would write over what is left of them.</summary>
internal static class WalCheck
{
    /// <summary>A larger WAL costs more to read than the question whether an agent runs, which has looked when it started.</summary>
    private const long AlwaysReadBytes = 1024 * 1024;

    /// <summary>Refuses a spool whose WAL is damaged.</summary>
    /// <exception cref="SpoolException"><see cref="SpoolFault.Damaged"/>; nothing was written.</exception>
    public static void Require(string resolved)
    {
        if (FindDamage(resolved) is { } damage)
        {
            throw new SpoolException(SpoolFault.Damaged, resolved, $"the spool {resolved} is damaged: {damage}",
                "run 'quickq-spool check --repair': it saves them; the agent does so when it starts");
        }
    }

    /// <summary>The same, before the first write of a process that may be the only one. Not to be asked by the agent itself.</summary>
    public static void RequireIfAlone_NeedsLock(string resolved)
    {
        if (FileIdentity.SizeOf(SpoolPath.WriteAheadLog(resolved)) <= AlwaysReadBytes || AgentLock.FindHolder(resolved) is null)
        {
            Require(resolved);
        }
    }

    /// <summary>What is wrong with the WAL of this spool, in words; null when nothing is.</summary>
    public static string? FindDamage(string resolved)
    {
        try
        {
            return WalFrames.FindDamage(SpoolPath.WriteAheadLog(resolved));
        }
        catch (IOException unreadable)
        {
            throw new SpoolException(SpoolFault.InputOutput, resolved, $"cannot read the WAL of {resolved}: {unreadable.Message}", "look at the disk and the kernel log", unreadable);
        }
    }
}
