using System.Collections;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Quickq.Spool;

namespace Quickq.Agent.Settings;

/// <summary>
/// Reads <c>quickq.json</c> and the environment variables that override it (<c>QUICKQ__servers__mq1__password</c>).
/// Either settings come back or every error at once; a password is in neither the errors nor the notes.
/// </summary>
internal static class SettingsFile
{
    public const string DefaultPath = "/etc/quickq/quickq.json";

    /// <summary>Two underscores: QUICKQ_SPOOL is not a setting but names the spool for every program.</summary>
    private const string VariablePrefix = "QUICKQ__";

    /// <summary>In bytes; thousands of servers fit in.</summary>
    private const int LargestFile = 16 << 20;

    public static SettingsReading Read(string path) =>
        Read(path, Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(variable => (string)variable.Key, variable => variable.Value as string ?? "", StringComparer.Ordinal));

    /// <summary>Whatever the file holds, this ends with settings or with errors.</summary>
    public static SettingsReading Read(string path, IReadOnlyDictionary<string, string> environment)
    {
        var errors = new ConfigErrors();
        path = Path.GetFullPath(path);
        try
        {
            return Read(path, environment, errors);
        }
        catch (Exception unforeseen)
        {
            // Its message may hold what stands in the file.
            errors.Add(path, $"cannot be read: an internal fault ({unforeseen.GetType().Name}); please report it, with the file but without its passwords");
            return new SettingsReading(Settings: null, errors.Lines);
        }
    }

    private static SettingsReading Read(string path, IReadOnlyDictionary<string, string> environment, ConfigErrors errors)
    {
        var json = ReadBytes(path, errors);
        if (json is null)
        {
            return new SettingsReading(Settings: null, errors.Lines) { IsForbidden = errors.IsForbidden };
        }

        var outline = JsonOutline.Read(json, path, errors);
        if (errors.Lines.Count > 0)
        {
            return new SettingsReading(Settings: null, errors.Lines);
        }

        var overrides = environment.Where(variable => variable.Key.StartsWith(VariablePrefix, StringComparison.OrdinalIgnoreCase))
            .Select(variable => (Key: variable.Key[VariablePrefix.Length..].Replace("__", ":", StringComparison.Ordinal), Variable: variable.Key, variable.Value))
            .DistinctBy(variable => variable.Key, StringComparer.OrdinalIgnoreCase).ToList();
        using var stream = new MemoryStream(json);
        var values = new ConfigurationBuilder().AddJsonStream(stream)
            .AddInMemoryCollection(overrides.Select(variable => KeyValuePair.Create(variable.Key, (string?)variable.Value))).Build();
        var origin = new SettingSource(outline, overrides.ToDictionary(variable => variable.Key, variable => variable.Variable, StringComparer.OrdinalIgnoreCase));

        var place = new SettingsPath(Path.GetDirectoryName(path)!, environment.GetValueOrDefault("CREDENTIALS_DIRECTORY"));
        var settings = ReadTop(new SettingsSection(values, path: "", origin, errors), place);
        settings = settings with { Notes = [.. settings.Notes, .. PermissionNotes(path, settings)] };
        return new SettingsReading(errors.Lines.Count == 0 ? settings : null, errors.Lines);
    }

    private static AgentSettings ReadTop(SettingsSection top, SettingsPath place)
    {
        var notes = new List<string>();
        var spool = ReadSpool(top.Section("spool"), place.Folder);
        var servers = ReadServers(top.Section("servers"), place, notes);
        ReadHttp(top.Section("http"), notes);
        var level = LogLevel.Information;
        if (top.Text("logLevel") is { } text && !Verbosity.TryParse(text, out level))
        {
            top.Error("logLevel", $"must be {Verbosity.Names}, not '{text}'");
        }

        top.NoteUnknown();
        return new AgentSettings { Spool = spool, Servers = servers, LogLevel = level, Notes = notes };
    }

    private static SpoolSettings ReadSpool(SettingsSection? section, string folder)
    {
        var defaults = new SpoolSettings { Path = SpoolPath.Resolve(null) };
        if (section is null)
        {
            return defaults;
        }

        var path = section.Text("path");
        if (path?.Length == 0)
        {
            section.Error("path", $"is empty; give the path of the spool, or leave it out for {defaults.Path}");
        }

        const long least = 1L << 20;
        var settings = new SpoolSettings
        {
            Path = string.IsNullOrEmpty(path) ? defaults.Path : Path.Combine(folder, path),
            MaxSizeBytes = section.Size("maxSize", least, long.MaxValue) ?? defaults.MaxSizeBytes,
            Retention = section.Time("retention", defaults.Retention, TimeSpan.Zero, TimeSpan.FromDays(36_500)),
            MinFreeDiskBytes = section.Size("minFreeDisk", 0, long.MaxValue),
            MaxMessageSizeBytes = section.Size("maxMessageSize", 1, 512L << 20) ?? defaults.MaxMessageSizeBytes,
        };
        if (settings.MaxMessageSizeBytes > settings.MaxSizeBytes)
        {
            section.Error("maxMessageSize", $"is larger than maxSize ({ByteSize.Format(settings.MaxSizeBytes)}); no such message would ever fit");
        }

        section.NoteUnknown();
        return settings;
    }

    private static List<ServerSettings> ReadServers(SettingsSection? section, SettingsPath place, List<string> notes)
    {
        var servers = new List<ServerSettings>();
        foreach (var name in section?.GivenNames ?? [])
        {
            if (!ServerSettingsReader.IsName(name))
            {
                section!.Error(name, "is not a name for a server; take 1 to 64 of the characters A-Z a-z 0-9 . _ -");
            }
            else if (section!.Section(name) is { } server && new ServerSettingsReader(server, place, notes).Read(name) is { } settings)
            {
                servers.Add(settings);
            }
        }

        if (section is null || !section.GivenNames.Any())
        {
            notes.Add("no servers configured; messages are accepted and stay in the spool");
        }

        servers.Sort((left, right) => string.CompareOrdinal(left.Name, right.Name));
        return servers;
    }

    private static void ReadHttp(SettingsSection? section, List<string> notes)
    {
        if (section?.Text("listen") is { } listen)
        {
            if (!HostAndPort.TryParse(listen, defaultPort: 0, out var parsed) || parsed.Port == 0)
            {
                section.Error("listen", $"{SettingsSection.Quote(listen)} is not address:port; write for example 127.0.0.1:9672");
            }

            notes.Add("http.listen: this version has no HTTP interface yet; the setting does nothing");
        }

        section?.NoteUnknown();
    }

    private static IEnumerable<string> PermissionNotes(string path, AgentSettings settings)
    {
        if (RegularFile.OtherReaders(path) is { } readers && settings.Servers.Any(server => server.Password.Given is not null && server.Password != PasswordSource.Default))
        {
            yield return $"{path}: holds a password and {readers} can read it; chmod 640, or use \"passwordFile\"";
        }
    }

    private static byte[]? ReadBytes(string path, ConfigErrors errors)
    {
        try
        {
            return Encoding.UTF8.GetBytes(StrictText.Read(RegularFile.Read(path, LargestFile)));
        }
        catch (FileNotFoundException)
        {
            errors.Add(path, "there is no such file; name another with --config");
        }
        catch (UnauthorizedAccessException)
        {
            errors.IsForbidden = true;
            errors.Add(path, "permission denied; run as root, or as a member of its group");
        }
        catch (IOException broken)
        {
            errors.Add(path, $"cannot be read: {broken.Message}");
        }

        return null;
    }
}
