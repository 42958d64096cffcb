namespace Quickq.Spool;

/// <summary>Opens a spool for appending in the way that fits: directly where it is this account's own, else through its service.</summary>
public static class SpoolProducer
{
    /// <summary>Opens the spool at <paramref name="path"/>, or asks its service.</summary>
    /// <param name="path">
    /// The spool. Null: the service that listens at the socket in <c>QUICKQ_SOCKET</c> where that is set, else the spool that
    /// <see cref="SpoolPath.Variable"/> names, else <see cref="SpoolPath.Default"/>.
    /// </param>
    /// <returns>A <see cref="SpoolWriter"/> or a <see cref="SpoolClient"/>.</returns>
    /// <exception cref="SpoolException">
    /// <see cref="SpoolFault.CannotCreate"/>: neither folder nor socket exists. A spool that is opened directly also throws what <see cref="SpoolWriter.Open(string)"/> does.
    /// </exception>
    public static ISpoolProducer Open(string? path = null)
    {
        SpoolLocation location = new SpoolLocator().Locate(SpoolAccess.Automatic, path, creates: true);
        return location.IsDirect ? SpoolWriter.Open(location.Path!) : new SpoolClient(location);
    }
}
