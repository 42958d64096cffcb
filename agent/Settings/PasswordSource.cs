namespace Quickq.Agent.Settings;

/// <summary>
/// Where the password of a server comes from: the settings, or a file that is read anew at each connection attempt,
/// so that a rotated password needs no restart. Printing it never shows the password.
/// </summary>
internal sealed record PasswordSource
{
    /// <summary>In bytes. More than this is not a password but a wrong path.</summary>
    private const int LongestPassword = 4 * 1024;

    private PasswordSource(Secret? given, string? file)
    {
        Given = given;
        File = file;
    }

    /// <summary>What a fresh RabbitMQ has for its user guest; no secret.</summary>
    public static PasswordSource Default { get; } = Of("guest");

    public Secret? Given { get; }

    public string? File { get; }

    public static PasswordSource Of(string password) => new(new Secret(password), file: null);

    public static PasswordSource InFile(string path) => new(given: null, path);

    /// <summary>The password as of now: from a file its first line.</summary>
    /// <exception cref="IOException">The file cannot be read, or holds no password; the message says which file and why.</exception>
    public Secret Read()
    {
        if (Given is not null)
        {
            return Given;
        }

        var line = ReadFile(File!).Split('\n', '\r')[0];
        return string.IsNullOrEmpty(line)
            ? throw new IOException($"the first line of the password file {File} is empty")
            : new Secret(line);
    }

    public override string ToString() => File is null ? "***" : $"in {File}";

    private static string ReadFile(string path)
    {
        try
        {
            return StrictText.Read(RegularFile.Read(path, LongestPassword));
        }
        catch (FileNotFoundException missing)
        {
            throw new IOException($"the password file {path} does not exist", missing);
        }
        catch (UnauthorizedAccessException refused)
        {
            throw new IOException($"the password file {path} cannot be read by this user", refused);
        }
        catch (IOException unusable)
        {
            throw new IOException($"the password file {path} cannot be used: {unusable.Message}", unusable);
        }
    }
}
