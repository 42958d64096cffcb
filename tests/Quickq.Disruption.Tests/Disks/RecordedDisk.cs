using System.Globalization;
using System.Text.Json;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>An ext4 file system on a disk that notes every write and every flush, and what is marked in between (tests/power). Needs root, /dev/fuse and loop devices.</summary>
internal sealed class RecordedDisk : IDisposable
{
    private const string SizeMiB = "40";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);
    private readonly TempFolder _folder = new("disk");
    private ChildProcess? _recorder;
    private string? _loop;
    private bool _mounted;

    /// <summary>Where the file system is.</summary>
    public string Mount => _folder.File("mounted");

    /// <summary>The folder of the recorder itself: a mounted FUSE file system, as sshfs and its like are.</summary>
    public string FuseFolder => _folder.File("fuse");

    /// <summary>What is written here stands in the log between writes and flushes.</summary>
    public string MarkFile => _folder.File("fuse/mark");

    /// <summary>A file of tests/power.</summary>
    public static string Tool(string name) => Path.Combine(AppContext.BaseDirectory, "power", name);

    /// <summary>Makes the disk and mounts it.</summary>
    public static async Task<RecordedDisk> MakeAsync()
    {
        RequireMachine();
        var disk = new RecordedDisk();
        try
        {
            await disk.MountAsync();
            return disk;
        }
        catch
        {
            disk.Dispose();
            throw;
        }
    }

    /// <summary>From now on whoever opens or reads a file of <see cref="FuseFolder"/> waits, as on a network file system whose server is gone.</summary>
    public Task PauseAsync() => _recorder!.PauseAsync();

    /// <summary>It answers again.</summary>
    public void Resume() => _recorder!.Resume();

    /// <summary>Unmounts it; the log is complete then.</summary>
    public async Task UnmountAsync()
    {
        await RunAsync("umount", Mount);
        _mounted = false;
        await RunAsync("losetup", "-d", _loop!);
        _loop = null;

        // The loop device lets go of the file a moment later.
        await Eventually.Succeeds("the recorder's folder is unmounted", Limit, () => RunAsync("umount", _folder.File("fuse")));
        Assert.Equal(0, await _recorder!.WaitForExitAsync(Limit));
    }

    /// <summary>Looks at the spool in so many states that a power cut may have left; gives tests/power/replay.py's findings.</summary>
    public async Task<JsonElement> ReplayAsync(int states, string? checkWith = null)
    {
        string[] program = checkWith is null ? [] : [checkWith];
        var said = await RunAsync(["python3", Tool("replay.py"), _folder.File("base.img"), _folder.File("log"), states.ToString(CultureInfo.InvariantCulture), Some.Number(0, int.MaxValue - 1).ToString(CultureInfo.InvariantCulture), .. program]);
        using var json = JsonDocument.Parse(said);
        return json.RootElement.Clone();
    }

    public void Dispose()
    {
        // After a failure some of it is still there; what is not makes a command fail that nobody needs then.
        if (_mounted)
        {
            RunQuietly("umount", "-l", Mount);
        }

        if (_loop is not null)
        {
            RunQuietly("losetup", "-d", _loop);
        }

        if (_recorder is { HasExited: false })
        {
            RunQuietly("umount", "-l", _folder.File("fuse"));
        }

        _recorder?.Dispose();
        _folder.Dispose();
    }

    private static void RequireMachine()
    {
        string? missing = Environment.UserName is not "root" ? "root"
            : !File.Exists("/dev/fuse") ? "/dev/fuse"
            : !File.Exists("/dev/loop-control") ? "loop devices (/dev/loop-control)"
            : null;
        Assert.True(missing is null, $"power cuts cannot be tried on this machine: it takes {missing}. Nothing was shown; run the tests where there is, or leave this class out with -class-");
    }

    private static async Task<string> RunAsync(params string[] command)
    {
        using var child = ChildProcess.Start(command[0], command[1..]);
        child.Stdin.Close();
        int code = await child.WaitForExitAsync(TimeSpan.FromHours(3));
        return code == 0 ? child.Stdout : throw new InvalidOperationException($"{string.Join(' ', command)}: exit {code}: {child.Stderr}{child.Stdout}");
    }

    private static void RunQuietly(params string[] command)
    {
        using var child = ChildProcess.Start(command[0], command[1..]);
        child.Stdin.Close();
        child.WaitForExitAsync(Limit).GetAwaiter().GetResult();
    }

    private async Task MountAsync()
    {
        string program = _folder.File("recorder"), image = _folder.File("base.img"), working = _folder.File("disk.img"), fuse = _folder.File("fuse");
        await RunAsync("sh", "-c", $"gcc -O2 -Wall -Werror -o {program} {Tool("recorder.c")} $(pkg-config --cflags --libs fuse3)");
        await RunAsync("truncate", "-s", SizeMiB + "M", image);
        await RunAsync("mkfs.ext4", "-q", "-m", "0", "-J", "size=4", image);
        File.Copy(image, working);
        Directory.CreateDirectory(fuse);
        Directory.CreateDirectory(Mount);
        _recorder = ChildProcess.Start(program, [working, _folder.File("log"), "-f", "-s", "-o", "allow_other", fuse]);
        await Eventually.Is("the recorder serves", Limit, () => File.Exists(_folder.File("fuse/disk")) || (_recorder.HasExited ? throw new InvalidOperationException(_recorder.Stderr) : false));
        _loop = (await RunAsync("losetup", "-f", "--show", _folder.File("fuse/disk"))).Trim();
        await RunAsync("mount", _loop, Mount);
        _mounted = true;
    }
}
