using Microsoft.Data.Sqlite;

namespace Quickq.Spool;

/// <summary>Counts the messages that the spool refused because it was full or could not be written; the count goes to the spool with the next commit, or once a second.</summary>
/// <remarks>What was counted when the process ends is lost: the spool's figure is "at least". Any thread may count.</remarks>
internal sealed class RefusedAdds(TimeProvider clock)
{
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);

    private long _count;
    private long _writing;
    private long _writtenAt;
    private bool _wasWritten;

    /// <summary>So many messages were refused just now.</summary>
    public void Count(int messages) => Interlocked.Add(ref _count, messages);

    /// <summary>Adds what was counted to the spool's figure, if it is time or <paramref name="withOthers"/> are written anyway.</summary>
    public void Write_NeedsTransaction(SqliteConnection connection, bool withOthers)
    {
        _writing = Interlocked.Read(ref _count);
        if (_writing == 0 || !(withOthers || !_wasWritten || clock.GetElapsedTime(_writtenAt) >= Pace))
        {
            _writing = 0;
            return;
        }

        connection.Execute("UPDATE tally SET value = value + $count WHERE name = 'refused'", ("$count", _writing));
        connection.Execute("UPDATE tally SET value = $now WHERE name = 'refusedAt'", ("$now", clock.NowMicroseconds()));
    }

    /// <summary>That transaction is committed.</summary>
    public void Written()
    {
        if (_writing > 0)
        {
            Interlocked.Add(ref _count, -_writing);
            (_writing, _writtenAt, _wasWritten) = (0, clock.GetTimestamp(), true);
        }
    }
}
