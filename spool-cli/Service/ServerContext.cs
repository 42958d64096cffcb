namespace Quickq.SpoolCli.Service;

/// <summary>What all connections of a service share.</summary>
/// <param name="SpoolPath">The spool, links followed.</param>
/// <param name="SpoolAsNamed">As <see cref="ServerOptions.SpoolAsNamed"/>.</param>
/// <param name="Watch">What notices that peers have sent something.</param>
/// <param name="Budget">The memory for what peers send.</param>
/// <param name="Commits">What stores messages.</param>
/// <param name="Waits">What waits for deliveries.</param>
/// <param name="Readers">What looks into the spool.</param>
/// <param name="Commands">What runs commands.</param>
/// <param name="Log">The log.</param>
/// <param name="Clock">The clock.</param>
internal sealed record ServerContext(
    string SpoolPath, string SpoolAsNamed, ReadWatch Watch, MemoryBudget Budget, CommitQueue Commits, WaitRoom Waits, SpoolReaders Readers, CommandRunner Commands,
    ServiceLog Log, TimeProvider Clock);
