namespace Quickq.Spool.Inspect;

/// <summary>Looks at the spool again whenever something was committed, until what is waited for is there.</summary>
internal static class ProgressWait
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1), WithoutWatch = TimeSpan.FromMilliseconds(100);

    public static SettlementProgress Run(string path, Func<SettlementProgress> look, TimeSpan? timeout, TimeProvider clock, CancellationToken cancellation)
    {
        using SpoolWatch? watch = OpenWatch(path);
        using var pause = new ManualResetEventSlim();
        long start = clock.GetTimestamp();
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            SettlementProgress progress = look();
            TimeSpan? left = timeout - clock.GetElapsedTime(start);
            if (progress != SettlementProgress.Pending || left <= TimeSpan.Zero)
            {
                return progress;
            }

            TimeSpan step = left < LookAgain ? left.Value : LookAgain;
            if (watch is null)
            {
                pause.Wait(step < WithoutWatch ? step : WithoutWatch, CancellationToken.None);
            }
            else
            {
                watch.WaitForChange(step);
            }
        }
    }

    private static SpoolWatch? OpenWatch(string path)
    {
        try
        {
            return new SpoolWatch(path);
        }
        catch (SpoolException exception) when (exception.Fault == SpoolFault.InputOutput)
        {
            // No inotify instance left (128 a user by default): looking ten times a second does as well.
            return null;
        }
    }
}
