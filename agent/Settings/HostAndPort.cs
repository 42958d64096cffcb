using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Quickq.Agent.Settings;

/// <summary>One place where a broker listens, as configured: the name is resolved at each connection attempt.</summary>
internal readonly record struct HostAndPort(string Host, int Port)
{
    /// <summary>Whether it certainly is this machine: what goes there crosses no network.</summary>
    public bool IsThisHost =>
        IPAddress.TryParse(Host, out var address) ? IPAddress.IsLoopback(address)
        : Host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || Host.Equals(Environment.MachineName, StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads <c>host</c>, <c>host:port</c>, <c>::1</c> or <c>[::1]:port</c>.</summary>
    public static bool TryParse(string text, int defaultPort, out HostAndPort parsed)
    {
        parsed = default;
        if (IsAddressV6(text))
        {
            parsed = new HostAndPort(text, defaultPort);
            return true;
        }

        var (host, port) = (text, defaultPort);
        var colon = text.LastIndexOf(':');
        if (colon > text.LastIndexOf(']'))
        {
            host = text[..colon];
            if (!int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port) || !IsPort(port))
            {
                return false;
            }
        }

        if (host is ['[', .., ']'])
        {
            host = host[1..^1];
            parsed = new HostAndPort(host, port);
            return IsAddressV6(host);
        }

        parsed = new HostAndPort(host, port);
        return IsHost(host);
    }

    public static bool IsPort(int port) => port is > 0 and <= IPEndPoint.MaxPort;

    /// <summary>Whether the text can be a host name or an address; whether it resolves is seen when connecting.</summary>
    public static bool IsHost(string text) =>
        IsAddressV6(text) || (Uri.CheckHostName(text) is UriHostNameType.Dns or UriHostNameType.IPv4 && text.Length <= 253);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(IsAddressV6(Host) ? $"[{Host}]" : Host)}:{Port}");

    private static bool IsAddressV6(string text) =>
        !text.StartsWith('[') && IPAddress.TryParse(text, out var address) && address.AddressFamily == AddressFamily.InterNetworkV6;
}
