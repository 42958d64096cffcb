using Xunit;

namespace Quickq.Testing;

/// <summary>A virtual host on the one node for one test class: <c>IClassFixture&lt;VirtualHost&gt;</c>.</summary>
public sealed class VirtualHost(OneNode shared) : IAsyncLifetime
{
    public string Name { get; } = $"v{Guid.NewGuid():N}"[..10];

    public RabbitNode Node => shared.Node;

    public async ValueTask InitializeAsync() => await Node.CreateVirtualHostAsync(Name);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
