using System.Net;
using System.Net.Sockets;

namespace Quickq.Agent.Broker;

/// <summary>Notices, while connected, that the name of a server has moved away from the address in use.</summary>
/// <remarks>
/// An open connection never learns of it: an alias that operators move to another broker would be followed at the next loss only. Asks every
/// <see cref="Interval"/>; when the address in use is missing from the answer, asks again after <see cref="Confirmation"/>, and only then says so. No
/// answer (NXDOMAIN, REFUSED, SERVFAIL, a time-out, none of the family of the address in use) never counts as missing; what is said of the other family does not matter. At
/// most one move in <see cref="Quiet"/>, so that rotating answers do not flap.
/// </remarks>
internal sealed class DnsChangeMonitor(TimeProvider clock, Func<string, AddressFamily, CancellationToken, Task<IReadOnlyList<IPAddress>>> resolve)
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);
    public static readonly TimeSpan Confirmation = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan Quiet = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    private long? _lastMove;

    public DnsChangeMonitor(TimeProvider clock)
        : this(clock, (host, family, stopping) => HostLookup.ResolveAsync(host, family, Deadline, clock, stopping))
    {
    }

    /// <summary>Completes when <paramref name="host"/> no longer leads to <paramref name="address"/>; never for a literal address.</summary>
    /// <exception cref="OperationCanceledException">Nobody wants to know any more.</exception>
    public async Task WaitUntilMovedAsync(string host, IPAddress address, CancellationToken stopping)
    {
        if (IPAddress.TryParse(host, out _))
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, clock, stopping);
        }

        while (true)
        {
            await Task.Delay(Interval, clock, stopping);
            if ((_lastMove is { } last && clock.GetElapsedTime(last) < Quiet) || !await IsMissingAsync(host, address, stopping))
            {
                continue;
            }

            await Task.Delay(Confirmation, clock, stopping);
            if (await IsMissingAsync(host, address, stopping))
            {
                _lastMove = clock.GetTimestamp();
                return;
            }
        }
    }

    private async Task<bool> IsMissingAsync(string host, IPAddress address, CancellationToken stopping)
    {
        try
        {
            IPAddress wanted = Plain(address);
            return (await resolve(host, wanted.AddressFamily, stopping)).All(found => !Plain(found).Equals(wanted));
        }
        catch (BrokerUnavailableException)
        {
            return false; // no answer says nothing about the address in use
        }
    }

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
