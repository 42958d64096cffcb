namespace Quickq.Testing;

/// <summary>The tree that the tests were built in.</summary>
public static class Repository
{
    // Tests run in artifacts/bin/<project>/<flavour>/.
    private static readonly string Root = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/')).Parent!.Parent!.Parent!.Parent!.FullName;

    /// <summary>The path of a folder of it.</summary>
    public static string Folder(string name) => Path.Combine(Root, name);
}
