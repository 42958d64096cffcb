namespace Quickq.Testing;

/// <summary>Where the programs under test are: named by the environment, else those built beside the tests.</summary>
public static class BuiltPrograms
{
    /// <summary>QUICKQ_AGENT, else artifacts/bin/Quickq.Agent.</summary>
    public static string Agent => Find("QUICKQ_AGENT", "Quickq.Agent", "quickq-agent");

    /// <summary>QUICKQ_SPOOL_CLI, else artifacts/bin/Quickq.SpoolCli.</summary>
    public static string SpoolCli => Find("QUICKQ_SPOOL_CLI", "Quickq.SpoolCli", "quickq-spool");

    /// <summary>Where <see cref="SpoolCli"/> is once it is built. The Python package starts the service of an own spool with it.</summary>
    public static string SpoolCliPath => PathOf("QUICKQ_SPOOL_CLI", "Quickq.SpoolCli", "quickq-spool");

    /// <summary>The folder that PYTHONPATH names to try the Python package as it stands in the tree.</summary>
    public static string PythonPackage => Repository.Folder("python-shim");

    // Tests run in artifacts/bin/<project>/<flavour>/.
    private static DirectoryInfo Output => new(AppContext.BaseDirectory.TrimEnd('/'));

    private static string Find(string variable, string project, string program)
    {
        string path = PathOf(variable, project, program);
        return File.Exists(path)
            ? path
            : throw new FileNotFoundException($"{path} is not there: build Quickq.sln first, or name another with {variable}", path);
    }

    private static string PathOf(string variable, string project, string program) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } named
        ? named
        : Path.Combine(Output.Parent!.Parent!.FullName, project, Output.Name, program);
}
