namespace Quickq.Agent.Ledger;

/// <summary>How large the log may become before it is checkpointed: less where that held the lock for long, since a checkpoint moves all of it in one piece and producers wait meanwhile.</summary>
internal sealed class CheckpointLimit
{
    private const long Most = 8L << 20, Least = 1L << 20;
    private static readonly TimeSpan Long = TimeSpan.FromMilliseconds(10), Short = TimeSpan.FromMilliseconds(3);

    private long _bytes = Most;

    /// <summary>In bytes; where the disk is small, the spool's own limit is lower. Any thread.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Learns from the last checkpoint.</summary>
    public void Note(TimeSpan held) =>
        Volatile.Write(ref _bytes, held > Long ? Math.Max(Least, _bytes / 2) : held < Short ? Math.Min(Most, _bytes * 2) : _bytes);
}
