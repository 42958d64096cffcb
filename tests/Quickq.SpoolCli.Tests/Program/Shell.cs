using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>Runs bash scripts around the real program: <c>$q</c> is the program, <c>$QUICKQ_SPOOL</c> its spool, the folder is the spool's.</summary>
internal static class Shell
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static ChildProcess Start(TempSpool spool, string script) => ChildProcess.Start(
        "bash",
        ["-c", "cd \"$FOLDER\"\n" + script],
        new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["q"] = BuiltPrograms.SpoolCli,
            ["QUICKQ_SPOOL"] = spool.Path,
            ["FOLDER"] = spool.Folder,
            ["LC_ALL"] = "C.UTF-8",
        });

    public static async Task<CommandResult> RunAsync(TempSpool spool, string script)
    {
        using var child = Start(spool, script);
        child.Stdin.Close();
        var code = await child.WaitForExitAsync(Limit);
        return new CommandResult(code, child.Stdout, child.Stderr);
    }
}
