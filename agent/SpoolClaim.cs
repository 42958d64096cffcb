using System.Globalization;
using Quickq.Spool;
using Quickq.Spool.Locking;
using Quickq.Spool.Schema;

namespace Quickq.Agent;

/// <summary>The agent's claim to a spool: one agent for one spool, and a spool that can be used or repaired, before anything else is touched.</summary>
internal sealed class SpoolClaim : IDisposable
{
    private readonly AgentLock _lock;

    private SpoolClaim(AgentLock agentLock, bool isDamaged)
    {
        _lock = agentLock;
        IsDamaged = isDamaged;
    }

    /// <summary>Whether the header or the schema of the spool cannot be read; nothing else was looked at.</summary>
    public bool IsDamaged { get; }

    /// <summary>Makes the spool if there is none, and claims it until this is disposed or the process dies.</summary>
    /// <exception cref="SpoolException"><see cref="SpoolFault.Busy"/>, with the process id, when another agent has it; whatever opening the spool says.</exception>
    public static SpoolClaim Take(string path)
    {
        bool isDamaged = FindDamage(path);
        string resolved = SpoolPath.FollowLinks(path);
        return AgentLock.TryTake(resolved, out int? holder) is { } taken
            ? new SpoolClaim(taken, isDamaged)
            : throw new SpoolException(SpoolFault.Busy, resolved,
                string.Create(CultureInfo.InvariantCulture, $"process {holder} is the agent of the spool {resolved} already"),
                "one agent is enough: it serves all servers; stop that one first");
    }

    public void Dispose() => _lock.Dispose();

    private static bool FindDamage(string path)
    {
        try
        {
            using SpoolFile file = SpoolFile.OpenForWriting(path, create: true);
            file.Read(connection =>
            {
                SpoolSchema.RequireWhole(connection, file.Path);
                return true;
            });
            return false;
        }
        catch (SpoolException trouble) when (trouble.Fault is SpoolFault.Damaged || (trouble.Fault is SpoolFault.NotASpool && SpoolRepair.IsOurs(SpoolPath.FollowLinks(path))))
        {
            return true;
        }
    }
}
