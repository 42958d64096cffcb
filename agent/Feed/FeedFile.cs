using Microsoft.Data.Sqlite;
using Quickq.Spool;
using Quickq.Spool.Files;

namespace Quickq.Agent.Feed;

/// <summary>One connection to the spool for the feeds of all servers: what one of them has read, the next finds in its cache.</summary>
/// <remarks>A new message is for several servers, and each of them looks for it in the same moment. The caller holds <see cref="Gate"/>: a page takes a few milliseconds at most.</remarks>
internal sealed class FeedFile(string path) : IDisposable
{
    private SpoolFile? _file;
    private FileIdentity? _identity;
    private bool _isLooking;

    public Lock Gate { get; } = new();

    /// <summary>How often another file has taken the place of the spool.</summary>
    public int Replacements { get; private set; }

    /// <summary>The open connection; another one after trouble, or after the file was replaced.</summary>
    public SqliteConnection Connection_NeedsLock => (_file ?? Open_NeedsLock()).Connection;

    /// <summary>From now on all feeds see the spool as it is at this moment, in one read transaction, until <see cref="EndLook"/>.</summary>
    public void BeginLook()
    {
        lock (Gate)
        {
            FollowReplacement_NeedsLock();
            Connection_NeedsLock.Execute("BEGIN");
            _isLooking = true;
        }
    }

    /// <summary>From now on each statement sees the spool as it is then.</summary>
    public void EndLook()
    {
        lock (Gate)
        {
            EndLook_NeedsLock();
        }
    }

    /// <inheritdoc cref="EndLook"/>
    public void EndLook_NeedsLock()
    {
        if (_isLooking)
        {
            _isLooking = false;
            _file?.Connection.Execute("COMMIT");
        }
    }

    /// <summary>Opens the file that the path names now, if it is another one. Asked once in a look.</summary>
    public void FollowReplacement_NeedsLock()
    {
        if (!_isLooking && (_file ?? Open_NeedsLock()).FollowReplacement())
        {
            Note_NeedsLock(_file!);
        }
    }

    /// <summary>After trouble: the next who uses it opens it again.</summary>
    public void Reset()
    {
        lock (Gate)
        {
            _file?.Dispose();
            (_file, _isLooking) = (null, false);
        }
    }

    public void Dispose() => Reset();

    private SpoolFile Open_NeedsLock()
    {
        SpoolFile file = SpoolFile.OpenForReading(path);
        Note_NeedsLock(file);
        return _file = file;
    }

    private void Note_NeedsLock(SpoolFile file)
    {
        Replacements += _identity is { } before && before != file.Identity ? 1 : 0;
        _identity = file.Identity;

        // Each server reads every page once, in order: a large cache would only cost memory. In KiB.
        file.Connection.Execute("PRAGMA cache_size=-1024");
    }
}
