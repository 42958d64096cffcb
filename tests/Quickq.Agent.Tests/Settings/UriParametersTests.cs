using Quickq.Agent.Settings;

namespace Quickq.Agent.Tests.Settings;

/// <summary>The parameters behind the <c>?</c> of a server's URI.</summary>
public sealed class UriParametersTests : IDisposable
{
    private const string TooMany = "known: auth_mechanism, cacertfile, certfile, channel_max, connection_timeout, depth, fail_if_no_peer_cert, frame_max, heartbeat, keyfile, password, "
        + "server_name_indication, verify. A ? in user, password or vhost is written %3F";

    private readonly SettingsFolder _folder = new();

    [Fact]
    public void What_the_agent_has_a_setting_for_is_used()
    {
        var folder = Path.GetDirectoryName(_folder.ConfigPath);
        foreach (var name in (string[])["ca.pem", "cert.pem", "key.pem"])
        {
            _folder.Write(name, "");
        }

        var settings = _folder.Right(Server("amqps://u:p@h:1//?heartbeat=7&cacertfile=ca.pem&certfile=cert.pem&keyfile=%6bey.pem&verify=verify_peer&server_name_indication=H&auth_mechanism=plain"));

        var server = Assert.Single(settings.Servers);
        Assert.Empty(settings.Notes);
        Assert.Equal(("/", TimeSpan.FromSeconds(7), new HostAndPort("h", 1)), (server.VirtualHost, server.Heartbeat, server.Hosts.Single()));
        Assert.Equal(new TlsSettings($"{folder}/ca.pem", $"{folder}/cert.pem", $"{folder}/key.pem"), server.Tls);
    }

    [Theory]
    [InlineData("amqp://localhost?connection_timeout=10000", "connection_timeout does nothing here: the agent tries each address for 5 s and retries until the server answers")]
    [InlineData("amqp://localhost/v?channel_max=10", "channel_max does nothing here: the agent opens one channel for each exchange, within the server's limit")]
    [InlineData("amqp://localhost/?frame_max=0", "frame_max does nothing here: the server's limit applies")]
    [InlineData("amqp://localhost//?auth_mechanism=plain&auth_mechanism=amqplain", "auth_mechanism does nothing here: the agent logs in by user and password (PLAIN)")]
    [InlineData("amqps://localhost//?depth=2", "depth does nothing here: the server's certificate is always checked up to its authority")]
    [InlineData("amqps://localhost//?fail_if_no_peer_cert=true&", "fail_if_no_peer_cert does nothing here: the server's certificate is always checked up to its authority")]
    public void What_does_nothing_is_noted(string uri, string note) => Assert.Equal([$"servers.mq1.uri: the parameter {note}"], _folder.Right(Server(uri)).Notes);

    [Theory]
    [InlineData("amqp://h?heartbeet=5", "unknown parameter 'heartbeet'; did you mean 'heartbeat'?")]
    [InlineData("amqp://h?HEARTBEAT=5", "unknown parameter 'HEARTBEAT'; did you mean 'heartbeat'?")]
    [InlineData("amqp://h?colour=5", "unknown parameter 'colour'; " + TooMany)]
    [InlineData("amqp://h/v?", null)]
    [InlineData("amqp://h?heartbeat=0", "the parameter heartbeat must be a whole number of seconds from 1 to 3600; without heartbeats a dead link is not noticed")]
    [InlineData("amqp://h?heartbeat=5s", "the parameter heartbeat must be a whole number of seconds from 1 to 3600; without heartbeats a dead link is not noticed")]
    [InlineData("amqp://h?heartbeat", "the parameter heartbeat must be a whole number of seconds from 1 to 3600; without heartbeats a dead link is not noticed")]
    [InlineData("amqp://h?heartbeat=5&heartbeat=5", "the parameter heartbeat is given twice; keep one")]
    [InlineData("amqp://h?cacertfile=/a", "the parameter cacertfile is for TLS, and the uri begins with amqp://; write amqps://")]
    [InlineData("amqps://h?cacertfile=", "the parameter cacertfile is empty; give the path of a PEM file")]
    [InlineData("amqps://h?keyfile=/a", "the parameter keyfile: there is no \"cert\" that it belongs to; give both")]
    [InlineData("amqps://h?verify=verify_none", "the parameter verify must be verify_peer: the agent always checks the server's certificate. Name its authority by cacertfile")]
    [InlineData("amqps://h?server_name_indication=disable", "the parameter server_name_indication must be the host of the uri: the agent always checks the certificate for that name")]
    [InlineData("amqps://h?password=hunter2", "the parameter password (of a key file) is not supported; give a key file without a password")]
    [InlineData("amqp://h?auth_mechanism=EXTERNAL", "auth_mechanism=external is not supported: the agent logs in by user and password (PLAIN)")]
    public void What_is_unknown_or_weakens_the_connection_is_an_error(string uri, string? error)
    {
        if (error is null)
        {
            _ = _folder.Right(Server(uri));
            return;
        }

        Assert.Equal([$"servers.mq1.uri: {error}"], _folder.Errors(Server(uri)));
    }

    [Fact]
    public void All_errors_are_told_at_once() => Assert.Equal(2, _folder.Errors(Server("amqp://h?heartbeat=x&colour=1")).Count);

    public void Dispose() => _folder.Dispose();

    private static string Server(string uri) => $$"""{ "servers": { "mq1": { "uri": "{{uri}}", "exchange": "x" } } }""";
}
