using Xunit;

namespace Quickq.Testing;

/// <summary>Two running nodes that form one cluster: <c>IClassFixture&lt;TwoMemberCluster&gt;</c>.</summary>
public sealed class TwoMemberCluster : IAsyncLifetime
{
    private const string FirstName = "one-of-two";
    private RabbitNode? _second;

    public RabbitNode First { get; } = RabbitNode.Create(FirstName);

    public RabbitNode Second => _second ?? throw new InvalidOperationException("The cluster was not started");

    public async ValueTask InitializeAsync()
    {
        await First.StartAsync();
        await First.CtlAsync("await_startup");
        _second = First.CreateMate("two-of-two");
        await Second.StartAsync();
        await Second.CtlAsync("await_startup");
        await Second.CtlAsync("stop_app");
        await Second.CtlAsync("join_cluster", FirstName + "@localhost");
        await Second.CtlAsync("start_app");
    }

    /// <summary>Every queue of a virtual host is on both members, so that the death of one takes no message with it.</summary>
    public Task MirrorAsync(string virtualHost) => First.CtlAsync(
        "set_policy", "-p", virtualHost, "both", "", """{"ha-mode":"all","ha-sync-mode":"automatic","ha-promote-on-failure":"when-synced"}""");

    public async ValueTask DisposeAsync()
    {
        if (_second is not null)
        {
            await _second.DisposeAsync();
        }

        await First.DisposeAsync();
    }
}
