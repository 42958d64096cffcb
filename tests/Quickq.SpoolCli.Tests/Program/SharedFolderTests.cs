using System.Diagnostics;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>
/// Root's cron job, an operator and a service account share one spool by a group, in a folder as the packages make it (2770). Real accounts, none of which
/// the system knows by name. Needs root.
/// </summary>
public sealed class SharedFolderTests : IClassFixture<SharedFolderTests.Programs>, IDisposable
{
    private const string Group = "61900";

    private static readonly Account[] Accounts =
    [
        new("root's cron job", User: "0", PrimaryGroup: "0", Groups: "0", Umask: "077"),
        new("an operator", User: "61901", PrimaryGroup: "61901", Groups: Group, Umask: "027"),
        new("a service account", User: "61902", PrimaryGroup: Group, Groups: Group, Umask: "022"),
    ];

    private static readonly Account Outsider = new("an outsider", User: "61903", PrimaryGroup: "61903", Groups: "61903", Umask: "022");

    private readonly TempSpool _place = new();
    private readonly string _spool;
    private readonly Programs _programs;

    public SharedFolderTests(Programs programs)
    {
        _programs = programs;
        Run("chmod", "755", _place.Folder);
        Run("mkdir", _place.File("shared"));
        Run("chown", $"0:{Group}", _place.File("shared"));
        Run("chmod", "2770", _place.File("shared"));
        _spool = _place.File("shared/spool.db");
    }

    public static TheoryData<int, int, int> Orders => new() { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

    [Theory]
    [MemberData(nameof(Orders))]
    public void Whoever_comes_first_locks_nobody_out(int first, int second, int third)
    {
        int[] order = [first, second, third, first, second, third];
        for (int turn = 0; turn < order.Length; turn++)
        {
            // Each once by the program and once from Python; who begins with which is different in each order.
            bool python = (turn + first + (turn / 3)) % 2 == 1;
            (int code, string text) = Add(Accounts[order[turn]], python);
            Assert.True(code == 0, $"turn {turn}, {Accounts[order[turn]].Name} by {(python ? "Python" : "quickq-spool")}: exit {code}: {text}");
        }

        foreach (string file in Directory.GetFiles(_place.File("shared")))
        {
            Assert.Equal($"660 {Group}", Run("stat", "-c", "%a %g", file).Trim());
        }

        Assert.Equal("6", Run("sqlite3", _spool, "SELECT count(*) FROM message").Trim());
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void An_account_outside_the_group_is_told_so_with_77(bool exists, bool python)
    {
        if (exists)
        {
            Assert.Equal(0, Add(Accounts[2], python).ExitCode);
        }

        (int code, string text) = Add(Outsider, python);

        Assert.True(code == 77, $"exit {code}: {text}");
        Assert.Contains("group that owns", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_spool_that_only_its_owner_may_write_is_refused_with_77_and_not_called_damaged()
    {
        Assert.Equal(0, Add(Accounts[0], python: false).ExitCode);
        Run("chmod", "640", _spool);

        (int code, string text) = Add(Accounts[1], python: false);

        Assert.True(code == 77, $"exit {code}: {text}");
        Assert.Contains("no permission to write", text, StringComparison.Ordinal);
    }

    public void Dispose() => _place.Dispose();

    private (int ExitCode, string Text) Add(Account account, bool python) => Execute("setpriv",
    [
        $"--reuid={account.User}", $"--regid={account.PrimaryGroup}", $"--groups={account.Groups}", "--",
        "env", $"QUICKQ_SPOOL={_spool}", $"PYTHONPATH={_programs.Folder}", "PYTHONDONTWRITEBYTECODE=1", $"HOME={_place.Folder}",
        "sh", "-c", $"umask {account.Umask}; exec \"$@\"", "sh",
        .. python ? (string[])["/usr/bin/python3", "-m", "quickq", "-t", "k", "{}"] : [_programs.SpoolCli, "add", "-t", "k", "{}"],
    ]);

    private static string Run(string program, params string[] arguments)
    {
        (int code, string text) = Execute(program, arguments);
        return code == 0 ? text : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {text}");
    }

    private static (int ExitCode, string Text) Execute(string program, string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + error.GetAwaiter().GetResult());
    }

    /// <summary>Copies of what the accounts run, within their reach wherever the tests themselves are.</summary>
    public sealed class Programs : IDisposable
    {
        private readonly TempFolder _folder = new("programs");

        public Programs()
        {
            Run("cp", "-r", Path.GetDirectoryName(BuiltPrograms.SpoolCli)!, _folder.File("program"));
            Run("cp", "-r", Path.Combine(BuiltPrograms.PythonPackage, "quickq"), Folder);
            Run("chmod", "-R", "a+rX", Folder);
        }

        public string Folder => _folder.Path;

        public string SpoolCli => _folder.File("program/quickq-spool");

        public void Dispose() => _folder.Dispose();
    }

    private sealed record Account(string Name, string User, string PrimaryGroup, string Groups, string Umask);
}
