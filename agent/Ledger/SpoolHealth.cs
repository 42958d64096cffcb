using Microsoft.Data.Sqlite;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Timing;
using Quickq.Spool;
using SQLitePCL;

namespace Quickq.Agent.Ledger;

/// <summary>What whoever uses the spool tells whoever looks after it: that it seems damaged, that another file has taken its place. Any thread.</summary>
internal sealed class SpoolHealth
{
    /// <summary>Set when an error says that the file is damaged.</summary>
    public AsyncSignal Damaged { get; } = new();

    /// <summary>Set when the path names another file than before: a repair has put a fresh spool there.</summary>
    public AsyncSignal Replaced { get; } = new();

    /// <summary>Looks whether a failure means damage.</summary>
    public void Note(Exception failure)
    {
        if (failure is SpoolException { Fault: SpoolFault.Damaged or SpoolFault.NotASpool } or SqliteException { SqliteErrorCode: raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB })
        {
            Damaged.Set();
        }
    }
}
