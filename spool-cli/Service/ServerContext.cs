namespace Quickq.SpoolCli.Service;

/// <summary>What all connections of a service share.</summary>
internal sealed record ServerContext(
    string SpoolPath, ReadWatch Watch, MemoryBudget Budget, CommitQueue Commits, WaitRoom Waits, SpoolReaders Readers, CommandRunner Commands, ServiceLog Log, TimeProvider Clock);
