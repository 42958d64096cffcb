using System.Net;
using System.Net.Sockets;

namespace Quickq.Agent.Broker;

/// <summary>Asks for the addresses of a host, afresh each time: nothing is kept, so an alias that moves is followed.</summary>
internal static class HostLookup
{
    /// <summary>All addresses, v6 and v4, in the order that the system prefers.</summary>
    /// <exception cref="BrokerUnavailableException">There is none, or nobody says in time.</exception>
    public static async Task<IReadOnlyList<IPAddress>> ResolveAsync(string host, TimeSpan deadline, TimeProvider time, CancellationToken stopping) =>
        IPAddress.TryParse(host, out var literal) ? [literal] : Found(host, await AskAsync(host, AddressFamily.Unspecified, deadline, time, stopping));

    /// <summary>
    /// All addresses of one family. What the name servers say of the other family is not even asked: some answer for A and refuse AAAA, and the system's resolver,
    /// asked for both, then gives what it has.
    /// </summary>
    /// <exception cref="BrokerUnavailableException">There is none, or nobody says in time.</exception>
    public static async Task<IReadOnlyList<IPAddress>> ResolveAsync(string host, AddressFamily family, TimeSpan deadline, TimeProvider time, CancellationToken stopping) =>
        Found(host, await AskAsync(host, family, deadline, time, stopping));

    private static IReadOnlyList<IPAddress> Found(string host, IReadOnlyCollection<IPAddress> addresses) =>
        addresses.Count > 0 ? [.. addresses.Distinct()] : throw new BrokerUnavailableException($"the name {host} does not resolve");

    /// <summary>Empty when the answer is that there are none.</summary>
    private static async Task<IPAddress[]> AskAsync(string host, AddressFamily family, TimeSpan deadline, TimeProvider time, CancellationToken stopping)
    {
        try
        {
            // The system's resolver blocks its thread, for seconds while the servers are silent, and cannot be interrupted. So it gets a
            // thread of its own, which is left to end by itself: those of the pool are few, and the other servers' messages go out on them.
            var asking = Task.Factory.StartNew(() => Dns.GetHostAddresses(host, family), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            return await asking.WaitAsync(deadline, time, stopping);
        }
        catch (SocketException unknown) when (unknown.SocketErrorCode is SocketError.HostNotFound or SocketError.NoData)
        {
            return [];
        }
        catch (SocketException silent)
        {
            throw new BrokerUnavailableException($"the name servers do not answer for {host}: {silent.Message}", silent);
        }
        catch (ArgumentException unusable)
        {
            throw new BrokerUnavailableException($"{host} is not a name that can be looked up: {unusable.Message.ReplaceLineEndings(" ")}", unusable);
        }
        catch (TimeoutException late)
        {
            throw new BrokerUnavailableException($"the name servers do not answer for {host} within {deadline.TotalSeconds:0.#} s", late);
        }
    }
}
