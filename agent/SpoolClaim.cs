using System.Globalization;
using Quickq.Spool;
using Quickq.Spool.Locking;
using Quickq.Spool.Upkeep;

namespace Quickq.Agent;

/// <summary>The agent's claim to a spool: one agent for one spool, and a spool that can be used, before anything else is touched.</summary>
internal sealed class SpoolClaim : IDisposable
{
    private readonly AgentLock _lock;

    private SpoolClaim(AgentLock agentLock) => _lock = agentLock;

    /// <summary>Makes the spool if there is none, and claims it until this is disposed or the process dies.</summary>
    /// <exception cref="SpoolException"><see cref="SpoolFault.Busy"/>, with the process id, when another agent has it; whatever opening the spool says.</exception>
    public static SpoolClaim Take(string path)
    {
        using SpoolFile file = Open(path);
        return AgentLock.TryTake(file.Path, out int? holder) is { } taken
            ? new SpoolClaim(taken)
            : throw new SpoolException(SpoolFault.Busy, file.Path,
                string.Create(CultureInfo.InvariantCulture, $"process {holder} is the agent of the spool {file.Path} already"),
                "one agent is enough: it serves all servers; stop that one first");
    }

    public void Dispose() => _lock.Dispose();

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
