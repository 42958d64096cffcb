using Xunit;

namespace Quickq.Testing;

/// <summary>A node with a TLS listener that asks for a client certificate, and whose own certificate can be exchanged: <c>IClassFixture&lt;TlsNode&gt;</c>.</summary>
public sealed class TlsNode : IAsyncLifetime
{
    /// <summary>What its certificate is for. It listens on 127.0.0.1.</summary>
    public const string ServerName = "localhost";

    private readonly TempFolder _folder = new("certificates");

    /// <summary>The one that the node trusts, and that it has its certificate from.</summary>
    public TestAuthority Authority { get; } = new();

    /// <summary>A client's certificate and key.</summary>
    public (string Certificate, string Key) Client { get; private set; }

    /// <summary>The port of the TLS listener; that of <see cref="Node"/> is plain.</summary>
    public int Port { get; } = FreePort.Next();

    public RabbitNode Node { get; private set; } = null!;

    private string Certificate => _folder.File("server.pem");

    private string Key => _folder.File("server.key");

    public async ValueTask InitializeAsync()
    {
        Client = Authority.Issue("client");
        Put(Authority.Issue(ServerName));
        Node = RabbitNode.Create("tls", $"""
            listeners.ssl.1 = 127.0.0.1:{Port}
            ssl_options.cacertfile = {Authority.AuthorityFile}
            ssl_options.certfile = {Certificate}
            ssl_options.keyfile = {Key}
            ssl_options.verify = verify_peer
            ssl_options.fail_if_no_peer_cert = true
            """);
        await Node.StartAsync();
        await Node.CtlAsync("await_startup");
    }

    /// <summary>The node shows another certificate from now on, and drops its connections.</summary>
    public async Task ExchangeAsync((string Certificate, string Key) pair)
    {
        Put(pair);
        await Node.CtlAsync("eval", "ssl:clear_pem_cache().");
        await DropAllAsync();
    }

    public Task<string> DropAllAsync() => Node.CtlAsync("close_all_connections", "certificates were exchanged");

    public async ValueTask DisposeAsync()
    {
        if (Node is not null)
        {
            await Node.DisposeAsync();
        }

        _folder.Dispose();
        Authority.Dispose();
    }

    private void Put((string Certificate, string Key) pair)
    {
        File.Copy(pair.Certificate, Certificate, overwrite: true);
        File.Copy(pair.Key, Key, overwrite: true);
    }
}
