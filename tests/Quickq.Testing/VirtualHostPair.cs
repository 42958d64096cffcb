using Xunit;

namespace Quickq.Testing;

/// <summary>A virtual host of one name on both nodes for one test class: <c>IClassFixture&lt;VirtualHostPair&gt;</c>.</summary>
public sealed class VirtualHostPair(TwoNodes shared) : IAsyncLifetime
{
    public string Name { get; } = $"v{Guid.NewGuid():N}"[..10];

    public RabbitNode First => shared.First;

    public RabbitNode Second => shared.Second;

    public async ValueTask InitializeAsync() =>
        await Task.WhenAll(First.CreateVirtualHostAsync(Name), Second.CreateVirtualHostAsync(Name));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
