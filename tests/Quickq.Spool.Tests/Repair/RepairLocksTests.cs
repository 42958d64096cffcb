using System.Globalization;
using Quickq.Spool.Files;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Repair;

/// <summary>
/// The agent repairs while its own connections are open. SQLite's lock on the file must outlive a look at it that does not go through SQLite: else the last
/// program that closes the spool takes the log away under the agent.
/// </summary>
public sealed class RepairLocksTests : IDisposable
{
    private readonly TempSpool _spool = new();

    public RepairLocksTests() => FilledSpool.Fill(_spool, 50);

    [Fact]
    public void A_spool_that_turns_out_to_be_sound_stays_locked_for_who_has_it_open()
    {
        using SpoolReader open = SpoolReader.Open(_spool.Path);
        Assert.True(IsLocked());

        Assert.Null(SpoolRepair.Run(_spool.Path));

        Assert.True(IsLocked());
    }

    [Fact]
    public void A_repair_that_fails_leaves_the_spool_locked_for_who_has_it_open()
    {
        using SpoolWriter open = SpoolWriter.Open(_spool.Path);
        _spool.Execute("UPDATE server SET held = 99");
        Directory.CreateDirectory(string.Create(CultureInfo.InvariantCulture, $"{_spool.Path}.new.{Environment.ProcessId}"));
        Assert.True(IsLocked());

        Assert.Throws<SpoolException>(() => SpoolRepair.Run(_spool.Path));
        Assert.Throws<SpoolException>(() => SpoolRepair.Run(_spool.Path));

        Assert.True(IsLocked());
    }

    [Fact]
    public void The_file_that_was_replaced_is_not_kept_open()
    {
        _spool.Execute("UPDATE server SET held = 99");

        string aside = SpoolRepair.Run(_spool.Path)!.Aside;

        Assert.DoesNotContain(aside, Directory.GetFiles("/proc/self/fd").Select(descriptor => new FileInfo(descriptor).LinkTarget), StringComparer.Ordinal);
    }

    public void Dispose() => _spool.Dispose();

    private bool IsLocked()
    {
        string place = FileIdentity.Find(_spool.Path)!.Value.Identity.ToString(), holder = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        return File.ReadLines("/proc/locks").Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Any(words => words is [_, "POSIX", _, "READ", var pid, var where, ..] && string.Equals(pid, holder, StringComparison.Ordinal) && string.Equals(where, place, StringComparison.Ordinal));
    }
}
