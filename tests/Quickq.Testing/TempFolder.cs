namespace Quickq.Testing;

/// <summary>A folder of its own, deleted on dispose.</summary>
public sealed class TempFolder : IDisposable
{
    /// <summary>Makes it below the system's temporary folder, or below <paramref name="parent"/>.</summary>
    public TempFolder(string purpose = "test", string? parent = null)
    {
        Path = parent is null
            ? Directory.CreateTempSubdirectory($"quickq-{purpose}-").FullName
            : Directory.CreateDirectory(System.IO.Path.Combine(parent, $"quickq-{purpose}-{Guid.NewGuid():N}")).FullName;
    }

    public string Path { get; }

    /// <summary>The path of a file in it.</summary>
    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        if (Directory.Exists(Path))
        {
            Directory.Delete(Path, recursive: true);
        }
    }
}
