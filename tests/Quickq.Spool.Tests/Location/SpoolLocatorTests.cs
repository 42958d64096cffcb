using Quickq.Spool.Files;
using Quickq.Testing;

namespace Quickq.Spool.Tests.Location;

/// <summary>The whole table of docs/spool-format.md, "Who opens the file".</summary>
public sealed class SpoolLocatorTests : IDisposable
{
    private static readonly uint Me = UserAccount.EffectiveId, Other = UserAccount.EffectiveId + 1;

    private readonly TempFolder _folder = new("locator");

    private string Spool => _folder.File("spool.db");

    private string Beside => _folder.File("spool.sock");

    [Theory]
    [InlineData(nameof(SpoolAccess.Automatic))]
    [InlineData(nameof(SpoolAccess.Direct))]
    public void A_spool_of_this_account_is_opened_directly(string access)
    {
        Assert.Equal(SpoolLocation.Direct(Spool), Locate(access: Enum.Parse<SpoolAccess>(access), named: Spool));
        File.WriteAllText(Spool, "");
        Assert.Equal(SpoolLocation.Direct(Spool), Locate(access: Enum.Parse<SpoolAccess>(access), named: Spool));
    }

    [Fact]
    public void A_spool_of_this_account_is_asked_for_through_its_service_on_demand() =>
        Assert.Equal(SpoolLocation.Service(Beside, Spool), Locate(SpoolAccess.Service, Spool));

    [Fact]
    public void A_spool_of_another_account_is_asked_for_through_its_service() =>
        Assert.Equal(SpoolLocation.Service(Beside, Spool), Locate(named: Spool, user: Other));

    [Fact]
    public void The_file_decides_as_well_as_the_folder()
    {
        Assert.SkipUnless(Me == 0, "only root may give a file away");
        File.WriteAllText(Spool, "");
        Give(Spool);

        Assert.Equal(SpoolLocation.Service(Beside, Spool), Locate(named: Spool));
        SpoolException refusal = Assert.Throws<SpoolException>(() => Locate(SpoolAccess.Direct, Spool));
        Assert.Equal(SpoolFault.PermissionDenied, refusal.Fault);
        Assert.Contains("sudo -u", refusal.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Direct_on_a_spool_of_another_account_names_the_command_that_works()
    {
        SpoolException refusal = Assert.Throws<SpoolException>(() => Locate(SpoolAccess.Direct, Spool, user: Other));
        Assert.Equal(SpoolFault.PermissionDenied, refusal.Fault);
        Assert.Equal(UserAccount.CommandAs(Me), refusal.Hint);
    }

    [Fact]
    public void A_name_on_the_command_line_comes_before_a_socket_of_the_environment()
    {
        Assert.Equal(SpoolLocation.Direct(Spool), Locate(named: Spool, socket: _folder.File("other.sock")));
        Assert.Equal(SpoolLocation.Service(_folder.File("other.sock"), Spool), Locate(named: Spool, socket: _folder.File("other.sock"), user: Other));
    }

    [Fact]
    public void A_socket_of_the_environment_comes_before_a_spool_of_the_environment_and_names_no_spool() =>
        Assert.Equal(SpoolLocation.Service(_folder.File("other.sock"), null), Locate(socket: _folder.File("other.sock"), variable: Spool));

    [Fact]
    public void Direct_passes_the_socket_of_the_environment_by() =>
        Assert.Equal(SpoolLocation.Direct(Spool), Locate(SpoolAccess.Direct, socket: _folder.File("other.sock"), variable: Spool));

    [Fact]
    public void A_spool_of_the_environment_comes_before_the_default()
    {
        Assert.Equal(SpoolLocation.Direct(Spool), Locate(variable: Spool));
        Assert.Equal(SpoolLocation.Service(Beside, Spool), Locate(variable: Spool, user: Other));
    }

    [Fact]
    public void The_default_spool_has_the_socket_of_the_host_and_is_not_named_in_the_greeting()
    {
        Assert.Equal(SpoolLocation.Direct(Spool), Locate(atDefault: Spool));
        Assert.Equal(SpoolLocation.Service(_folder.File("host.sock"), null), Locate(atDefault: Spool, user: Other));
        Assert.Equal(SpoolLocation.Service(_folder.File("host.sock"), Spool), Locate(named: Spool, atDefault: Spool, user: Other));
    }

    [Fact]
    public void Empty_names_count_as_none() => Assert.Equal(SpoolLocation.Direct(Spool), Locate(named: "", socket: "", variable: "", atDefault: Spool));

    [Fact]
    public void Links_are_resolved_first_also_one_that_leads_to_nothing_yet()
    {
        using var elsewhere = new TempFolder("locator-target");
        File.CreateSymbolicLink(Spool, elsewhere.File("real.db"));
        Assert.Equal(SpoolLocation.Direct(elsewhere.File("real.db")), Locate(named: Spool));
        Assert.Equal(SpoolLocation.Service(elsewhere.File("spool.sock"), elsewhere.File("real.db")), Locate(named: Spool, user: Other));
    }

    [Fact]
    public void A_link_of_another_account_is_not_followed_where_everybody_may_set_one()
    {
        Assert.SkipUnless(Me == 0, "only root may give a link away");
        using var mine = new TempFolder("locator-victim");
        File.CreateSymbolicLink(Spool, mine.File("spool.db"));
        Assert.Equal(SpoolLocation.Direct(mine.File("spool.db")), Locate(named: Spool));

        Give(Spool);

        Assert.Equal(SpoolLocation.Service(Beside, Spool), Locate(named: Spool));
    }

    [Theory]
    [InlineData("spool.db")]
    [InlineData("sub/spool.db")]
    public void A_link_that_another_account_may_set_leads_to_its_service_and_nowhere_else(string name)
    {
        Assert.SkipUnless(Me == 0, "only root may give a folder away");
        using var mine = new TempFolder("locator-victim");
        File.WriteAllText(mine.File("spool.db"), "");
        bool isFolder = name.Contains('/', StringComparison.Ordinal);
        File.CreateSymbolicLink(_folder.File(isFolder ? "sub" : name), isFolder ? Path.GetDirectoryName(mine.File("spool.db"))! : mine.File("spool.db"));
        Give(Path.GetDirectoryName(Spool)!);

        Assert.Equal(SpoolLocation.Service(_folder.File(name.Replace("spool.db", "spool.sock", StringComparison.Ordinal)), _folder.File(name)), Locate(named: _folder.File(name)));
        Assert.Equal(SpoolFault.PermissionDenied, Assert.Throws<SpoolException>(() => Locate(SpoolAccess.Direct, _folder.File(name))).Fault);
        Assert.Equal(SpoolLocation.Service(_folder.File("host.sock"), null), Locate(atDefault: _folder.File(name)));
        Assert.Equal(SpoolLocation.Service(mine.File("spool.sock"), mine.File("spool.db")), Locate(named: _folder.File(name), user: Other));
    }

    [Theory]
    [InlineData(nameof(SpoolAccess.Automatic))]
    [InlineData(nameof(SpoolAccess.Direct))]
    [InlineData(nameof(SpoolAccess.Service))]
    public void Neither_folder_nor_socket_is_not_found_and_for_a_command_that_makes_a_spool_cannot_create(string access)
    {
        string nowhere = _folder.File("no/spool.db");
        Assert.Equal(SpoolFault.NotFound, Assert.Throws<SpoolException>(() => Locate(Enum.Parse<SpoolAccess>(access), nowhere)).Fault);
        Assert.Equal(SpoolFault.CannotCreate, Assert.Throws<SpoolException>(() => Locate(Enum.Parse<SpoolAccess>(access), nowhere, creates: true)).Fault);
    }

    [Fact]
    public void A_socket_without_a_folder_is_enough() => Assert.Equal(
        SpoolLocation.Service(_folder.File("other.sock"), "/no/such/spool.db"),
        Locate(named: "/no/such/spool.db", socket: Touch("other.sock")));

    [Fact]
    public void A_socket_whose_folder_is_missing_is_not_found() =>
        Assert.Equal(SpoolFault.NotFound, Assert.Throws<SpoolException>(() => Locate(socket: _folder.File("no/spool.sock"))).Fault);

    public void Dispose() => _folder.Dispose();

    private static void Give(string path)
    {
        using var chown = System.Diagnostics.Process.Start("chown", ["-h", Other.ToString(System.Globalization.CultureInfo.InvariantCulture), path]);
        chown.WaitForExit();
        Assert.Equal(0, chown.ExitCode);
    }

    private string Touch(string name)
    {
        File.WriteAllText(_folder.File(name), "");
        return _folder.File(name);
    }

    private SpoolLocation Locate(SpoolAccess access = SpoolAccess.Automatic, string? named = null, string? socket = null, string? variable = null,
        string? atDefault = null, uint? user = null, bool creates = false) => new SpoolLocator
        {
            Variable = name => name switch
            {
                SpoolLocator.SocketVariable => socket,
                SpoolPath.Variable => variable,
                _ => null,
            },
            UserId = user ?? Me,
            DefaultPath = atDefault ?? "/no/such/default.db",
            DefaultSocket = _folder.File("host.sock"),
        }.Locate(access, named, creates);
}
