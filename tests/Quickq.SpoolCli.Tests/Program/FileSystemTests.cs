using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>What the file system below a spool can be like: full, read-only, not there. Needs root to mount.</summary>
public sealed class FileSystemTests : IDisposable
{
    private readonly SmallDisk _disk = SmallDisk.InMemory(mebibytes: 16);
    private readonly TempSpool _spool;

    public FileSystemTests() => _spool = new TempSpool(_disk.Folder);

    [Fact(Timeout = 60_000)]
    public async Task On_a_full_disk_a_new_spool_cannot_be_made_now_and_the_exit_code_is_75()
    {
        _disk.Fill();

        await RequireAsync(75, "is full; nothing was stored; free some space", "add", "x");

        _disk.Empty();
        Assert.Equal(0, (await RunAsync("add", "x")).ExitCode);
    }

    [Fact(Timeout = 60_000)]
    public async Task On_a_full_disk_add_says_how_full_it_is_and_status_still_reads()
    {
        Assert.Equal(0, (await RunAsync("add", "--id", "before", "x")).ExitCode);
        _disk.Fill();

        await RequireAsync(75, "is full; nothing was stored|disk is nearly full: .* are free, .* are kept; nothing was stored", "add", "--id", "full", "x");

        CommandResult status = await RunAsync("status", "before");
        Assert.True(status.ExitCode == 0, status.Stderr);
        _disk.Empty();
        Assert.Equal(0, (await RunAsync("add", "--id", "after", "x")).ExitCode);
        Assert.Equal(["before", "after"], _spool.Query<string>("SELECT id FROM message ORDER BY seq"));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_read_only_file_system_is_named_and_the_exit_code_is_74()
    {
        Assert.Equal(0, (await RunAsync("add", "x")).ExitCode);
        _disk.MakeReadOnly();
        try
        {
            await RequireAsync(74, "is on a read-only file system; mount it writable", "add", "y");
            await RequireAsync(74, "is on a read-only file system; mount it writable", "purge", "--older-than", "1d");
        }
        finally
        {
            _disk.MakeWritable();
        }

        Assert.Equal(0, (await RunAsync("add", "y")).ExitCode);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_folder_that_is_not_there_is_named_and_the_exit_code_is_73()
    {
        CommandResult result = await new SpoolCommand(_spool.File("missing/spool.db")).RunAsync("add", "x");

        Assert.Equal(73, result.ExitCode);
        Assert.Contains("neither the folder ", result.Stderr, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _spool.Dispose();
        _disk.Dispose();
    }

    private Task<CommandResult> RunAsync(params string[] arguments) => new SpoolCommand(_spool).RunAsync(arguments);

    private async Task RequireAsync(int code, string words, params string[] arguments)
    {
        CommandResult result = await RunAsync(arguments);
        Assert.True(result.ExitCode == code, $"exit {result.ExitCode}: {result.Stdout}{result.Stderr}");
        Assert.Matches(words, result.Stderr);
        Assert.Empty(result.Stdout);
    }
}
