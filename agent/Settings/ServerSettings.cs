namespace Quickq.Agent.Settings;

/// <summary>One server (a broker, or a cluster of which any member will do) that every message goes to.</summary>
internal sealed record ServerSettings
{
    public required string Name { get; init; }

    /// <summary>At least one.</summary>
    public required IReadOnlyList<HostAndPort> Hosts { get; init; }

    public string VirtualHost { get; init; } = "/";

    public string User { get; init; } = "guest";

    public PasswordSource Password { get; init; } = PasswordSource.Default;

    /// <summary>Where messages go that name no exchange; empty is the AMQP default exchange.</summary>
    public required string Exchange { get; init; }

    /// <summary>Only messages for these exchanges, and those that name none, are for this server; empty: all.</summary>
    public IReadOnlyList<string> Exchanges { get; init; } = [];

    /// <summary>How many messages may be unconfirmed at once.</summary>
    public int Window { get; init; } = 1_000;

    /// <summary>How many bytes of body may be unconfirmed at once.</summary>
    public long WindowBytes { get; init; } = 8L << 20;

    public Unroutable Unroutable { get; init; } = Unroutable.Accept;

    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Null for a plain connection. There is no falling back from one to the other.</summary>
    public TlsSettings? Tls { get; init; }

    /// <summary>Whether a reload may leave the server's connection as it is: which exchanges are for it is the spool's business.</summary>
    public bool SameAs(ServerSettings other) =>
        Hosts.SequenceEqual(other.Hosts) && this with { Hosts = other.Hosts, Exchanges = other.Exchanges } == other;
}

/// <summary>What becomes of a message that the server took but routed to no queue.</summary>
internal enum Unroutable
{
    /// <summary>Delivered, and counted as unrouted.</summary>
    Accept,

    /// <summary>Tried again later.</summary>
    Retry,

    /// <summary>Rejected, until an operator says otherwise.</summary>
    Park,

    /// <summary>Delivered; the server is not even asked.</summary>
    Ignore,
}

/// <summary>How the TLS connection is checked. The files are read at each connection attempt. The host name is always checked.</summary>
/// <param name="CaFile">Certificates of the authorities to trust; null is the system's.</param>
/// <param name="CertificateFile">The agent's own certificate, where the server asks for one.</param>
/// <param name="KeyFile">Its key; null when the certificate's file holds both.</param>
internal sealed record TlsSettings(string? CaFile, string? CertificateFile, string? KeyFile);
