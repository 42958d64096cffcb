using Xunit;

namespace Quickq.Testing.Network;

/// <summary>
/// Two nodes and two places for agents, each in a network namespace of its own, with a cable from every place to every node: <c>IClassFixture&lt;OwnNetwork&gt;</c>.
/// </summary>
/// <remarks>
/// Both nodes listen on port 5672 of their own addresses. <see cref="Here"/> reaches them as 10.77.1.2 and 10.77.2.2, by cables that tests cut;
/// <see cref="Named"/> as 10.78.1.2 and 10.78.2.2, by cables that stay, and has a name server. The test itself reaches them in any case, by their loopback.
/// </remarks>
public sealed class OwnNetwork : IAsyncLifetime
{
    private readonly List<NetworkNamespace> _all = [];

    /// <summary>A place for agents whose cables are cut.</summary>
    public NetworkNamespace Here { get; private set; } = null!;

    /// <summary>A place for agents that ask a name server.</summary>
    public NetworkNamespace Named { get; private set; } = null!;

    public RabbitNode First { get; private set; } = null!;

    public RabbitNode Second { get; private set; } = null!;

    /// <summary>From <see cref="Here"/> to the first node.</summary>
    public NetworkLink ToFirst { get; private set; } = null!;

    /// <summary>From <see cref="Here"/> to the second node.</summary>
    public NetworkLink ToSecond { get; private set; } = null!;

    /// <summary>The name server of <see cref="Named"/>.</summary>
    public NameServer Names { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Here = await MakeAsync();
        Named = await MakeAsync();
        var (first, second) = (await MakeAsync(), await MakeAsync());
        ToFirst = await NetworkLink.LayAsync((Here, "10.77.1.1/24"), (first, "10.77.1.2/24"), "cable1");
        ToSecond = await NetworkLink.LayAsync((Here, "10.77.2.1/24"), (second, "10.77.2.2/24"), "cable2");
        await NetworkLink.LayAsync((Named, "10.78.1.1/24"), (first, "10.78.1.2/24"), "fixed1");
        await NetworkLink.LayAsync((Named, "10.78.2.1/24"), (second, "10.78.2.2/24"), "fixed2");

        // A node is reached by its first address from there too.
        await Named.RunAsync("ip", "route", "add", "10.77.1.2", "via", "10.78.1.2");
        await Named.RunAsync("ip", "route", "add", "10.77.2.2", "via", "10.78.2.2");
        First = RabbitNode.Create("near", inside: first, addresses: ["10.77.1.2", "10.78.1.2"]);
        Second = RabbitNode.Create("far", inside: second, addresses: ["10.77.2.2", "10.78.2.2"]);
        Names = await NameServer.StartAsync(Named);
        await Task.WhenAll(First.StartAsync(), Second.StartAsync());
    }

    /// <summary>A virtual host of this name on both nodes.</summary>
    public Task CreateVirtualHostAsync(string name) => Task.WhenAll(First.CreateVirtualHostAsync(name), Second.CreateVirtualHostAsync(name));

    public async ValueTask DisposeAsync()
    {
        Names?.Dispose();
        foreach (var node in new[] { First, Second })
        {
            if (node is not null)
            {
                await node.DisposeAsync();
            }
        }

        _all.ForEach(network => network.Dispose());
    }

    private async Task<NetworkNamespace> MakeAsync()
    {
        var made = await NetworkNamespace.CreateAsync();
        _all.Add(made);
        return made;
    }
}
