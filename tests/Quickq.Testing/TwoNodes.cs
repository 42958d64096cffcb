using Xunit;

namespace Quickq.Testing;

/// <summary>Two running nodes that know nothing of each other, shared by the test classes of a collection (<see cref="TwoNodesCollection"/>).</summary>
public sealed class TwoNodes : IAsyncLifetime
{
    public RabbitNode First { get; } = RabbitNode.Create("first");

    public RabbitNode Second { get; } = RabbitNode.Create("second");

    public async ValueTask InitializeAsync() => await Task.WhenAll(First.StartAsync(), Second.StartAsync());

    public async ValueTask DisposeAsync()
    {
        await First.DisposeAsync();
        await Second.DisposeAsync();
    }
}
