using System.Globalization;

namespace Quickq.Agent.Settings;

/// <summary>
/// What stands behind the <c>?</c> of an AMQP URI, by the names that RabbitMQ's page on URI query parameters has. What the agent has a
/// setting for is used, what does nothing here is noted, and what is unknown or would weaken the connection is an error.
/// </summary>
/// <remarks>No value is ever repeated: one of them may be a password.</remarks>
internal sealed class UriParameters
{
    private const string Plain = "the agent logs in by user and password (PLAIN)";

    private static readonly string[] Names =
    [
        "auth_mechanism", "cacertfile", "certfile", "channel_max", "connection_timeout", "depth", "fail_if_no_peer_cert", "frame_max", "heartbeat", "keyfile",
        "password", "server_name_indication", "verify",
    ];

    private readonly List<string> _errors = [];
    private readonly List<string> _notes = [];
    private readonly Dictionary<string, string> _files = new(StringComparer.Ordinal);

    private UriParameters()
    {
    }

    /// <summary>No parameter.</summary>
    public static UriParameters None { get; } = new();

    public TimeSpan? Heartbeat { get; private set; }

    /// <summary><c>cacertfile</c>, the authorities to trust.</summary>
    public string? CaFile => _files.GetValueOrDefault("cacertfile");

    /// <summary><c>certfile</c>, the agent's own certificate.</summary>
    public string? CertificateFile => _files.GetValueOrDefault("certfile");

    /// <summary><c>keyfile</c>, its key.</summary>
    public string? KeyFile => _files.GetValueOrDefault("keyfile");

    public IReadOnlyList<string> Errors => _errors;

    /// <summary>What does nothing here, each with the reason.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Reads <c>name=value&amp;name=value</c>.</summary>
    /// <param name="query">What follows the question mark.</param>
    /// <param name="isEncrypted">The URI begins with amqps://.</param>
    /// <param name="host">The host of the URI.</param>
    public static UriParameters Parse(string query, bool isEncrypted, string host)
    {
        var read = new UriParameters();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var parameter in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = parameter.IndexOf('=', StringComparison.Ordinal) is >= 0 and var equals
                ? (Uri.UnescapeDataString(parameter[..equals]), Uri.UnescapeDataString(parameter[(equals + 1)..]))
                : (Uri.UnescapeDataString(parameter), "");
            if (!Names.Contains(name, StringComparer.Ordinal))
            {
                read._errors.Add(Spelling.Nearest(name, Names) is { } nearest
                    ? $"unknown parameter '{name}'; did you mean '{nearest}'?"
                    : $"unknown parameter '{name}'; known: {string.Join(", ", Names)}. A ? in user, password or vhost is written %3F");
            }
            else if (!seen.Add(name) && name is not "auth_mechanism")
            {
                read._errors.Add($"the parameter {name} is given twice; keep one");
            }
            else
            {
                read.Read(name, value, isEncrypted, host);
            }
        }

        return read;
    }

    private void Read(string name, string value, bool isEncrypted, string host)
    {
        switch (name)
        {
            case "heartbeat" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds is >= 1 and <= 3_600:
                Heartbeat = TimeSpan.FromSeconds(seconds);
                break;
            case "heartbeat":
                _errors.Add("the parameter heartbeat must be a whole number of seconds from 1 to 3600; without heartbeats a dead link is not noticed");
                break;
            case "cacertfile" or "certfile" or "keyfile" or "verify" or "server_name_indication" or "depth" or "fail_if_no_peer_cert" or "password" when !isEncrypted:
                _errors.Add($"the parameter {name} is for TLS, and the uri begins with amqp://; write amqps://");
                break;
            case "cacertfile" or "certfile" or "keyfile" when value.Length == 0:
                _errors.Add($"the parameter {name} is empty; give the path of a PEM file");
                break;
            case "cacertfile" or "certfile" or "keyfile":
                _files[name] = value;
                break;
            case "verify" when value is not "verify_peer":
                _errors.Add("the parameter verify must be verify_peer: the agent always checks the server's certificate. Name its authority by cacertfile");
                break;
            case "server_name_indication" when !value.Equals(host, StringComparison.OrdinalIgnoreCase):
                _errors.Add("the parameter server_name_indication must be the host of the uri: the agent always checks the certificate for that name");
                break;
            case "password":
                _errors.Add("the parameter password (of a key file) is not supported; give a key file without a password");
                break;
            case "auth_mechanism" when value.Equals("external", StringComparison.OrdinalIgnoreCase):
                _errors.Add($"auth_mechanism=external is not supported: {Plain}");
                break;
            case "auth_mechanism" when !value.Equals("plain", StringComparison.OrdinalIgnoreCase):
                _notes.Add($"the parameter auth_mechanism does nothing here: {Plain}");
                break;
            case "connection_timeout":
                _notes.Add("the parameter connection_timeout does nothing here: the agent tries each address for 5 s and retries until the server answers");
                break;
            case "channel_max":
                _notes.Add("the parameter channel_max does nothing here: the agent opens one channel for each exchange, within the server's limit");
                break;
            case "frame_max":
                _notes.Add("the parameter frame_max does nothing here: the server's limit applies");
                break;
            case "depth" or "fail_if_no_peer_cert":
                _notes.Add($"the parameter {name} does nothing here: the server's certificate is always checked up to its authority");
                break;
        }
    }
}
