using System.Runtime.CompilerServices;
using Quickq.Agent.Broker;
using Quickq.Agent.Settings;
using Quickq.Testing;
using Quickq.Testing.Network;

namespace Quickq.Broker.Tests;

/// <summary>Connections that are cut, one after the other: neither timers nor objects of any of them stay.</summary>
[Collection<OneNodeCollection>]
public sealed class ReconnectLeakTests(VirtualHost virtualHost) : IClassFixture<VirtualHost>
{
    private const int Warm = 10;
    private const int Connections = 100;
    private const int Remainder = 5;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Fact(Timeout = 180_000)]
    public async Task No_timer_and_no_object_of_a_lost_connection_stays()
    {
        await BrokerQueue.DeclareAsync(virtualHost.Node, virtualHost.Name, Configured.Exchange);
        await using var link = new BrokerLink(virtualHost.Node);
        await LoseAsync(link, Warm);
        var timers = Timer.ActiveCount;

        var lost = await LoseAsync(link, Connections);

        await Eventually.Is($"of {Connections} lost connections all but a few are collected", Limit, () =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return lost.Count(connection => connection.IsAlive) <= Remainder;
        });
        await Eventually.Is($"as many timers run as before, {timers}", Limit, () => Timer.ActiveCount <= timers + Remainder);
    }

    private async Task<List<WeakReference>> LoseAsync(BrokerLink link, int times)
    {
        var lost = new List<WeakReference>();
        for (var time = 0; time < times; time++)
        {
            lost.Add(await LoseOneAsync(link));
        }

        return lost;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private async Task<WeakReference> LoseOneAsync(BrokerLink link)
    {
        var settings = Configured.Server(virtualHost.Node, virtualHost.Name) with { Hosts = [new HostAndPort("127.0.0.1", link.Port)] };
        var heard = new ConfirmRecorder();
        await using var connection = await BrokerConnection.OpenAsync(settings, lost: null, CancellationToken.None);
        await using var publisher = await connection.OpenPublisherAsync(heard, CancellationToken.None);
        await publisher.PublishAsync(Configured.Message("m1"), mandatory: true);
        await heard.AwaitAsync("confirmed 1");

        link.ResetAfter(10);
        await publisher.PublishAsync(Configured.Message("m2"), mandatory: true);
        await connection.Lost.WaitAsync(Limit, TimeProvider.System);
        return new WeakReference(connection);
    }
}
