using Quickq.Testing;

namespace Quickq.Bench.Contestants;

/// <summary>A script of this folder in a process of its own, with the package <c>quickq</c> of this tree.</summary>
internal static class PythonScript
{
    /// <summary>Debian's own: it alone sees the packages that apt brought, and it does not start through a wrapper.</summary>
    public const string System = "/usr/bin/python3";

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    /// <summary>Runs it to its end and gives what it printed; with another <paramref name="package"/> in place of this tree's, and on a <paramref name="spool"/>, where one is given.</summary>
    public static async Task<string> RunAsync(string script, IEnumerable<string> arguments, string interpreter = System, string? package = null, string? spool = null)
    {
        using ChildProcess child = Start(script, arguments, interpreter, package, spool);
        int code = await child.WaitForExitAsync(Limit);
        return code == 0 ? child.Stdout : throw new InvalidOperationException($"{script} ended with {code}: {child.Stderr}");
    }

    /// <summary>Starts it.</summary>
    public static ChildProcess Start(string script, IEnumerable<string> arguments, string interpreter = System, string? package = null, string? spool = null)
    {
        string path = Path.GetFullPath(Path.Combine(BuiltPrograms.PythonPackage, "..", "tests", "bench", script));
        ChildProcess child = ChildProcess.Start(
            interpreter, [path, .. arguments], new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["PYTHONPATH"] = package ?? BuiltPrograms.PythonPackage,
                ["QUICKQ_PROGRAM"] = BuiltPrograms.SpoolCli,
                ["QUICKQ_SPOOL"] = spool,
            });
        child.Stdin.Close();
        return child;
    }
}
