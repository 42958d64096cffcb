using Quickq.Spool.Files;

namespace Quickq.Spool;

/// <summary>Decides how this account reaches a spool: it opens its own itself, and asks the service of any other.</summary>
/// <remarks>
/// Looks only at who owns the folder and the file, and whose the links on the way are, never at modes or at folders above: what an account may do follows from who it
/// is. A link in the folder of another account (root's apart) is not followed here: its owner's service follows it, with its own rights.
/// A loose folder is refused when the spool is opened or its service is called.
/// </remarks>
internal sealed record SpoolLocator
{
    /// <summary>The environment variable that names the socket of a service.</summary>
    public const string SocketVariable = "QUICKQ_SOCKET";

    /// <summary>The socket of the service of <see cref="SpoolPath.Default"/>.</summary>
    public const string HostSocket = "/run/quickq/spool.sock";

    /// <summary>The name of the socket beside a spool that is not the host's.</summary>
    public const string SocketName = "spool.sock";

    /// <summary>Reads one environment variable.</summary>
    public Func<string, string?> Variable { get; init; } = Environment.GetEnvironmentVariable;

    /// <summary>The effective user id of this process.</summary>
    public uint UserId { get; init; } = UserAccount.EffectiveId;

    /// <summary>The spool where nothing names another.</summary>
    public string DefaultPath { get; init; } = SpoolPath.Default;

    /// <summary>The socket of the service of <see cref="DefaultPath"/>.</summary>
    public string DefaultSocket { get; init; } = HostSocket;

    /// <summary>Decides.</summary>
    /// <param name="access">What <c>--direct</c> or <c>--service</c> said.</param>
    /// <param name="named">What <c>--spool</c> said, or null.</param>
    /// <param name="creates">Whether the command makes a spool where there is none: what is missing is then "cannot create" (73), not "not found" (66).</param>
    /// <exception cref="SpoolException">
    /// <see cref="SpoolFault.NotFound"/>, <see cref="SpoolFault.CannotCreate"/>: neither folder nor socket exists.
    /// <see cref="SpoolFault.PermissionDenied"/>: <see cref="SpoolAccess.Direct"/> on a spool of another account.
    /// </exception>
    public SpoolLocation Locate(SpoolAccess access, string? named, bool creates)
    {
        string? socket = Given(Variable(SocketVariable));
        if (Given(named) is null && socket is not null && access is not SpoolAccess.Direct)
        {
            socket = Path.GetFullPath(socket);
            return Exists(Path.GetDirectoryName(socket) ?? "/")
                ? SpoolLocation.Service(socket, resolvedPath: null)
                : throw Missing(socket, $"the socket {socket} ({SocketVariable}) does not exist", creates, $"set {SocketVariable} to the socket of a service, or unset it");
        }

        string? chosen = Given(named) ?? Given(Variable(SpoolPath.Variable));
        string full = Path.GetFullPath(chosen ?? DefaultPath);
        uint? linkOwner = ForeignLink.Find(full, UserId);
        string resolved = linkOwner is null ? SpoolPath.FollowLinks(full) : full;
        string folder = Path.GetDirectoryName(resolved) ?? "/";
        uint? owner = ForeignOwner(folder, resolved, out bool known);
        (owner, known) = linkOwner is null ? (owner, known) : (linkOwner, true);
        if (access is SpoolAccess.Direct || (access is SpoolAccess.Automatic && known && owner is null))
        {
            return owner is null ? DirectOrMissing(resolved, folder, known, creates) : throw Foreign(resolved, owner.Value);
        }

        socket = SocketFor(resolved);
        return Exists(folder) || Exists(socket)
            ? SpoolLocation.Service(socket, chosen is null ? null : resolved)
            : throw Missing(resolved, $"neither the folder {folder} nor the socket {socket} exists", creates);
    }

    /// <summary>The socket of a spool's service.</summary>
    /// <param name="resolved">The spool, links followed.</param>
    public string SocketFor(string resolved) =>
        Given(Variable(SocketVariable)) is { } socket ? Path.GetFullPath(socket)
        : string.Equals(resolved, SpoolPath.FollowLinks(DefaultPath), StringComparison.Ordinal) || string.Equals(resolved, DefaultPath, StringComparison.Ordinal) ? DefaultSocket
        : Path.Combine(Path.GetDirectoryName(resolved) ?? "/", SocketName);

    /// <summary>The refusal to open a spool of another account.</summary>
    public static SpoolException Foreign(string resolved, uint owner) => new(SpoolFault.PermissionDenied, resolved,
        $"the spool {resolved} belongs to the account {UserAccount.Describe(owner)}", UserAccount.CommandAs(owner)) { Owner = owner };

    private static SpoolLocation DirectOrMissing(string resolved, string folder, bool known, bool creates) => known
        ? SpoolLocation.Direct(resolved)
        : FileStatus.Find(folder, out int error) is null && error == Libc.AccessDenied
            ? throw new SpoolException(SpoolFault.PermissionDenied, resolved, $"no permission to look at {folder}", "run it as the account that owns the spool")
            : throw Missing(resolved, $"the folder {folder} does not exist", creates);

    /// <summary>Whose folder or file it is, where not this account's; <paramref name="known"/> says whether the folder could be looked at.</summary>
    private uint? ForeignOwner(string folder, string resolved, out bool known)
    {
        FileStatus? atFolder = FileStatus.Find(folder, out _);
        known = atFolder is { IsFolder: true };
        return !known ? null
            : atFolder!.Value.Owner != UserId ? atFolder.Value.Owner
            : FileStatus.Find(resolved, out _) is { } file && file.Owner != UserId ? file.Owner
            : null;
    }

    /// <summary>What this account may not look at is taken to exist: who tries it hears "no permission".</summary>
    private static bool Exists(string path) => FileStatus.Find(path, out int error) is not null || error == Libc.AccessDenied;

    private static SpoolException Missing(string path, string what, bool creates, string? hint = null) => new(
        creates ? SpoolFault.CannotCreate : SpoolFault.NotFound, path, what,
        hint ?? $"install the quickq package, or name a spool with --spool or {SpoolPath.Variable}");

    private static string? Given(string? value) => string.IsNullOrEmpty(value) ? null : value;
}
