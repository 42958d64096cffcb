using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Quickq.Testing;

namespace Quickq.Disruption.Tests;

/// <summary>A TLS server whose certificate goes wrong in each way, and is put right again, under a running agent: each reason is shown, nothing is sent in plain, nothing is lost.</summary>
[Collection<OneNodeCollection>]
public sealed class CertificateTests(OneNode alone, TlsNode tls) : IClassFixture<TlsNode>, IDisposable
{
    private readonly TestAuthority _stranger = new();

    public void Dispose() => _stranger.Dispose();

    [Fact(Timeout = 300_000)]
    public async Task Each_fault_of_a_certificate_is_told_in_its_own_words_and_all_arrives_when_it_is_right_again()
    {
        var own = tls.Client;
        await using var scene = await FaultScene.OpenAsync((alone.Node, "/"), (tls.Node, "/"), server =>
        {
            server["host"] = TlsNode.ServerName;
            server["port"] = tls.Port;
            server["tls"] = new JsonObject { ["ca"] = tls.Authority.AuthorityFile, ["cert"] = own.Certificate, ["key"] = own.Key };
        });

        await ShowAsync(scene, tls.Authority.Issue("elsewhere.test"), "TLS: the certificate is for elsewhere.test, not for 'localhost'");
        var yesterday = TimeProvider.System.GetUtcNow().UtcDateTime.AddDays(-9).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        await ShowAsync(scene, tls.Authority.Issue(TlsNode.ServerName, life: TimeSpan.FromDays(1)), $"TLS: the certificate expired on {yesterday}");
        await ShowAsync(scene, _stranger.Issue(TlsNode.ServerName), "TLS: the certificate comes from an authority that is not trusted (CN=Quickq test authority); name its certificate in tls.ca");

        await tls.ExchangeAsync(tls.Authority.Issue(TlsNode.ServerName));
        await scene.AwaitFlowAsync();

        // The agent's own goes missing, as a file, and as a setting that was never made.
        File.Move(own.Certificate, $"{own.Certificate}.away");
        await tls.DropAllAsync();
        await scene.AwaitConnectionAsync("reconnecting", $"tls.cert: {own.Certificate}");
        File.Move($"{own.Certificate}.away", own.Certificate);
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();

        var plain = tls.Node.LogLinesWith($"-> 127.0.0.1:{tls.Node.Port}").Where(line => line.Contains("quickq@", StringComparison.Ordinal));
        Assert.Empty(plain);
    }

    [Fact(Timeout = 300_000)]
    public async Task A_client_certificate_that_is_not_configured_is_asked_for_in_words()
    {
        await using var scene = await FaultScene.OpenAsync((alone.Node, "/"), (tls.Node, "/"), server =>
        {
            server["host"] = TlsNode.ServerName;
            server["port"] = tls.Port;
            server["tls"] = new JsonObject { ["ca"] = tls.Authority.AuthorityFile };
        }, awaitFlow: false);

        await scene.AwaitConnectionAsync("reconnecting", "it may ask for a client certificate: tls.cert and tls.key");
        await scene.AwaitBacklogAsync();
        Assert.Equal(0, scene.Spool.CountDelivered("mq2"));

        // The operator writes it down: the changed file is read without a restart.
        var own = tls.Client;
        scene.Agent.Configuration.Root["servers"]!["mq2"]!["tls"] = new JsonObject { ["ca"] = tls.Authority.AuthorityFile, ["cert"] = own.Certificate, ["key"] = own.Key };
        scene.Agent.Configuration.WriteTo(scene.Spool.File("quickq.json"));
        await scene.AwaitFlowAsync();
        await scene.MustEndCleanAsync();
    }

    [Fact(Timeout = 300_000)]
    public async Task A_uri_with_its_parameters_is_all_that_a_server_needs()
    {
        var own = tls.Client;
        await using var scene = await FaultScene.OpenAsync((alone.Node, "/"), (tls.Node, "/"), server =>
        {
            foreach (var name in (string[])["host", "port", "vhost", "user", "password"])
            {
                server.Remove(name);
            }

            server["uri"] = $"amqps://guest:guest@{TlsNode.ServerName}:{tls.Port}//?cacertfile={tls.Authority.AuthorityFile}&certfile={own.Certificate}&keyfile={own.Key}&verify=verify_peer&heartbeat=5";
        });

        await scene.MustEndCleanAsync();
    }

    [Fact(Timeout = 300_000)]
    public async Task Authorities_in_the_home_folder_are_not_trusted()
    {
        using var home = new TempFolder("home");
        string roots = Directory.CreateDirectory(home.File(".dotnet/corefx/cryptography/x509stores/root")).FullName;
        using var planted = X509CertificateLoader.LoadCertificateFromFile(_stranger.AuthorityFile);
        await File.WriteAllBytesAsync(Path.Combine(roots, "planted.pfx"), planted.Export(X509ContentType.Pfx));
        await tls.ExchangeAsync(_stranger.Issue(TlsNode.ServerName));
        using var spool = new TempSpool();
        var own = tls.Client;
        using var agent = AgentProcess.Start(
            new AgentConfiguration(spool.Path).WithServer("mq2", TlsNode.ServerName, tls.Port, "/", "e", server => server["tls"] = new JsonObject { ["cert"] = own.Certificate, ["key"] = own.Key }),
            new Dictionary<string, string?>(StringComparer.Ordinal) { ["HOME"] = home.Path });

        await agent.AwaitLogAsync("mq2: ", TimeSpan.FromSeconds(60));
        Assert.Contains("TLS: the certificate comes from an authority that is not trusted", agent.Stderr, StringComparison.Ordinal);
        Assert.DoesNotContain("connected", agent.Stderr, StringComparison.Ordinal);
        Assert.Equal(0, await agent.StopAsync());
        await tls.ExchangeAsync(tls.Authority.Issue(TlsNode.ServerName));
    }

    private async Task ShowAsync(FaultScene scene, (string Certificate, string Key) wrong, string reason)
    {
        await tls.ExchangeAsync(wrong);
        Assert.Contains(reason, await scene.AwaitConnectionAsync("reconnecting", reason), StringComparison.Ordinal);
    }
}
