using System.Diagnostics;
using System.Globalization;

namespace Quickq.Testing;

/// <summary>A small file system of its own, which can be filled to the last byte, emptied again and made read-only. Needs root.</summary>
public sealed class SmallDisk : IDisposable
{
    private readonly TempFolder _place = new("disk");
    private readonly string _filler;

    private SmallDisk()
    {
        Folder = Directory.CreateDirectory(_place.File("mounted")).FullName;
        _filler = Path.Combine(Folder, "filler");
    }

    /// <summary>Where it is mounted.</summary>
    public string Folder { get; }

    /// <summary>A file system in memory.</summary>
    public static SmallDisk InMemory(int mebibytes)
    {
        var disk = new SmallDisk();
        Run("mount", "-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={mebibytes}m"), "tmpfs", disk.Folder);
        return disk;
    }

    /// <summary>A real ext4 in a file, behind a loop device.</summary>
    public static SmallDisk Ext4(int mebibytes)
    {
        var disk = new SmallDisk();
        string image = disk._place.File("image");
        using (FileStream file = File.Create(image))
        {
            file.SetLength((long)mebibytes << 20);
        }

        // Not the 1 KiB blocks that it takes for small ones: SQLite fills its index a page at a time, and on a full disk the holes in it would end the process (SIGBUS).
        Run("mkfs.ext4", "-q", "-m", "0", "-b", "4096", image);
        Run("mount", "-o", "loop", image, disk.Folder);
        return disk;
    }

    /// <summary>Writes a file until not one byte more fits.</summary>
    public void Fill()
    {
        using var file = new FileStream(_filler, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        for (int size = 1 << 20; size >= 1;)
        {
            try
            {
                file.Write(new byte[size]);
                file.Flush(flushToDisk: true);
            }
            catch (IOException full) when (full.Message.Contains("space", StringComparison.OrdinalIgnoreCase))
            {
                size /= 2;
            }
        }
    }

    /// <summary>Takes the filler away.</summary>
    public void Empty() => File.Delete(_filler);

    /// <summary>Mounts it read-only, as the kernel does after an error of the disk.</summary>
    public void MakeReadOnly() => Run("mount", "-o", "remount,ro", Folder);

    /// <summary>Writable again.</summary>
    public void MakeWritable() => Run("mount", "-o", "remount,rw", Folder);

    public void Dispose()
    {
        Run("umount", "--lazy", Folder);
        _place.Dispose();
    }

    private static void Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, UseShellExecute = false })!;
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} (needs root): {error}");
        }
    }
}
