using System.Runtime.InteropServices;

namespace Quickq.Spool.Files;

/// <summary>A spool belongs to one account: its folder and files are that account's, and nobody else may write there.</summary>
/// <remarks>Then nobody else can plant a journal, a link or a lock, and what is looked at here cannot change before it is opened.</remarks>
internal static class SpoolOwnership
{
    private static readonly string[] Beside = ["-wal", "-shm", "-journal", ".lock", ".agent", ".reserve"];

    /// <summary>Refuses a folder of another account, and one that others may write.</summary>
    /// <exception cref="SpoolException"><see cref="SpoolFault.CannotCreate"/>: it does not exist. <see cref="SpoolFault.PermissionDenied"/>.</exception>
    public static void RequireFolder(string resolved)
    {
        string folder = Path.GetDirectoryName(resolved) ?? "/";
        if (FileIdentity.Find(folder) is not { IsFolder: true } found)
        {
            throw FolderMissing(resolved);
        }

        if (found.Owner != UserAccount.EffectiveId)
        {
            throw SpoolLocator.Foreign(resolved, found.Owner);
        }

        if (found.IsWritableByOthers)
        {
            throw new SpoolException(SpoolFault.PermissionDenied, resolved,
                $"the folder {folder} may be written by other accounts (mode {Octal(found.Permissions)}): they could replace the spool", $"chmod go-w {folder}");
        }
    }

    /// <summary>Refuses files that are not this account's alone. True: a second name of ours is left over, to be removed under the lock.</summary>
    /// <exception cref="SpoolException">
    /// <see cref="SpoolFault.NotASpool"/>: no regular file. <see cref="SpoolFault.PermissionDenied"/>: of another account.
    /// <see cref="SpoolFault.UnsuitableFileSystem"/>: a mount point, or a file with a second name.
    /// </exception>
    public static bool RequireFiles(string resolved)
    {
        RequireFolder(resolved);
        foreach (string suffix in Beside)
        {
            RequireBeside(resolved + suffix, resolved);
        }

        while (FileIdentity.Find(resolved) is { } file)
        {
            RequireSpoolFile(resolved, file);
            if (file.Links <= 1)
            {
                return false;
            }

            uint drafts = CountNames(resolved, ".new.*", file.Identity);
            uint names = 1 + drafts + (FileIdentity.Find(SpoolPath.RepairMark(resolved)) is null ? 0 : CountNames(resolved, ".damaged-*", file.Identity));
            if (names >= file.Links)
            {
                return drafts > 0;
            }

            // A repair may have ended meanwhile.
            if (FileIdentity.Find(resolved) is { } now && now.Identity == file.Identity && now.Links == file.Links)
            {
                throw new SpoolException(SpoolFault.UnsuitableFileSystem, resolved,
                    $"{resolved} has a second name (a hard link): programs that use the other one would have another lock and another WAL",
                    $"find the other name with 'find / -xdev -samefile {resolved}' and remove it");
            }
        }

        return false;
    }

    /// <summary>Sets the modes of the files right, once it is known that they are a spool's: a file that was named in error keeps its own. True if one was wrong.</summary>
    public static bool SetModes(string resolved)
    {
        bool any = false;
        foreach (string path in FilesOf(resolved))
        {
            any |= SetMode(path);
        }

        return any;
    }

    /// <summary>The spool and the files that may be beside it.</summary>
    public static IEnumerable<string> FilesOf(string resolved) => [resolved, .. Beside.Select(suffix => resolved + suffix)];

    /// <summary>Whether the path is the spool's or that of one of the files beside it, as they are or while they are made or repaired.</summary>
    public static bool IsFileOf(string resolved, string path) => path.StartsWith(resolved, StringComparison.Ordinal) && path[resolved.Length..] is var rest
        && (rest.Length == 0 || Beside.Contains(rest, StringComparer.Ordinal) || rest is ".repair"
            || rest.StartsWith(".new.", StringComparison.Ordinal) || rest.StartsWith(".damaged-", StringComparison.Ordinal));

    /// <summary>The refusal where there is no folder.</summary>
    public static SpoolException FolderMissing(string resolved)
    {
        string folder = Path.GetDirectoryName(resolved) ?? "/";
        return new SpoolException(SpoolFault.CannotCreate, resolved, $"the folder {folder} does not exist",
            $"make it (mkdir -p {folder}), or name another spool with --spool or {SpoolPath.Variable}");
    }

    private static void RequireSpoolFile(string resolved, FileStatus file)
    {
        if (!file.IsRegularFile)
        {
            throw SqliteFailure.NotASpool(resolved);
        }

        if (file.Owner != UserAccount.EffectiveId)
        {
            throw SpoolLocator.Foreign(resolved, file.Owner);
        }

        if (file.IsMountPoint ?? MountTable.Contains(resolved))
        {
            throw new SpoolException(SpoolFault.UnsuitableFileSystem, resolved,
                $"{resolved} is a mount point: what is written beside it is not seen where it comes from", $"mount the folder {Path.GetDirectoryName(resolved)} instead of the file");
        }
    }

    private static void RequireBeside(string path, string resolved)
    {
        if (FileStatus.FindLink(path, out int error) is not { } file)
        {
            if (error != Libc.NoEntry)
            {
                throw new SpoolException(SpoolFault.InputOutput, resolved, $"cannot look at {path}: {Libc.ErrorText(error)}");
            }

            return;
        }

        if (!file.IsRegularFile || file.Owner != UserAccount.EffectiveId)
        {
            throw new SpoolException(SpoolFault.PermissionDenied, resolved,
                file.IsRegularFile ? $"{path} belongs to the account {UserAccount.Describe(file.Owner)}, not to the owner of the spool" : $"{path} is not a regular file",
                $"look at it with 'ls -l {path}', then remove it or give it to the owner of the spool");
        }
    }

    private static bool SetMode(string path)
    {
        if (FileStatus.FindLink(path, out _) is not { IsRegularFile: true } file || file.Permissions == LockFile.OwnerOnly)
        {
            return false;
        }

        // By its name, not by a descriptor: closing one would drop the locks that this process has on the file. Nobody else can exchange it: the folder is ours alone.
        if (Libc.ChangeMode(path, LockFile.OwnerOnly) != 0 && Marshal.GetLastPInvokeError() is var error && error != Libc.NoEntry)
        {
            throw new SpoolException(SpoolFault.PermissionDenied, path, $"cannot set the mode of {path} to 0600: {Libc.ErrorText(error)}");
        }

        return true;
    }

    private static uint CountNames(string resolved, string pattern, FileIdentity identity) => (uint)Directory
        .EnumerateFiles(Path.GetDirectoryName(resolved)!, Path.GetFileName(resolved) + pattern)
        .Count(name => FileIdentity.Find(name)?.Identity == identity);

    private static string Octal(int mode) => Convert.ToString(mode, 8).PadLeft(4, '0');
}
