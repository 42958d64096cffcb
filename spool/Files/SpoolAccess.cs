namespace Quickq.Spool;

/// <summary>How a program is told to reach the spool.</summary>
internal enum SpoolAccess
{
    /// <summary>Directly where the spool belongs to this account, else through its service.</summary>
    Automatic,

    /// <summary>Open the file, or fail (<c>--direct</c>).</summary>
    Direct,

    /// <summary>Ask the service, also for a spool of this account (<c>--service</c>).</summary>
    Service,
}
