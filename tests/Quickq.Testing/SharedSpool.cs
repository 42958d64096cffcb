using System.Diagnostics;
using System.Globalization;

namespace Quickq.Testing;

/// <summary>A spool of an account of its own and its service, as other accounts meet them: the socket lies beside the spool. Needs root.</summary>
public sealed class SharedSpool : IDisposable
{
    private const int Group = 61960, AdminGroup = 61961;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static readonly Lazy<string> ProgramForAll = new(CopyProgram);

    /// <summary>The spool's file, as root reads it.</summary>
    public TempSpool Spool { get; } = new();

    /// <summary>Makes the place; nothing serves there yet.</summary>
    public SharedSpool()
    {
        // Others may look through the folder at the socket; the files are the owner's alone.
        File.SetUnixFileMode(Spool.Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        Give(Spool.Folder);
    }

    public static TestAccount Owner { get; } = new("the owner", 61950);

    public static TestAccount Member { get; } = new("a member of the group", 61951, Group);

    public static TestAccount Operator { get; } = new("an operator", 61952, AdminGroup);

    public static TestAccount Outsider { get; } = new("an outsider", 61953);

    /// <summary>quickq-spool where every account can run it.</summary>
    public static string Program => ProgramForAll.Value;

    public string Path => Spool.Path;

    public string Socket => Spool.File("spool.sock");

    /// <summary>The running service; null before the first start.</summary>
    public ChildProcess? Service { get; private set; }

    /// <summary>Starts the service, and waits until it listens.</summary>
    public async Task StartAsync(params string[] options)
    {
        Service?.Dispose();
        Service = Owner.Start(Program, ["serve", "--spool", Path, "--group", Number(Group), "--admin-group", Number(AdminGroup), .. options]);

        // The client itself waits for a service that starts; before the first add there is no spool to list.
        CommandResult answer = await RunAsync(Owner, "--service", "list", "--limit", "1");
        if (answer.ExitCode is not (0 or 66))
        {
            throw new InvalidOperationException($"the service does not answer: {answer.Stderr} It said: {Service.Stderr}");
        }
    }

    /// <summary>Runs quickq-spool on this spool as an account, with nothing on standard input.</summary>
    public Task<CommandResult> RunAsync(TestAccount account, params string[] arguments) => RunWithInputAsync(account, "", arguments);

    /// <summary>Runs it with this text on standard input.</summary>
    public async Task<CommandResult> RunWithInputAsync(TestAccount account, string input, params string[] arguments)
    {
        using ChildProcess child = Start(account, arguments);
        return await child.EndAsync(input, Limit);
    }

    /// <summary>Starts it and leaves it to the test.</summary>
    public ChildProcess Start(TestAccount account, params string[] arguments) => account.Start(Program, arguments, Environment());

    /// <summary>Runs a bash script as an account: <c>$q</c> is the program, <c>$QUICKQ_SPOOL</c> the spool.</summary>
    public async Task<CommandResult> RunScriptAsync(TestAccount account, string script)
    {
        using ChildProcess child = account.Start("bash", ["-c", script], Environment());
        return await child.EndAsync("", Limit);
    }

    /// <summary>A file of an account's own, which no other account can read.</summary>
    public static string FileOf(TestAccount account, TempFolder folder, string name, string content)
    {
        string path = folder.File(name);
        File.WriteAllText(path, content);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Run("chown", Number(account.User), path);
        return path;
    }

    public void Dispose()
    {
        Service?.Dispose();
        Spool.Dispose();
    }

    private Dictionary<string, string?> Environment() => new(StringComparer.Ordinal)
    {
        ["q"] = Program,
        ["QUICKQ_SPOOL"] = Path,
        ["QUICKQ_SOCKET"] = null,
    };

    private static void Give(string path) => Run("chown", $"{Number(Owner.User)}:{Number(Owner.User)}", path);

    /// <summary>Where the tests lie may be out of another account's reach.</summary>
    private static string CopyProgram()
    {
        var folder = new TempFolder("program");
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        Run("cp", "-rT", System.IO.Path.GetDirectoryName(BuiltPrograms.SpoolCli)!, folder.Path);
        Run("chmod", "-R", "a+rX", folder.Path);
        return folder.File(System.IO.Path.GetFileName(BuiltPrograms.SpoolCli));
    }

    private static void Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(program, arguments);
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}");
        }
    }

    private static string Number(int id) => id.ToString(CultureInfo.InvariantCulture);
}
