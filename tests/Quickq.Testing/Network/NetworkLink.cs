using System.Globalization;

namespace Quickq.Testing.Network;

/// <summary>A cable between two namespaces (veth), which can be pulled without a word, or lose packets.</summary>
/// <remarks>The firewall at each end drops what arrives there, so neither side's kernel learns of it.</remarks>
public sealed class NetworkLink
{
    private readonly (NetworkNamespace Network, string Device)[] _ends;

    private NetworkLink(params (NetworkNamespace Network, string Device)[] ends)
    {
        _ends = ends;
    }

    /// <summary>Lays it.</summary>
    /// <param name="from">One end, and its address with the length of the network: 10.77.1.1/24.</param>
    /// <param name="to">The other end.</param>
    /// <param name="name">The name of both devices.</param>
    public static async Task<NetworkLink> LayAsync((NetworkNamespace Network, string Address) from, (NetworkNamespace Network, string Address) to, string name)
    {
        await from.Network.RunAsync("ip", "link", "add", name, "type", "veth", "peer", "name", name, "netns", to.Network.Pid.ToString(CultureInfo.InvariantCulture));
        foreach (var (network, address) in new[] { from, to })
        {
            await network.RunAsync("ip", "address", "add", address, "dev", name);
            await network.RunAsync("ip", "link", "set", name, "up");
            await network.RunAsync("nft", $"add table inet {name}; add chain inet {name} arriving {{ type filter hook input priority 0; }}");
        }

        return new NetworkLink((from.Network, name), (to.Network, name));
    }

    /// <summary>Pulls it: nothing arrives any more, at neither end, and nobody is told.</summary>
    public Task CutAsync() => RuleAsync("drop");

    /// <summary>So many of a hundred packets are lost, each way.</summary>
    public Task LoseAsync(int percent) => RuleAsync(string.Create(CultureInfo.InvariantCulture, $"numgen random mod 100 < {percent} drop"));

    /// <summary>Who sends anything over it gets a reset for an answer, wherever in a frame it is, as from a firewall that forgot the connection.</summary>
    public Task ResetAsync() => RuleAsync("tcp flags & rst == 0 reject with tcp reset");

    /// <summary>All well again.</summary>
    public Task HealAsync() => RuleAsync(rule: null);

    private Task RuleAsync(string? rule) => Task.WhenAll(_ends.Select(end => end.Network.RunAsync("nft",
        $"flush chain inet {end.Device} arriving{(rule is null ? "" : $"; add rule inet {end.Device} arriving iifname {end.Device} {rule}")}")));
}
