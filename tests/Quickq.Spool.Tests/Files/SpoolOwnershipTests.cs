using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Quickq.Spool.Files;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Files;

public sealed class SpoolOwnershipTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly string[] Files = ["spool.db", "spool.db-wal", "spool.db-shm", "spool.db.lock"];

    private readonly TempSpool _spool = new();
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    [Fact]
    public void Every_file_is_the_owners_alone_and_another_mode_is_set_right()
    {
        using (SpoolWriter writer = SpoolWriter.Open(_spool.Path))
        {
            writer.Append(new OutgoingMessage());
            Assert.All(Files, file => Assert.Equal(OwnerOnly, File.GetUnixFileMode(_spool.File(file))));
        }

        foreach (string file in Files)
        {
            File.SetUnixFileMode(_spool.File(file), OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead);
        }

        using (SpoolReader.Open(_spool.Path))
        {
            Assert.All(Files, file => Assert.Equal(OwnerOnly, File.GetUnixFileMode(_spool.File(file))));
        }
    }

    [Theory]
    [InlineData("g+w")]
    [InlineData("o+w")]
    [InlineData("2770")]
    public void A_folder_that_others_may_write_is_refused_with_the_command_that_fixes_it(string mode)
    {
        using (SpoolWriter.Open(_spool.Path))
        {
            Run("chmod", mode, _spool.Folder);
        }

        foreach (Action open in (Action[])[() => SpoolWriter.Open(_spool.Path), () => SpoolReader.Open(_spool.Path), () => new WriteLock(_spool.Path)])
        {
            SpoolException refused = Assert.Throws<SpoolException>(open);
            Assert.Equal(SpoolFault.PermissionDenied, refused.Fault);
            Assert.Equal($"chmod go-w {_spool.Folder}", refused.Hint);
        }

        foreach (Action look in (Action[])[() => SpoolReader.Open(_spool.File("none.db")), () => SpoolRepair.Run(_spool.File("none.db"))])
        {
            Assert.Equal(SpoolFault.PermissionDenied, Assert.Throws<SpoolException>(look).Fault);
        }

        Run("chmod", "go-w", _spool.Folder);
        SpoolWriter.Open(_spool.Path).Dispose();
        Assert.Equal(SpoolFault.NotFound, Assert.Throws<SpoolException>(() => SpoolReader.Open(_spool.File("none.db"))).Fault);
    }

    [Theory]
    [InlineData("", "sudo -u '#61900' quickq-spool ...")]
    [InlineData("spool.db", "sudo -u '#61900' quickq-spool ...")]
    [InlineData("spool.db-wal", null)]
    [InlineData("spool.db-journal", null)]
    [InlineData("spool.db.lock", null)]
    public void What_belongs_to_somebody_else_is_refused_and_left_as_it_is(string what, string? hint)
    {
        Assert.SkipUnless(UserAccount.EffectiveId == 0, "only root may give files away");
        SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.Append(new OutgoingMessage());
        writer.Dispose();
        if (what.Length > 0 && !File.Exists(_spool.File(what)))
        {
            File.WriteAllText(_spool.File(what), "planted");
        }

        Run("chown", "61900", what.Length > 0 ? _spool.File(what) : _spool.Folder);
        SpoolException refused = Assert.Throws<SpoolException>(() => SpoolWriter.Open(_spool.Path));

        Assert.Equal(SpoolFault.PermissionDenied, refused.Fault);
        Assert.Contains("61900", refused.Message, StringComparison.Ordinal);
        Assert.Equal(hint ?? refused.Hint, refused.Hint);
        Assert.Equal(SpoolFault.PermissionDenied, Assert.Throws<SpoolException>(() => SpoolReader.Open(_spool.Path)).Fault);
        if (what is "spool.db-journal")
        {
            Assert.Equal("planted", File.ReadAllText(_spool.File(what)));
            File.Delete(_spool.File(what));
        }
    }

    [Fact]
    public void A_second_name_is_refused_and_one_that_is_left_of_its_making_is_removed()
    {
        SpoolWriter.Open(_spool.Path).Dispose();
        Run("ln", _spool.Path, _spool.File("spool.db.new.4711"));
        SpoolWriter.Open(_spool.Path).Dispose();
        Assert.False(File.Exists(_spool.File("spool.db.new.4711")));

        Run("ln", _spool.Path, _spool.File("other.db"));
        SpoolException refused = Assert.Throws<SpoolException>(() => SpoolWriter.Open(_spool.Path));
        Assert.Equal(SpoolFault.UnsuitableFileSystem, refused.Fault);
        Assert.Contains("hard link", refused.Message, StringComparison.Ordinal);
        Assert.Equal(SpoolFault.UnsuitableFileSystem, Assert.Throws<SpoolException>(() => SpoolReader.Open(_spool.Path)).Fault);
    }

    [Fact]
    public void A_file_that_is_itself_a_mount_point_is_refused()
    {
        SpoolWriter.Open(_spool.Path).Dispose();
        SpoolWriter.Open(_spool.File("real.db")).Dispose();
        Assert.SkipUnless(UserAccount.EffectiveId == 0, "mounting needs root");
        Run("mount", "--bind", _spool.File("real.db"), _spool.Path);
        try
        {
            Assert.Equal(SpoolFault.UnsuitableFileSystem, Assert.Throws<SpoolException>(() => SpoolWriter.Open(_spool.Path)).Fault);
            Assert.Equal(SpoolFault.UnsuitableFileSystem, Assert.Throws<SpoolException>(() => SpoolReader.Open(_spool.Path)).Fault);
            Assert.True(MountTable.Contains(_spool.Path));
            Assert.False(MountTable.Contains(_spool.File("real.db")));
        }
        finally
        {
            Run("umount", _spool.Path);
        }

        SpoolWriter.Open(_spool.Path).Dispose();
    }

    [Theory]
    [InlineData("device")]
    [InlineData("pipe")]
    [InlineData("socket")]
    [InlineData("folder")]
    public void What_is_no_regular_file_is_not_a_spool_and_stays_as_it_is(string kind)
    {
        _spool.MustBeSound = false;
        switch (kind)
        {
            case "device":
                Assert.SkipUnless(UserAccount.EffectiveId == 0, "making a device needs root");
                Run("mknod", _spool.Path, "c", "1", "3");
                break;
            case "pipe":
                Run("mkfifo", _spool.Path);
                break;
            case "folder":
                Directory.CreateDirectory(_spool.Path);
                break;
            default:
                _socket.Bind(new UnixDomainSocketEndPoint(_spool.Path));
                break;
        }

        FileStatus? before = FileStatus.Find(_spool.Path, out _);
        Assert.Equal(SpoolFault.NotASpool, Assert.Throws<SpoolException>(() => SpoolWriter.Open(_spool.Path)).Fault);
        Assert.Equal(SpoolFault.NotASpool, Assert.Throws<SpoolException>(() => SpoolReader.Open(_spool.Path)).Fault);
        Assert.Equal(before, FileStatus.Find(_spool.Path, out _));
    }

    [Fact]
    public void A_link_that_leads_to_nothing_yet_leads_to_the_new_spool()
    {
        _spool.MustBeSound = false;
        using var data = new TempFolder("data");
        File.CreateSymbolicLink(_spool.Path, data.File("real.db"));
        using (SpoolWriter writer = SpoolWriter.Open(_spool.Path))
        {
            writer.Append(new OutgoingMessage());
        }

        Assert.True(File.Exists(data.File("real.db.lock")));
        Assert.Equal(["spool.db"], Directory.GetFiles(_spool.Folder).Select(Path.GetFileName));
    }

    public void Dispose()
    {
        Run("chown", "-R", UserAccount.EffectiveId.ToString(CultureInfo.InvariantCulture), _spool.Folder);
        _socket.Dispose();
        _spool.Dispose();
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
