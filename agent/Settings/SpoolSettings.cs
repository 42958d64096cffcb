using Quickq.Spool;

namespace Quickq.Agent.Settings;

/// <summary>Where the spool is, and its limits; producers honour them too, through the spool's own table.</summary>
internal sealed record SpoolSettings
{
    public string Path { get; init; } = SpoolPath.Default;

    /// <summary>Live bytes, above which new messages are refused.</summary>
    public long MaxSizeBytes { get; init; } = 10L << 30;

    /// <summary>How long settled messages are kept; a wish, the limits win.</summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Free room on the disk, below which new messages are refused; null is the smaller of 512 MiB and 5 %.</summary>
    public long? MinFreeDiskBytes { get; init; }

    /// <summary>The largest body accepted. 16 MiB is what RabbitMQ 4 takes unless configured otherwise.</summary>
    public long MaxMessageSizeBytes { get; init; } = 16L << 20;
}
