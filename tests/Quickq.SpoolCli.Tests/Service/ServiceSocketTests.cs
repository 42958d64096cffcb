using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>What <c>serve</c> does at the path of its socket: it replaces and removes its own alone, and needs a folder that nobody else may write. Needs root.</summary>
public sealed class ServiceSocketTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("")]
    [InlineData("-wal")]
    [InlineData(".lock")]
    [InlineData(".agent")]
    public async Task A_file_of_the_spool_is_never_the_socket(string suffix)
    {
        using (ChildProcess add = ChildProcess.Start(BuiltPrograms.SpoolCli, ["--direct", "add", "--spool", _spool.Path, "--id", "m1", "x"]))
        {
            Assert.Equal(0, await add.WaitForExitAsync(Limit));
        }

        using ChildProcess serve = ServeProcess.Start(_spool, _spool.Path + suffix, environment: null);

        Assert.Equal(73, await serve.WaitForExitAsync(Limit));
        Assert.Contains("is a file of the spool", serve.Stderr, StringComparison.Ordinal);
        Assert.Equal("m1", _spool.Value<string>("SELECT id FROM message"));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("echo notes > s.sock", 73, "is not a socket")]
    [InlineData("mkdir s.sock", 73, "is not a socket")]
    [InlineData("ln -s elsewhere s.sock", 73, "is not a socket")]
    [InlineData("chmod 0777 .", 77, "written by other accounts")]
    [InlineData("chmod 1777 .", 77, "written by other accounts")]
    [InlineData("chown 61950 .", 77, "belongs to the account 61950")]
    [InlineData("rmdir $PWD", 73, "does not exist")]
    [InlineData("echo notes > notes; chmod 0640 notes; ln -s notes s.sock.lock", 77, "is a symbolic link")]
    public async Task What_is_not_its_own_is_refused_and_left_alone(string before, int code, string says)
    {
        using var folder = new TempFolder("socket");
        using ChildProcess prepare = ChildProcess.Start("bash", ["-c", $"cd '{folder.Path}' && {before}"]);
        Assert.Equal(0, await prepare.WaitForExitAsync(Limit));
        string[] there = Directory.Exists(folder.Path) ? Directory.GetFileSystemEntries(folder.Path) : [];

        using ChildProcess serve = ServeProcess.Start(_spool, folder.File("s.sock"), environment: null);

        Assert.Equal(code, await serve.WaitForExitAsync(Limit));
        Assert.Contains(says, serve.Stderr, StringComparison.Ordinal);
        Assert.Equal(there, Directory.Exists(folder.Path) ? Directory.GetFileSystemEntries(folder.Path).Where(name => !name.EndsWith("s.sock.lock", StringComparison.Ordinal) || there.Contains(name)) : []);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("chmod 0770", "written by other accounts")]
    [InlineData("chown 61950", "belongs to the account 61950")]
    public async Task The_folder_of_the_spool_is_its_own_alone(string change, string says)
    {
        using ChildProcess prepare = ChildProcess.Start("bash", ["-c", $"{change} '{_spool.Folder}'"]);
        Assert.Equal(0, await prepare.WaitForExitAsync(Limit));
        using var folder = new TempFolder("socket");

        using ChildProcess serve = ServeProcess.Start(_spool, folder.File("s.sock"), environment: null);

        Assert.Equal(77, await serve.WaitForExitAsync(Limit));
        Assert.Contains(says, serve.Stderr, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact(Timeout = 120_000)]
    public async Task What_took_the_place_of_its_socket_stays_when_it_ends()
    {
        using ServeProcess service = await ServeProcess.StartAsync(_spool);
        File.Delete(service.Socket);
        await File.WriteAllTextAsync(service.Socket, "notes");

        Assert.Equal(0, await service.Child.StopAsync(Limit));
        Assert.Equal("notes", await File.ReadAllTextAsync(service.Socket));
    }

    [Theory(Timeout = 120_000)]
    [InlineData(0x180)] // 0600
    [InlineData(0x1B6, "--group", "61960")] // 0666
    public async Task The_mode_of_the_socket_follows_from_the_groups_and_not_from_the_mask(int mode, params string[] options)
    {
        using var folder = new TempFolder("socket");
        using ChildProcess service = ChildProcess.Start("bash",
            ["-c", "umask 0027; exec \"$@\"", "-", BuiltPrograms.SpoolCli, "serve", "--spool", _spool.Path, "--socket", folder.File("s.sock"), .. options]);
        await Eventually.Is("it listens", Limit, () => File.Exists(folder.File("s.sock")));

        Assert.Equal((UnixFileMode)mode, File.GetUnixFileMode(folder.File("s.sock")));
        Assert.Equal(0, await service.StopAsync(Limit));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_folder_is_no_spool()
    {
        using ChildProcess serve = ChildProcess.Start(BuiltPrograms.SpoolCli, ["serve", "--spool", _spool.Folder]);

        Assert.Equal(73, await serve.WaitForExitAsync(Limit));
        Assert.Contains("is a folder", serve.Stderr, StringComparison.Ordinal);
    }
}
