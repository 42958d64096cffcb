using Xunit;

namespace Quickq.Testing;

/// <summary>One running node, shared by the test classes of a collection (<see cref="OneNodeCollection"/>).</summary>
public sealed class OneNode : IAsyncLifetime
{
    public RabbitNode Node { get; } = RabbitNode.Create("one");

    public async ValueTask InitializeAsync() => await Node.StartAsync();

    public ValueTask DisposeAsync() => Node.DisposeAsync();
}
