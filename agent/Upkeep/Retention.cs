using Microsoft.Extensions.Logging;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;
using Quickq.Agent.Timing;
using Quickq.Spool;
using Quickq.Spool.Upkeep;

namespace Quickq.Agent.Upkeep;

/// <summary>
/// Removes settled messages when their retention is over, and sooner, the oldest first, when spool or disk run short of room. Gives free pages back to the disk.
/// </summary>
/// <remarks>
/// History never refuses a producer: above 80 % of <c>maxSize</c>, and then down to 70 %, or below twice <c>minFreeDisk</c> whatever is settled goes. A pass goes through the spool from its oldest
/// message, finds on a connection of its own without the lock, and has the ledger remove a few milliseconds' worth at a time; between two steps it rests, so that
/// producers and settlements come first. After a pass the time when the next message can be due is known: until then there is nothing to look for.
/// </remarks>
internal sealed class Retention(string spoolPath, DeliveryLedger ledger, ExpiryClock expiry, TimeProvider clock, ILogger log) : IDisposable
{
    /// <summary>Free pages are kept for what comes next, up to this part of the file or this many, whichever is more.</summary>
    private const int FreePart = 8, FreePages = 1024;

    /// <summary>So much longer than the last pass searched in vain, at least, is the rest before the next one.</summary>
    private const int RestAfterPass = 20;
    private static readonly TimeSpan LongestGap = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan ShortestGap = TimeSpan.FromMilliseconds(250);

    private SpoolFile? _file;
    private Pass? _pass;
    private int _lookAgain;
    private bool _passWanted;
    private long _nextDue;
    private long _restFrom;
    private TimeSpan _rest, _restWhenShort;
    private bool _short;
    private bool _toldNothing;

    /// <summary>Limits and retention as configured now; a reload sets others.</summary>
    public SpoolSettings Settings { get; set; } = new();

    /// <summary>Starts a pass at the next step, whatever the last one found: the settings changed.</summary>
    public void LookAgain() => Interlocked.Exchange(ref _lookAgain, 1);

    /// <summary>One bounded step.</summary>
    public async Task<UpkeepProgress> StepAsync(CancellationToken stopping)
    {
        if (Interlocked.Exchange(ref _lookAgain, 0) != 0)
        {
            // Before the settings are read: what is changed from here on says so again.
            (_pass, _passWanted) = (null, true);
        }

        SpoolSettings settings = Settings;
        _file ??= SpoolFile.OpenForReading(spoolPath);
        FreeSpace room = _file.Read(connection => FreeSpace.Read(connection, _file.Path));
        string? shortage = ShortageOf(room, settings);
        ReportShortage(shortage);
        if (room.FreePages > Math.Max(FreePages, room.PageCount / FreePart) || (room.FreePages > 0 && IsDiskShort(room, settings)))
        {
            (_, TimeSpan held) = await ledger.RunTimedAsync(SettledMessageReaper.GiveBackSomePages_NeedsTransaction);
            ledger.CheckpointSoon();
            await RestAsync(held, shortage is not null, stopping);
            return UpkeepProgress.MoreNow;
        }

        return await ReapAsync(settings, shortage, stopping);
    }

    public void Dispose() => _file?.Dispose();

    /// <summary>After trouble: everything is looked at anew.</summary>
    public void Reset()
    {
        _file?.Dispose();
        (_file, _pass) = (null, null);
    }

    private async Task<UpkeepProgress> ReapAsync(SpoolSettings settings, string? shortage, CancellationToken stopping)
    {
        long now = clock.NowMicroseconds();
        if (_pass is null)
        {
            bool rested = clock.GetElapsedTime(_restFrom) >= (shortage is null ? _rest : _restWhenShort);
            bool isTime = rested && (shortage is not null || now >= _nextDue);
            if ((!isTime && !_passWanted) || (shortage is null && expiry.IsWaiting))
            {
                // After a step of the clock no age is to be trusted yet.
                return WhenShort(shortage);
            }

            _passWanted = false;
            _pass = new Pass(now);
        }

        long before = shortage is null ? now - Microseconds(settings.Retention) : long.MaxValue;
        long searching = clock.GetTimestamp();
        ReapPage page = _file!.Read(connection => SettledMessageReaper.FindSome(connection, _pass.Position, before, stopWhenYoung: true));
        if (page.Messages.Count == 0)
        {
            _pass.SearchedInVain += clock.GetElapsedTime(searching);
        }

        _pass.OldestLeft = Math.Min(_pass.OldestLeft, page.OldestLeft ?? long.MaxValue);
        if (page.Messages.Count > 0)
        {
            (ReapStep step, TimeSpan held) = await ledger.RunTimedAsync(connection => SettledMessageReaper.Remove_NeedsTransaction(connection, page.Messages));
            _pass.Removed += step.Removed;
            if (step.Done < page.Messages.Count)
            {
                _pass.Position = page.Messages[step.Done - 1];
                await RestAsync(held, shortage is not null, stopping);
                return UpkeepProgress.MoreNow;
            }

            await RestAsync(held, shortage is not null, stopping);
        }

        _pass.Position = page.Next;
        if (!page.IsLast)
        {
            return UpkeepProgress.MoreNow;
        }

        End(_pass, settings, shortage);
        return WhenShort(shortage);
    }

    /// <summary>What is settled meanwhile can be removed, and nobody says so: the next producer must not be refused for it.</summary>
    private static UpkeepProgress WhenShort(string? shortage) => shortage is null ? UpkeepProgress.NothingLeft : UpkeepProgress.Later;

    private void End(Pass pass, SpoolSettings settings, string? shortage)
    {
        if (shortage is not null && pass.Removed == 0 && !_toldNothing)
        {
            _toldNothing = true;
            log.NothingToRemove(shortage);
        }

        // What is settled from now on is settled after the pass began.
        _nextDue = Math.Min(pass.OldestLeft, pass.Began) + Microseconds(settings.Retention);
        TimeSpan gap = settings.Retention / 10_000;
        gap = gap < ShortestGap ? ShortestGap : gap > LongestGap ? LongestGap : gap;
        TimeSpan rest = pass.SearchedInVain * RestAfterPass;
        (_restFrom, _rest) = (clock.GetTimestamp(), rest > gap ? rest : gap);

        // A pass by age says nothing about what can go when room is short; one that was for room and found nothing does.
        _restWhenShort = shortage is null ? TimeSpan.Zero : pass.Removed > 0 ? TimeSpan.Zero : rest < ShortestGap ? ShortestGap : rest;
        _pass = null;
    }

    /// <summary>Leaves the lock to the others for longer than it was held, when room is short for as long.</summary>
    private Task RestAsync(TimeSpan held, bool hurry, CancellationToken stopping) => Task.Delay(held * (hurry ? 1 : 3), clock, stopping);

    private void ReportShortage(string? shortage)
    {
        if (shortage is not null && !_short)
        {
            log.RemovesEarly(shortage);
        }
        else if (shortage is null && _short)
        {
            log.KeepsAgain();
            _toldNothing = false;
        }

        _short = shortage is not null;
    }

    private string? ShortageOf(FreeSpace room, SpoolSettings settings) =>
        room.LiveBytes > settings.MaxSizeBytes / 10 * (_short ? 7 : 8)
            ? $"{ByteSize.Describe(room.LiveBytes)} of maxSize {ByteSize.Describe(settings.MaxSizeBytes)} are in use"
            : IsDiskShort(room, settings)
                ? $"{ByteSize.Describe(Math.Max(0, room.FreeDiskBytes))} are free on the disk, minFreeDisk is {ByteSize.Describe(room.MinFreeDisk(settings.MinFreeDiskBytes))}"
                : null;

    private static bool IsDiskShort(FreeSpace room, SpoolSettings settings) => room.FreeDiskBytes < 2 * room.MinFreeDisk(settings.MinFreeDiskBytes);

    private static long Microseconds(TimeSpan time) => time.Ticks / TimeSpan.TicksPerMicrosecond;

    /// <summary>One way through the spool.</summary>
    private sealed class Pass(long began)
    {
        public long Began { get; } = began;

        public TimeSpan SearchedInVain { get; set; }

        public long Position { get; set; }

        public long OldestLeft { get; set; } = long.MaxValue;

        public long Removed { get; set; }
    }
}
