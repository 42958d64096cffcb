using Quickq.Spool.Files;

namespace Quickq.Spool;

/// <summary>Who asks for a change, and for which messages, for the record of what operators did.</summary>
/// <param name="Uid">The account.</param>
/// <param name="Name">Its name, or null.</param>
/// <param name="Filter">What it was about, as it was typed.</param>
public sealed record OperationSource(uint Uid, string? Name, string Filter)
{
    /// <summary>The account of this process, and nothing about which messages.</summary>
    public static OperationSource OfProcess() => new(UserAccount.EffectiveId, Name: null, Filter: "");
}
