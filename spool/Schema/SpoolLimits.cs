using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Spool.Files;
using Quickq.Spool.Schema;

namespace Quickq.Spool;

/// <summary>The limits that every producer honours, as they stand in the <c>setting</c> table. Read in each write transaction.</summary>
internal sealed record SpoolLimits
{
    /// <summary>The name of the setting that <see cref="ReserveMissing"/> is read from.</summary>
    public const string ReserveMissingSetting = "reserveMissing";

    private const long Mebibyte = 1024 * 1024;

    /// <summary>Format that the spool says it has.</summary>
    public long Format { get; private init; } = SpoolSchema.Format;

    /// <summary>Oldest format whose programs may still write.</summary>
    public long OldestWriter { get; private init; } = 1;

    /// <summary>Bytes of live pages; default 10 GiB.</summary>
    public long MaxSize { get; private init; } = 10240 * Mebibyte;

    /// <summary>Bytes of one body; default 16 MiB.</summary>
    public long MaxMessageSize { get; private init; } = 16 * Mebibyte;

    /// <summary>Bytes that stay free on the file system; null: the smaller of 512 MiB and 5 % of it.</summary>
    public long? MinFreeDisk { get; private init; }

    /// <summary>Bytes of the reserve that the agent gave up because the disk was full; they are not for new messages.</summary>
    public long ReserveMissing { get; private init; }

    /// <summary>Reads the limits; what is missing has its default.</summary>
    public static SpoolLimits Read(SqliteCommand selectSettings, string path)
    {
        var limits = new SpoolLimits();
        using SqliteDataReader reader = selectSettings.ExecuteReader();
        while (reader.Read())
        {
            string name = reader.TextOrNull(0) ?? "";
            if (!long.TryParse(reader.TextOrNull(1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value))
            {
                throw new SpoolException(SpoolFault.Damaged, path, $"the spool {path} is damaged: the setting {name} is not a number", "run 'quickq-spool check --repair'; an agent does it when it starts");
            }

            limits = name switch
            {
                "format" => limits with { Format = value },
                "oldestWriter" => limits with { OldestWriter = value },
                "maxSize" => limits with { MaxSize = Bytes(value) },
                "maxMessageSize" => limits with { MaxMessageSize = Bytes(value) },
                "minFreeDisk" => limits with { MinFreeDisk = Bytes(value) },
                ReserveMissingSetting => limits with { ReserveMissing = Bytes(value) },
                _ => limits,
            };
        }

        return limits;
    }

    private static long Bytes(long value) => Math.Max(0, value);

    /// <summary>The statement that <see cref="Read"/> wants.</summary>
    public static SqliteCommand Select(SqliteConnection connection) => connection.Prepare("SELECT name, value FROM setting");

    /// <summary>The WAL is checkpointed and cut back above this: the smaller of 8 MiB and 1/16 of the file system.</summary>
    public static long MaxWriteAheadLog(FileSystemSpace room) => Math.Min(8 * Mebibyte, room.TotalBytes / 16);

    /// <summary>Refuses new messages of <paramref name="incoming"/> bytes while there is still room to record what becomes of the old ones.</summary>
    public void RequireFreeSpace(FreeSpace room, string path, long incoming)
    {
        if (room.LiveBytes + incoming > MaxSize)
        {
            throw new SpoolException(SpoolFault.Full, path,
                $"the spool is full: {ByteSize.Describe(room.LiveBytes)} of {ByteSize.Describe(MaxSize)} (maxSize) are in use; nothing was stored",
                "'quickq-spool status' says which server is behind; raise spool.maxSize, or cancel what nobody needs");
        }

        long minimum = room.MinFreeDisk(MinFreeDisk);
        long kept = minimum + Math.Min(ReserveMissing, long.MaxValue - minimum);
        if (room.FreeDiskBytes - incoming < kept)
        {
            throw new SpoolException(SpoolFault.Full, path,
                $"the disk is nearly full: {ByteSize.Describe(Math.Max(0, room.FreeDiskBytes))} are free, {ByteSize.Describe(kept)} (minFreeDisk) are kept; nothing was stored",
                $"free some space on the file system of {Path.GetDirectoryName(path)}");
        }
    }
}
