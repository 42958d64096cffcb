using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Quickq.Agent.Broker;
using Quickq.Agent.Settings;
using Quickq.Testing;

namespace Quickq.Broker.Tests;

public sealed class TlsTests : IClassFixture<TlsNode>
{
    private readonly TlsNode _tls;
    private readonly TlsSettings _right;

    public TlsTests(TlsNode tls)
    {
        _tls = tls;
        _right = new TlsSettings(tls.Authority.AuthorityFile, tls.Client.Certificate, tls.Client.Key);
    }

    [Fact(Timeout = 60_000)]
    public async Task Certificates_that_hold_on_both_sides_connect()
    {
        Assert.Contains("tlsv1.", await PublishAsync(_right), StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task Certificates_between_the_clients_and_the_authority_are_sent_along()
    {
        using var between = _tls.Authority.Appoint();
        var (certificate, key) = between.Issue("client");
        Assert.Contains("tlsv1.", await PublishAsync(_right with { CertificateFile = certificate, KeyFile = key }), StringComparison.Ordinal);

        // The broker knows the root alone: without the one in between it refuses.
        File.WriteAllText(certificate, File.ReadAllText(certificate)[..^File.ReadAllText(between.AuthorityFile).Length]);
        Assert.StartsWith($"127.0.0.1:{_tls.Port}", await FailureAsync(At(TlsNode.ServerName, _tls.Port, _right with { CertificateFile = certificate, KeyFile = key })), StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_wrong_host_name_is_told() =>
        Assert.Equal(
            $"127.0.0.1:{_tls.Port}: TLS: the certificate is for localhost, not for '127.0.0.1'",
            await FailureAsync(At("127.0.0.1", _tls.Port, _right)));

    [Fact(Timeout = 60_000)]
    public async Task An_unknown_authority_is_told()
    {
        using var other = new TestAuthority();
        var expected = $"127.0.0.1:{_tls.Port}: TLS: the certificate comes from an authority that is not trusted (CN=Quickq test authority); name its certificate in tls.ca";
        Assert.Equal(expected, await FailureAsync(At(TlsNode.ServerName, _tls.Port, _right with { CaFile = other.AuthorityFile })));
        Assert.Equal(expected, await FailureAsync(At(TlsNode.ServerName, _tls.Port, _right with { CaFile = null })));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_missing_client_certificate_is_told() =>
        Assert.Matches(
            $@"\A127\.0\.0\.1:{_tls.Port}(:| ended) .*; it may ask for a client certificate: tls\.cert and tls\.key\z",
            await FailureAsync(At(TlsNode.ServerName, _tls.Port, new TlsSettings(_tls.Authority.AuthorityFile, CertificateFile: null, KeyFile: null))));

    [Fact(Timeout = 60_000)]
    public async Task A_port_that_does_not_speak_TLS_is_told_and_never_spoken_to_in_plain() =>
        Assert.StartsWith($"127.0.0.1:{_tls.Node.Port}: TLS failed: ", await FailureAsync(At(TlsNode.ServerName, _tls.Node.Port, _right)), StringComparison.Ordinal);

    [Fact(Timeout = 60_000)]
    public async Task A_port_that_speaks_only_TLS_is_told() =>
        Assert.EndsWith("; is it an AMQP port, and one without TLS?", await FailureAsync(At(TlsNode.ServerName, _tls.Port, tls: null)), StringComparison.Ordinal);

    [Fact(Timeout = 60_000)]
    public async Task An_expired_certificate_is_told_with_its_day()
    {
        var expired = _tls.Authority.Issue("expired.test", life: TimeSpan.FromDays(1));
        using var certificate = X509Certificate2.CreateFromPemFile(expired.Certificate, expired.Key);
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = ServeOnceAsync(listener, certificate);

        // The name does not resolve: the certificate is checked against what is configured, so the address will not do either.
        var failure = await FailureAsync(At("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port, _right));

        await serving;
        Assert.EndsWith("the certificate is for expired.test, not for '127.0.0.1'", failure, StringComparison.Ordinal);

        var byAddress = _tls.Authority.Issue("127.0.0.1", life: TimeSpan.FromDays(1));
        using var second = X509Certificate2.CreateFromPemFile(byAddress.Certificate, byAddress.Key);
        serving = ServeOnceAsync(listener, second);
        failure = await FailureAsync(At("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port, _right));
        await serving;
        Assert.EndsWith($"TLS: the certificate expired on {second.NotAfter.ToUniversalTime().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}", failure, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task Files_that_cannot_be_read_are_told_by_their_setting()
    {
        Assert.StartsWith("tls.ca: /nowhere.pem cannot be read: ", await FailureAsync(At(TlsNode.ServerName, _tls.Port, _right with { CaFile = "/nowhere.pem" })), StringComparison.Ordinal);
        Assert.StartsWith("tls.cert: /nowhere.pem", await FailureAsync(At(TlsNode.ServerName, _tls.Port, _right with { CertificateFile = "/nowhere.pem" })), StringComparison.Ordinal);
        Assert.Equal($"tls.ca: {_tls.Client.Key} holds no certificate", await FailureAsync(At(TlsNode.ServerName, _tls.Port, _right with { CaFile = _tls.Client.Key })));
    }

    /// <summary>Publishes one message, and gives what the broker says of the connection.</summary>
    private async Task<string> PublishAsync(TlsSettings settings)
    {
        var heard = new ConfirmRecorder();
        await BrokerQueue.DeclareAsync(_tls.Node, "/", Configured.Exchange);
        await using var connection = await BrokerConnection.OpenAsync(At(TlsNode.ServerName, _tls.Port, settings), lost: null, CancellationToken.None);
        await using var publisher = await connection.OpenPublisherAsync(heard, CancellationToken.None);
        await publisher.PublishAsync(Configured.Message("m1"), mandatory: true);
        await heard.AwaitAsync("confirmed 1");
        return await _tls.Node.CtlAsync("list_connections", "name", "ssl_protocol");
    }

    private static async Task ServeOnceAsync(TcpListener listener, X509Certificate2 certificate)
    {
        using var accepted = await listener.AcceptTcpClientAsync();
        await using var stream = new SslStream(accepted.GetStream());
        try
        {
            await stream.AuthenticateAsServerAsync(certificate);
            _ = await stream.ReadAtLeastAsync(new byte[1], 1);
        }
        catch (Exception refused) when (refused is IOException or AuthenticationException)
        {
            // The client turned away, as it should.
        }
    }

    private static ServerSettings At(string host, int port, TlsSettings? tls) =>
        new() { Name = "test", Hosts = [new HostAndPort(host, port)], Exchange = Configured.Exchange, Tls = tls };

    // The node listens on 127.0.0.1 only; that localhost is ::1 too is another line of the same failure.
    private static async Task<string> FailureAsync(ServerSettings settings) =>
        (await Assert.ThrowsAsync<BrokerUnavailableException>(() => BrokerConnection.OpenAsync(settings, lost: null, CancellationToken.None)))
        .Message.Split("; ").Where(line => !line.StartsWith("connection refused by [::1]", StringComparison.Ordinal)).Aggregate((all, line) => $"{all}; {line}");
}
