namespace Quickq.Spool.Files;

/// <summary>Looks whether a path goes through a symbolic link that another account can set: then that account says where it leads, and nothing there is this account's wish.</summary>
internal static class ForeignLink
{
    /// <summary>As many as the kernel follows.</summary>
    private const int MostLinks = 40;

    /// <summary>The owner of the first link on the way, or of its folder, that is neither this account nor root; null where there is none.</summary>
    /// <param name="path">Absolute.</param>
    /// <param name="user">This account.</param>
    public static uint? Find(string path, uint user)
    {
        var left = new Stack<string>(Parts(path).Reverse());
        string reached = "/";
        for (int links = 0; left.TryPop(out string? part);)
        {
            if (part is "..")
            {
                reached = Path.GetDirectoryName(reached) ?? "/";
                continue;
            }

            string next = Path.Combine(reached, part);
            if (FileStatus.FindLink(next, out _) is not { IsLink: true } link || new FileInfo(next).LinkTarget is not { } target)
            {
                reached = next;
                continue;
            }

            if (FileStatus.Find(reached, out _) is { } folder && IsForeign(folder.Owner))
            {
                return folder.Owner;
            }

            if (IsForeign(link.Owner))
            {
                return link.Owner; // in a folder where everybody may set one
            }

            if (++links > MostLinks)
            {
                return null;
            }

            reached = Path.IsPathRooted(target) ? "/" : reached;
            foreach (string one in Parts(target).Reverse())
            {
                left.Push(one);
            }
        }

        return null;

        bool IsForeign(uint owner) => owner != user && owner != 0;
    }

    private static IEnumerable<string> Parts(string path) => path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(static part => part is not ".");
}
