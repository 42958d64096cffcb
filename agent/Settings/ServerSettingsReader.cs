using System.Text;
using System.Text.RegularExpressions;

namespace Quickq.Agent.Settings;

/// <summary>Reads the settings of one server and notes every error in them.</summary>
internal sealed partial class ServerSettingsReader(SettingsSection section, SettingsPath place, List<string> notes)
{
    private const string PasswordAdvice = "give \"password\", or \"passwordFile\" with the path of a file that holds it";

    public static bool IsName(string name) => NamePattern().IsMatch(name);

    public ServerSettings? Read(string name)
    {
        var address = ReadUri();
        var tls = ReadTls(address);
        var hosts = ReadHosts(address, tls is not null);
        var user = Either("user", address?.User, "user is also set in the URI; set it in one place");
        if (user?.Length == 0)
        {
            section.Error("user", "is empty; name the user");
        }

        var settings = new ServerSettings
        {
            Name = name,
            Hosts = hosts,
            VirtualHost = Either("vhost", address?.VirtualHost, "vhost is also set in the URI; set it in one place") ?? "/",
            User = user ?? "guest",
            Password = ReadPassword(user, address?.Password),
            Exchange = ReadExchange(),
            Exchanges = ReadExchanges(),
            Window = section.Number("window", 1_000, 1, 100_000),
            WindowBytes = section.Size("windowBytes", 1_024, 1L << 30) ?? 8L << 20,
            Unroutable = ReadUnroutable(),
            Heartbeat = ReadHeartbeat(address?.Parameters.Heartbeat),
            Tls = tls,
        };
        if (tls is null)
        {
            NotePlain(hosts);
        }

        section.NoteUnknown();
        return hosts.Count == 0 ? null : settings;
    }

    private BrokerUri? ReadUri()
    {
        BrokerUri? address = null;
        if (section.Text("uri") is { } text && !BrokerUri.TryParse(text, out address, out var whatIsWrong))
        {
            section.Error("uri", whatIsWrong);
        }

        foreach (var error in address?.Parameters.Errors ?? [])
        {
            section.Error("uri", error);
        }

        notes.AddRange((address?.Parameters.Notes ?? []).Select(note => $"{section.Path}.uri: {note}"));
        return address;
    }

    private TimeSpan ReadHeartbeat(TimeSpan? inUri)
    {
        var heartbeat = section.Time("heartbeat", TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
        if (inUri is not null && section.Has("heartbeat"))
        {
            section.Error("heartbeat", "heartbeat is also set in the URI; set it in one place");
        }
        else if (heartbeat.Ticks % TimeSpan.TicksPerSecond != 0)
        {
            section.Error("heartbeat", "AMQP counts heartbeats in whole seconds; take a whole number of them");
        }

        return inUri ?? heartbeat;
    }

    private List<HostAndPort> ReadHosts(BrokerUri? address, bool encrypted)
    {
        string[] places = ["host", "hosts", "port"];
        if (section.Has("uri"))
        {
            foreach (var other in places.Where(section.Has))
            {
                section.Error(other, "it is also set in the URI; keep either \"uri\" or \"host\", \"hosts\" and \"port\"");
            }

            return address is null ? [] : [address.Host];
        }

        var port = section.Number("port", encrypted ? BrokerUri.DefaultTlsPort : BrokerUri.DefaultPort, 1, 65_535);
        var one = section.Text("host");
        var many = section.Texts("hosts");
        if (section.Has("host") && section.Has("hosts"))
        {
            section.Error("hosts", "\"host\" is set too; keep one of them");
        }
        else if (!section.Has("host") && !section.Has("hosts"))
        {
            section.Error("host", "missing; say where the server is: \"host\", \"hosts\" or \"uri\"");
        }

        if (one is not null && !HostAndPort.IsHost(one))
        {
            section.Error("host", one.Contains(':', StringComparison.Ordinal)
                ? $"{SettingsSection.Quote(one)} is not a host name; write the port as \"port\""
                : $"{SettingsSection.Quote(one)} is not a host name or address");
            return [];
        }

        return one is not null ? [new HostAndPort(one, port)] : ParseHosts(many, port);
    }

    private List<HostAndPort> ParseHosts(IReadOnlyList<string>? texts, int port)
    {
        var hosts = new List<HostAndPort>();
        foreach (var text in texts ?? [])
        {
            if (!HostAndPort.TryParse(text, port, out var host))
            {
                section.Error("hosts", $"{SettingsSection.Quote(text)} is not a host; write name, name:port, address or [address]:port");
            }
            else if (hosts.Contains(host))
            {
                section.Error("hosts", $"{SettingsSection.Quote(text)} is listed twice");
            }
            else
            {
                hosts.Add(host);
            }
        }

        if (texts is { Count: 0 })
        {
            section.Error("hosts", "is empty; name at least one host");
        }

        return hosts;
    }

    private PasswordSource ReadPassword(string? user, Secret? inUri)
    {
        var given = section.Text("password");
        var file = section.Text("passwordFile");
        var (hasText, hasFile) = (section.Has("password"), section.Has("passwordFile"));
        if (hasText && hasFile)
        {
            section.Error("passwordFile", "\"password\" is set too; keep one of them");
        }
        else if (inUri is not null && (hasText || hasFile))
        {
            section.Error(hasText ? "password" : "passwordFile", "the password is also set in the URI; set it in one place");
        }
        else if (given?.Length == 0)
        {
            section.Error("password", $"is empty; {PasswordAdvice}");
        }
        else if (inUri is null && !hasText && !hasFile && user is { Length: > 0 } and not "guest")
        {
            section.Error("password", $"missing for user '{user}'; {PasswordAdvice}");
        }

        var text = given ?? inUri?.Reveal();
        return file is not null ? FromFile(file) : text is null ? PasswordSource.Default : PasswordSource.Of(text);
    }

    private PasswordSource FromFile(string file)
    {
        if (file.Length == 0)
        {
            section.Error("passwordFile", "is empty; give the path of a file");
        }

        // Not an error: the file may come, or change, while the agent runs.
        var source = PasswordSource.InFile(place.FileOf(file));
        try
        {
            source.Read();
            NoteReaders($"{section.Path}.passwordFile", source.File!);
        }
        catch (IOException unreadable)
        {
            notes.Add($"{section.Path}.passwordFile: {unreadable.Message}; it is read again at each connection attempt");
        }

        return source;
    }

    private string ReadExchange()
    {
        var exchange = section.Text("exchange");
        if (!section.Has("exchange"))
        {
            section.Error("exchange", "missing; name the exchange that messages go to, \"\" for the AMQP default exchange");
        }
        else if (exchange is not null && Encoding.UTF8.GetByteCount(exchange) > 255)
        {
            section.Error("exchange", "is longer than the 255 bytes that AMQP allows");
        }

        return exchange ?? "";
    }

    private IReadOnlyList<string> ReadExchanges()
    {
        var exchanges = section.Texts("exchanges", takesOne: false);
        if (exchanges is { Count: 0 })
        {
            section.Error("exchanges", "is empty; name the exchanges whose messages this server gets, or leave it out for all");
        }

        foreach (var exchange in exchanges?.Where(name => Encoding.UTF8.GetByteCount(name) > 255) ?? [])
        {
            section.Error("exchanges", $"{SettingsSection.Quote(exchange)} is longer than the 255 bytes that AMQP allows");
        }

        return [.. (exchanges ?? []).Distinct(StringComparer.Ordinal)];
    }

    private Unroutable ReadUnroutable()
    {
        var text = section.Text("unroutable");
        switch (text?.ToUpperInvariant())
        {
            case null or "ACCEPT": return Unroutable.Accept;
            case "RETRY": return Unroutable.Retry;
            case "PARK": return Unroutable.Park;
            case "IGNORE": return Unroutable.Ignore;
            default:
                section.Error("unroutable", "must be one of: accept, retry, park, ignore");
                return Unroutable.Accept;
        }
    }

    private TlsSettings? ReadTls(BrokerUri? address)
    {
        var given = section.Section("tls");
        if (given is null && address?.Tls != true)
        {
            return null;
        }

        if (address is { Tls: false })
        {
            section.Error("tls", "the uri begins with amqp://, which is not encrypted; write amqps://");
        }

        var inUri = address?.Parameters ?? UriParameters.None;
        var tls = new TlsSettings(
            FileAt(given, "ca", inUri.CaFile, "cacertfile"), FileAt(given, "cert", inUri.CertificateFile, "certfile"), FileAt(given, "key", inUri.KeyFile, "keyfile"));
        if (tls is { KeyFile: not null, CertificateFile: null } && given?.Has("cert") != true)
        {
            const string NoCertificate = "there is no \"cert\" that it belongs to; give both";
            if (given?.Has("key") == true)
            {
                given.Error("key", NoCertificate);
            }
            else
            {
                section.Error("uri", $"the parameter keyfile: {NoCertificate}");
            }
        }

        if ((tls.KeyFile ?? tls.CertificateFile) is { } key)
        {
            NoteReaders($"{section.Path}.tls.{(tls.KeyFile is null ? "cert" : "key")}", key);
        }

        given?.NoteUnknown();
        return tls;
    }

    private void NoteReaders(string setting, string secret)
    {
        if (RegularFile.OtherReaders(secret) is { } readers)
        {
            notes.Add($"{setting}: {readers} can read {secret}; chmod 640");
        }
    }

    private void NotePlain(IEnumerable<HostAndPort> hosts)
    {
        if (string.Join(", ", hosts.Where(host => !host.IsThisHost).Select(host => host.Host)) is { Length: > 0 } others)
        {
            notes.Add($"{section.Path}: the connection to {others} is not encrypted: the password crosses the network in clear; use amqps:// or \"tls\"");
        }
    }

    private string? FileAt(SettingsSection? tls, string name, string? inUri, string parameter)
    {
        var text = tls?.Text(name);
        if (inUri is not null && tls?.Has(name) == true)
        {
            tls.Error(name, $"the URI has the parameter {parameter} too; set it in one place");
        }

        if (text?.Length == 0)
        {
            tls!.Error(name, "is empty; give the path of a PEM file");
            return null;
        }

        if ((text ?? inUri) is not { } given)
        {
            return null;
        }

        var path = place.FileOf(given);
        if (!File.Exists(path))
        {
            notes.Add($"{section.Path}.tls.{name}: there is no file {path}; it is read at each connection attempt");
        }

        return path;
    }

    private string? Either(string name, string? inUri, string whatIsWrong)
    {
        var given = section.Text(name);
        if (given is not null && inUri is not null)
        {
            section.Error(name, whatIsWrong);
        }

        return given ?? inUri;
    }

    [GeneratedRegex(@"\A[A-Za-z0-9._-]{1,64}\z", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex NamePattern();
}
