namespace Quickq.Agent.Settings;

/// <summary>
/// An AMQP address, <c>amqp[s]://[user[:password]@]host[:port][/vhost][?name=value&amp;...]</c>, taken apart. The address itself is not
/// kept and never printed, since it may hold a password. A vhost that is <c>/</c> may be written <c>//</c>, as many clients do.
/// </summary>
internal sealed record BrokerUri(bool Tls, HostAndPort Host, string? User, Secret? Password, string? VirtualHost)
{
    public const string Form = "amqp://USER@HOST:PORT/VHOST or amqps://..., with special characters as %XX";

    public const int DefaultPort = 5672;

    public const int DefaultTlsPort = 5671;

    public UriParameters Parameters { get; private init; } = UriParameters.None;

    /// <summary>Reads an address; what is wrong with it is said without repeating any of it.</summary>
    public static bool TryParse(string text, out BrokerUri? parsed, out string whatIsWrong)
    {
        parsed = null;
        var tls = text.StartsWith("amqps://", StringComparison.OrdinalIgnoreCase);
        if (!tls && !text.StartsWith("amqp://", StringComparison.OrdinalIgnoreCase))
        {
            whatIsWrong = $"does not begin with amqp:// or amqps://; write {Form}";
            return false;
        }

        var rest = text[(text.IndexOf("://", StringComparison.Ordinal) + 3)..];
        var question = rest.IndexOf('?', StringComparison.Ordinal);
        var query = question < 0 ? "" : rest[(question + 1)..];
        if (rest.Contains('#', StringComparison.Ordinal) || query.AsSpan().IndexOfAny('@', '?') >= 0)
        {
            // An @ here is most likely the one behind a password that holds the question mark.
            whatIsWrong = "cannot be parsed: percent-encode ? as %3F, # as %23 and @ as %40 in user, password, vhost and parameters";
            return false;
        }

        rest = question < 0 ? rest : rest[..question];
        var slash = rest.IndexOf('/', StringComparison.Ordinal);
        var (authority, path) = slash < 0 ? (rest, "") : (rest[..slash], rest[(slash + 1)..]);
        var at = authority.LastIndexOf('@');
        var login = at < 0 ? null : authority[..at];
        if ((path is not "/" && path.AsSpan().IndexOfAny('/', '@') >= 0) || login?.Contains('@', StringComparison.Ordinal) == true)
        {
            whatIsWrong = $"cannot be parsed: percent-encode / as %2F and @ as %40 in user, password and vhost";
            return false;
        }

        if (!HostAndPort.TryParse(authority[(at + 1)..], tls ? DefaultTlsPort : DefaultPort, out var host))
        {
            whatIsWrong = $"invalid host or port; write {Form}";
            return false;
        }

        var colon = login?.IndexOf(':', StringComparison.Ordinal) ?? -1;
        var user = colon < 0 ? login : login![..colon];
        var password = colon < 0 ? null : new Secret(Uri.UnescapeDataString(login![(colon + 1)..]));
        parsed = new BrokerUri(
            tls, host, string.IsNullOrEmpty(user) ? null : Uri.UnescapeDataString(user), password, path.Length == 0 ? null : Uri.UnescapeDataString(path))
        {
            Parameters = UriParameters.Parse(query, tls, host.Host),
        };
        whatIsWrong = "";
        return true;
    }
}
