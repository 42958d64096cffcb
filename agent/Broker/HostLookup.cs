using System.Net;
using System.Net.Sockets;

namespace Quickq.Agent.Broker;

/// <summary>Asks for the addresses of a host, afresh each time: nothing is kept, so an alias that moves is followed.</summary>
internal static class HostLookup
{
    /// <summary>All addresses, v6 and v4, in the order that the system prefers.</summary>
    /// <exception cref="BrokerUnavailableException">There is none, or nobody says in time.</exception>
    public static async Task<IReadOnlyList<IPAddress>> ResolveAsync(string host, TimeSpan deadline, TimeProvider time, CancellationToken stopping)
    {
        if (IPAddress.TryParse(host, out var literal))
        {
            return [literal];
        }

        try
        {
            // The system's resolver cannot be interrupted once it asks: it is left to end on its own.
            var addresses = await Dns.GetHostAddressesAsync(host, stopping).WaitAsync(deadline, time, stopping);
            return addresses.Length > 0 ? addresses.Distinct().ToList() : throw new BrokerUnavailableException($"{host} has no address");
        }
        catch (SocketException unknown)
        {
            throw new BrokerUnavailableException(
                unknown.SocketErrorCode is SocketError.HostNotFound or SocketError.NoData
                    ? $"the name {host} does not resolve"
                    : $"the name servers do not answer for {host}: {unknown.Message}", unknown);
        }
        catch (TimeoutException late)
        {
            throw new BrokerUnavailableException($"the name servers do not answer for {host} within {deadline.TotalSeconds:0.#} s", late);
        }
    }
}
