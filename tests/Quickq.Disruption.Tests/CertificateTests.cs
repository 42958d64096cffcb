using System.Globalization;
using System.Text.Json.Nodes;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>A TLS server whose certificate goes wrong in each way, and is put right again, under a running agent: each reason is shown, nothing is sent in plain, nothing is lost.</summary>
[Trait("Pace", "Slow")]
[Collection<OneNodeCollection>]
public sealed class CertificateTests(OneNode alone) : IAsyncLifetime
{
    private const string ServerName = "localhost";
    private readonly TestAuthority _authority = new();
    private readonly TestAuthority _stranger = new();
    private readonly TempFolder _folder = new("certificates");
    private readonly int _port = FreePort.Next();
    private RabbitNode _node = null!;

    private string Certificate => _folder.File("server.pem");

    private string Key => _folder.File("server.key");

    public async ValueTask InitializeAsync()
    {
        Put(_authority.Issue(ServerName));
        _node = RabbitNode.Create("certified", $"""
            listeners.ssl.1 = 127.0.0.1:{_port}
            ssl_options.cacertfile = {_authority.AuthorityFile}
            ssl_options.certfile = {Certificate}
            ssl_options.keyfile = {Key}
            ssl_options.verify = verify_peer
            ssl_options.fail_if_no_peer_cert = true
            """);
        await _node.StartAsync();
        await _node.CtlAsync("await_startup");
    }

    public async ValueTask DisposeAsync()
    {
        await _node.DisposeAsync();
        _folder.Dispose();
        _authority.Dispose();
        _stranger.Dispose();
    }

    [Fact(Timeout = 300_000)]
    public async Task Each_fault_of_a_certificate_is_told_in_its_own_words_and_all_arrives_when_it_is_right_again()
    {
        var own = _authority.Issue("client");
        await using var scene = await FaultScene.OpenAsync((alone.Node, "/"), (_node, "/"), server =>
        {
            server["host"] = ServerName;
            server["port"] = _port;
            server["tls"] = new JsonObject { ["ca"] = _authority.AuthorityFile, ["cert"] = own.Certificate, ["key"] = own.Key };
        });

        await ShowAsync(scene, _authority.Issue("elsewhere.test"), "TLS: the certificate is for elsewhere.test, not for 'localhost'");
        var yesterday = TimeProvider.System.GetUtcNow().UtcDateTime.AddDays(-9).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        await ShowAsync(scene, _authority.Issue(ServerName, life: TimeSpan.FromDays(1)), $"TLS: the certificate expired on {yesterday}");
        await ShowAsync(scene, _stranger.Issue(ServerName), "TLS: the certificate comes from an authority that is not trusted (CN=Quickq test authority); name its certificate in tls.ca");

        await ExchangeAsync(_authority.Issue(ServerName));
        await scene.AwaitFlowAsync();

        // The agent's own goes missing, as a file, and as a setting that was never made.
        File.Move(own.Certificate, $"{own.Certificate}.away");
        await DropAllAsync();
        await scene.AwaitConnectionAsync("reconnecting", $"tls.cert: {own.Certificate}");
        File.Move($"{own.Certificate}.away", own.Certificate);
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();

        var plain = _node.LogLinesWith($"-> 127.0.0.1:{_node.Port}").Where(line => line.Contains("quickq@", StringComparison.Ordinal));
        Assert.Empty(plain);
    }

    [Fact(Timeout = 300_000)]
    public async Task A_client_certificate_that_is_not_configured_is_asked_for_in_words()
    {
        await using var scene = await FaultScene.OpenAsync((alone.Node, "/"), (_node, "/"), server =>
        {
            server["host"] = ServerName;
            server["port"] = _port;
            server["tls"] = new JsonObject { ["ca"] = _authority.AuthorityFile };
        }, awaitFlow: false);

        await scene.AwaitConnectionAsync("reconnecting", "it may ask for a client certificate: tls.cert and tls.key");
        await scene.AwaitBacklogAsync();
        Assert.Equal(0, scene.Spool.CountDelivered("mq2"));

        // The operator writes it down: the changed file is read without a restart.
        var own = _authority.Issue("client");
        scene.Agent.Configuration.Root["servers"]!["mq2"]!["tls"] = new JsonObject { ["ca"] = _authority.AuthorityFile, ["cert"] = own.Certificate, ["key"] = own.Key };
        scene.Agent.Configuration.WriteTo(scene.Spool.File("quickq.json"));
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();
    }

    private async Task ShowAsync(FaultScene scene, (string Certificate, string Key) wrong, string reason)
    {
        await ExchangeAsync(wrong);
        Assert.Contains(reason, await scene.AwaitConnectionAsync("reconnecting", reason), StringComparison.Ordinal);
    }

    /// <summary>The broker shows another certificate from now on.</summary>
    private async Task ExchangeAsync((string Certificate, string Key) pair)
    {
        Put(pair);
        await _node.CtlAsync("eval", "ssl:clear_pem_cache().");
        await DropAllAsync();
    }

    private Task<string> DropAllAsync() => _node.CtlAsync("close_all_connections", "certificates were exchanged");

    private void Put((string Certificate, string Key) pair)
    {
        File.Copy(pair.Certificate, Certificate, overwrite: true);
        File.Copy(pair.Key, Key, overwrite: true);
    }
}
