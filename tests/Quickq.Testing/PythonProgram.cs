namespace Quickq.Testing;

/// <summary>Python programs that use the package as it is in the tree.</summary>
public static class PythonProgram
{
    /// <summary>QUICKQ_PYTHON, else <c>python3</c>.</summary>
    public static string Interpreter => Environment.GetEnvironmentVariable("QUICKQ_PYTHON") ?? "python3";

    /// <summary>Runs <paramref name="code"/> on a spool. The service that it may start ends with <see cref="TempSpool.Dispose"/>.</summary>
    public static ChildProcess Start(TempSpool spool, string code, params string[] arguments) => StartWith(Interpreter, spool, code, arguments);

    /// <summary>The same with a certain interpreter.</summary>
    public static ChildProcess StartWith(string interpreter, TempSpool spool, string code, params string[] arguments) =>
        ChildProcess.Start(interpreter, ["-c", code, .. arguments], Variables(spool.Path));

    /// <summary>What a Python program needs to find the package, the spool and the program of the service.</summary>
    public static Dictionary<string, string?> Variables(string spoolPath) => new(StringComparer.Ordinal)
    {
        ["QUICKQ_SPOOL"] = spoolPath,
        ["QUICKQ_PROGRAM"] = BuiltPrograms.SpoolCli,
        ["PYTHONPATH"] = BuiltPrograms.PythonPackage,
        ["PYTHONDONTWRITEBYTECODE"] = "1",
    };
}
