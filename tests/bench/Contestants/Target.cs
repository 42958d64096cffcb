using Quickq.Testing;

namespace Quickq.Bench.Contestants;

/// <summary>Where messages go: a virtual host of its own for each run, with a durable queue behind the exchange.</summary>
internal sealed class Target : IAsyncDisposable
{
    public const string Exchange = "satellite";
    public const string Queue = "everything";
    public const string Topic = "geo.goes.g16.abi.adde.realtime.ncdf.band.end";

    private readonly BrokerQueue _queue;

    private Target(RabbitNode node, BrokerQueue queue)
    {
        Node = node;
        _queue = queue;
    }

    public RabbitNode Node { get; }

    public string VirtualHost => _queue.VirtualHost;

    /// <summary>In the form that the contestants' command lines take.</summary>
    public string Address => $"{Node.Host}:{Node.Port}/{VirtualHost}";

    public static async Task<Target> MakeAsync(RabbitNode node, string name, IDictionary<string, object?>? queueArguments = null)
    {
        string virtualHost = $"{name}-{Guid.NewGuid():N}";
        await node.CreateVirtualHostAsync(virtualHost);
        return new Target(node, await BrokerQueue.DeclareAsync(node, virtualHost, Exchange, Queue, arguments: queueArguments));
    }

    /// <summary>Its queue drops what is old: the broker's own memory is not what is measured.</summary>
    public static Task<Target> MakeBoundedAsync(RabbitNode node, string name) =>
        MakeAsync(node, name, new Dictionary<string, object?>(StringComparer.Ordinal) { ["x-max-length"] = 1_000 });

    /// <summary>Every message must have arrived, whoever sent it.</summary>
    public async Task RequireAsync(int messages)
    {
        int arrived = await CountAsync();
        if (arrived != messages)
        {
            throw new InvalidOperationException($"{arrived} of {messages} messages arrived in {VirtualHost}");
        }
    }

    public Task<int> CountAsync() => _queue.CountAsync();

    public async ValueTask DisposeAsync() => await Node.CtlAsync("delete_vhost", VirtualHost);
}
