using System.Globalization;
using Quickq.Spool.Storage;
using Quickq.Spool;
using Quickq.Spool.Files;
using Quickq.Spool.Repair;
using Quickq.Spool.Schema;
using Quickq.Spool.Upkeep;

namespace Quickq.Agent;

/// <summary>The agent's claim to a spool: one agent for one spool, and a spool that can be used or repaired, before anything else is touched.</summary>
internal sealed class SingleInstance : IDisposable
{
    private readonly AgentLock _lock;

    private SingleInstance(AgentLock agentLock, bool isDamaged, string? keptLog)
    {
        _lock = agentLock;
        IsDamaged = isDamaged;
        KeptLog = keptLog;
    }

    /// <summary>Where the log of an earlier spool was put whose file is gone; else null.</summary>
    public string? KeptLog { get; }

    /// <summary>Whether the header or the schema of the spool cannot be read; nothing else was looked at.</summary>
    public bool IsDamaged { get; }

    /// <summary>Makes the spool if there is none, and claims it until this is disposed or the process dies.</summary>
    /// <exception cref="SpoolException"><see cref="SpoolFault.Busy"/>, with the process id, when another agent has it; whatever opening the spool says.</exception>
    public static SingleInstance Take(string path)
    {
        bool isDamaged;
        string? keptLog;
        try
        {
            isDamaged = FindDamage(path, out keptLog);
        }
        catch (SpoolException foreign) when (foreign.Owner is { } owner)
        {
            throw new SpoolException(foreign.Fault, foreign.Path, foreign.Message, $"run the agent as that account: {UserAccount.CommandAs(owner, "quickq-agent")}", foreign);
        }

        string resolved = SpoolPath.FollowLinks(path);
        return AgentLock.TryTake(resolved, out int? holder) is { } taken
            ? new SingleInstance(taken, isDamaged, keptLog)
            : throw new SpoolException(SpoolFault.Busy, resolved,
                string.Create(CultureInfo.InvariantCulture, $"process {holder} is the agent of the spool {resolved} already"),
                "one agent is enough: it serves all servers; stop that one first");
    }

    public void Dispose() => _lock.Dispose();

    private static bool FindDamage(string path, out string? keptLog)
    {
        keptLog = null;
        try
        {
            using SpoolFile file = Open(path);
            keptLog = file.KeptLog;
            file.Read(connection =>
            {
                SpoolSchema.RequireWhole(connection, file.Path);
                SpoolSchema.RequireWritable(connection, file.Path);
                return true;
            });
            WalCheck.Require(file.Path);
            return false;
        }
        catch (SpoolException trouble) when (trouble.Fault is SpoolFault.Damaged || (trouble.Fault is SpoolFault.NotASpool && SpoolRepair.IsOurs(SpoolPath.FollowLinks(path))))
        {
            return true;
        }
    }

    /// <summary>A disk that is full to the last byte may refuse even that: then the reserve goes first.</summary>
    private static SpoolFile Open(string path)
    {
        try
        {
            return SpoolFile.OpenForWriting(path, create: true);
        }
        catch (SpoolException full) when (full.Fault is SpoolFault.Full && SpoolReserve.GiveUp(SpoolPath.FollowLinks(path)))
        {
            return SpoolFile.OpenForWriting(path, create: true);
        }
    }
}
