using Quickq.Testing;

namespace Quickq.Bench.Contestants;

/// <summary>The nodes that one comparison started; all end with it.</summary>
internal sealed class NodeSet : IAsyncDisposable
{
    private readonly List<RabbitNode> _nodes = [];

    public IReadOnlyList<RabbitNode> Nodes => _nodes;

    public async Task<RabbitNode> AddAsync(string name, string? extraConfiguration = null, bool isUnrestricted = false)
    {
        var node = RabbitNode.Create(name, extraConfiguration);
        if (isUnrestricted)
        {
            node.LetUseAllCores();
        }

        _nodes.Add(node);
        await node.StartAsync();
        return node;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (RabbitNode node in _nodes)
        {
            await node.DisposeAsync();
        }
    }
}
