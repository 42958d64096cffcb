using System.Runtime.CompilerServices;

namespace Quickq.SpoolCli.Tests.Program;

/// <summary>Compares an output with the text that was approved: a change of a contract is a change of that file, seen in review.</summary>
internal static class Approval
{
    /// <summary>QUICKQ_APPROVE=1 writes the file anew instead.</summary>
    public static void Matches(string name, string actual, [CallerFilePath] string source = "")
    {
        var path = Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(source))!, "Approved", name);
        if (Environment.GetEnvironmentVariable("QUICKQ_APPROVE") is "1")
        {
            File.WriteAllText(path, actual);
        }

        Assert.Equal(File.ReadAllText(path), actual);
    }
}
