namespace Quickq.Spool;

/// <summary>Times as the spool stores them: whole microseconds since 1970-01-01T00:00:00Z.</summary>
internal static class SpoolTime
{
    public static long ToMicroseconds(DateTimeOffset time) => (time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond;

    public static DateTimeOffset FromMicroseconds(long microseconds)
    {
        // A foreign writer may have stored anything: clamp instead of failing to show the message at all.
        long ticks = Math.Clamp(microseconds, -62_135_596_800_000_000, 253_402_300_799_999_999) * TimeSpan.TicksPerMicrosecond;
        return DateTimeOffset.UnixEpoch.AddTicks(ticks);
    }

    /// <summary>Microseconds from one time to another, however far they are apart: a difference that has no 64 bits is the longest that has.</summary>
    public static long Between(long from, long to) => (long)Int128.Clamp((Int128)to - from, long.MinValue, long.MaxValue);

    public static long NowMicroseconds(this TimeProvider clock) => ToMicroseconds(clock.GetUtcNow());
}
