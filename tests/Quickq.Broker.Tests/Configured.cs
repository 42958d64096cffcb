using Quickq.Agent.Broker;
using Quickq.Agent.Settings;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Broker.Tests;

/// <summary>Settings of a server and messages for it, as the tests of this assembly want them.</summary>
internal static class Configured
{
    public const string Exchange = "satellite";

    public static ServerSettings Server(RabbitNode node, string virtualHost = "/") => new()
    {
        Name = node.Name,
        Hosts = [new HostAndPort(node.Host, node.Port)],
        VirtualHost = virtualHost,
        Exchange = Exchange,
    };

    public static BrokerMessage Message(string id, string key = "geo.goes", string exchange = Exchange, MessageProperties? properties = null, TimeSpan? expiration = null) =>
        new(id, exchange, key, properties ?? MessageProperties.None, DateTimeOffset.FromUnixTimeSeconds(1_700_000_000), expiration, new byte[] { 1, 2, 3 });
}
