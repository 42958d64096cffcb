namespace Quickq.Spool;

/// <summary>Where the spool is reached: a file that this account opens itself, or the socket of its service.</summary>
internal sealed record SpoolLocation
{
    private SpoolLocation()
    {
    }

    /// <summary>Whether this account opens the file itself.</summary>
    public bool IsDirect => Socket is null;

    /// <summary>
    /// The spool, links followed. Directly: what to open. Through the service: what to name in the greeting, so that the service of another
    /// spool refuses; null where nobody named a spool: then it is whatever this socket serves.
    /// </summary>
    public string? Path { get; private init; }

    /// <summary>The socket of the service; null where the file is opened directly.</summary>
    public string? Socket { get; private init; }

    /// <summary>What an error calls the spool.</summary>
    public string Name => (Path ?? Socket)!;

    public static SpoolLocation Direct(string resolvedPath) => new() { Path = resolvedPath };

    public static SpoolLocation Service(string socket, string? resolvedPath) => new() { Socket = socket, Path = resolvedPath };
}
