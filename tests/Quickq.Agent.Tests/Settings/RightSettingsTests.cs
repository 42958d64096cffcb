using Microsoft.Extensions.Logging;
using Quickq.Agent.Settings;

namespace Quickq.Agent.Tests.Settings;

public sealed class RightSettingsTests : IDisposable
{
    private readonly SettingsFolder _folder = new();

    [Fact]
    public void The_example_of_the_manual_is_read_whole()
    {
        var secret = _folder.Write("mq1.password", "of mq1\n");
        _folder.Write("csppa.password", "of csppa\r\nsecond line");

        var settings = _folder.Right("""
            {
              "spool":   { "path": "/var/lib/quickq/spool.db", "maxSize": "10GiB", "retention": "7d" },
              "servers": {
                "mq1":   { "uri": "amqps://oper@mq1.ssec.wisc.edu/%2F", "passwordFile": "mq1.password", "exchange": "satellite" },
                "mq2":   { "host": "mq2.ssec.wisc.edu", "port": 5672, "vhost": "/", "user": "oper", "password": "of mq2", "exchange": "satellite" },
                "csppa": { "hosts": ["csppdelta", "csppalpha:5673"], "user": "oper", "passwordFile": "csppa.password", "exchange": "satellite" },
              },
              "http": { "listen": "127.0.0.1:9672" }      // off unless set
            }
            """);

        Assert.Equal(["csppa", "mq1", "mq2"], settings.Servers.Select(server => server.Name));
        var (csppa, mq1, mq2) = (settings.Servers[0], settings.Servers[1], settings.Servers[2]);
        Assert.Equal([new HostAndPort("csppdelta", 5672), new HostAndPort("csppalpha", 5673)], csppa.Hosts);
        Assert.Equal("of csppa", csppa.Password.Read().Reveal());
        Assert.Equal([new HostAndPort("mq1.ssec.wisc.edu", 5671)], mq1.Hosts);
        Assert.NotNull(mq1.Tls);
        Assert.Equal("oper", mq1.User);
        Assert.Equal("/", mq1.VirtualHost);
        Assert.Equal(secret, mq1.Password.File);
        Assert.Equal("of mq1", mq1.Password.Read().Reveal());
        Assert.Null(mq2.Tls);
        Assert.Equal("of mq2", mq2.Password.Read().Reveal());
        Assert.Equal("/var/lib/quickq/spool.db", settings.Spool.Path);
        Assert.Equal(
            [
                "servers.csppa: the connection to csppdelta, csppalpha is not encrypted: the password crosses the network in clear; use amqps:// or \"tls\"",
                "servers.mq2: the connection to mq2.ssec.wisc.edu is not encrypted: the password crosses the network in clear; use amqps:// or \"tls\"",
                "http.listen: this version has no HTTP interface yet; the setting does nothing",
            ],
            settings.Notes);
    }

    [Fact]
    public void What_is_left_out_has_its_documented_default()
    {
        var settings = _folder.Right("""{ "servers": { "mq1": { "host": "localhost", "exchange": "" } } }""");

        var server = Assert.Single(settings.Servers);
        Assert.Equal(("/", "guest", "guest", ""), (server.VirtualHost, server.User, server.Password.Read().Reveal(), server.Exchange));
        Assert.Equal((1_000, 8_388_608, Unroutable.Accept), (server.Window, server.WindowBytes, server.Unroutable));
        Assert.Equal(TimeSpan.FromSeconds(10), server.Heartbeat);
        Assert.Null(server.Tls);
        Assert.Equal(new SpoolSettings { Path = settings.Spool.Path }, settings.Spool);
        Assert.Equal((10_737_418_240, TimeSpan.FromDays(7), null, 16_777_216),
            (settings.Spool.MaxSizeBytes, settings.Spool.Retention, settings.Spool.MinFreeDiskBytes, settings.Spool.MaxMessageSizeBytes));
        Assert.Equal(LogLevel.Information, settings.LogLevel);
        Assert.Empty(settings.Notes);
    }

    [Fact]
    public void Every_setting_can_be_given()
    {
        var settings = _folder.Right("""
            {
              "logLevel": "debug",
              "spool": { "path": "own.db", "maxSize": "1GiB", "retention": "0", "minFreeDisk": "10MiB", "maxMessageSize": 1024 },
              "servers": { "a.b-c_9": { "host": "::1", "port": 5673, "vhost": "v", "user": "u", "password": "p", "exchange": "x",
                "window": 7, "windowBytes": "64KiB", "unroutable": "Park", "heartbeat": "20s",
                "tls": { "ca": "ca.pem", "cert": "/c.pem", "key": "k.pem" } } }
            }
            """);

        var folder = Path.GetDirectoryName(_folder.ConfigPath)!;
        var server = Assert.Single(settings.Servers);
        Assert.Equal("[::1]:5673", Assert.Single(server.Hosts).ToString());
        Assert.Equal((7, 65_536, Unroutable.Park, TimeSpan.FromSeconds(20)), (server.Window, server.WindowBytes, server.Unroutable, server.Heartbeat));
        Assert.Equal(new TlsSettings($"{folder}/ca.pem", "/c.pem", $"{folder}/k.pem"), server.Tls);
        Assert.Equal(new SpoolSettings
        {
            Path = $"{folder}/own.db",
            MaxSizeBytes = 1 << 30,
            Retention = TimeSpan.Zero,
            MinFreeDiskBytes = 10 << 20,
            MaxMessageSizeBytes = 1024,
        }, settings.Spool);
        Assert.Equal(LogLevel.Debug, settings.LogLevel);
    }

    [Fact]
    public void A_variable_overrides_the_file()
    {
        const string json = """{ "servers": { "mq1": { "uri": "amqp://oper@one/v", "password": "old", "exchange": "x" } } }""";

        var server = Assert.Single(_folder.Right(json,
            ("QUICKQ__servers__mq1__password", "new"), ("QUICKQ__servers__mq1__uri", "amqp://oper@two:5674"),
            ("QUICKQ__servers__mq1__window", "5"), ("QUICKQ_SPOOL", "/elsewhere.db")).Servers);

        Assert.Equal("new", server.Password.Read().Reveal());
        Assert.Equal([new HostAndPort("two", 5674)], server.Hosts);
        Assert.Equal(("/", 5), (server.VirtualHost, server.Window));
    }

    [Fact]
    public void A_whole_server_can_come_from_variables() =>
        Assert.Equal("mq9", Assert.Single(_folder.Right("{}",
            ("QUICKQ__servers__mq9__host", "h"), ("QUICKQ__servers__mq9__exchange", "x")).Servers).Name);

    [Theory]
    [InlineData("amqp://h", false, "h:5672", null, null, null)]
    [InlineData("amqps://h/", true, "h:5671", null, null, null)]
    [InlineData("AMQP://u:p%40ss@h:1/v%2Fw", false, "h:1", "u", "p@ss", "v/w")]
    [InlineData("amqp://u:a:b@[::1]:5673/%2F", false, "[::1]:5673", "u", "a:b", "/")]
    [InlineData("amqp://h//", false, "h:5672", null, null, "/")]
    [InlineData("amqps://u@h:1//?heartbeat=5", true, "h:1", "u", null, "/")]
    [InlineData("amqp://h?heartbeat=5", false, "h:5672", null, null, null)]
    [InlineData("amqp://h/v?heartbeat=5", false, "h:5672", null, null, "v")]
    public void An_address_is_taken_apart(string uri, bool tls, string host, string? user, string? password, string? vhost)
    {
        Assert.True(BrokerUri.TryParse(uri, out var parsed, out _));
        Assert.Equal((tls, host, user, password, vhost), (parsed!.Tls, parsed.Host.ToString(), parsed.User, parsed.Password?.Reveal(), parsed.VirtualHost));
    }

    [Fact]
    public void No_server_at_all_is_allowed_with_a_note() =>
        Assert.Equal(["no servers configured; messages are accepted and stay in the spool"], _folder.Right("{}").Notes);

    [Fact]
    public void A_password_file_that_is_not_there_yet_is_a_note_and_read_at_each_attempt()
    {
        var settings = _folder.Right("""{ "servers": { "mq1": { "host": "localhost", "user": "u", "passwordFile": "later", "exchange": "x" } } }""");

        var folder = Path.GetDirectoryName(_folder.ConfigPath);
        Assert.Equal([$"servers.mq1.passwordFile: the password file {folder}/later does not exist; it is read again at each connection attempt"], settings.Notes);
        var source = settings.Servers[0].Password;
        Assert.Throws<IOException>(() => source.Read());
        _folder.Write("later", "first");
        Assert.Equal("first", source.Read().Reveal());
        _folder.Write("later", "second");
        Assert.Equal("second", source.Read().Reveal());
    }

    [Fact]
    public void A_password_that_everybody_may_read_is_worth_a_note()
    {
        const string json = """{ "servers": { "mq1": { "host": "127.0.0.1", "user": "u", "password": "p", "exchange": "x" } } }""";
        Assert.Empty(_folder.Right(json).Notes);
        File.SetUnixFileMode(_folder.ConfigPath, (UnixFileMode)0b110_100_100);
        Assert.Equal([$"{_folder.ConfigPath}: holds a password and every user can read it; chmod 640, or use \"passwordFile\""], SettingsFile.Read(_folder.ConfigPath).Settings!.Notes);
    }

    [Fact]
    public void A_password_is_never_printed()
    {
        var settings = _folder.Right("""{ "servers": { "a": { "uri": "amqp://u:hunter2@h", "exchange": "x" }, "b": { "host": "h", "user": "u", "password": "hunter2", "exchange": "x" } } }""");

        Assert.All(settings.Servers, server => Assert.Equal("hunter2", server.Password.Read().Reveal()));
        Assert.DoesNotContain("hunter2", string.Join('\n', settings.Servers) + string.Join('\n', SettingsSummary.LinesOf(settings)) + settings.Servers[0].Password.Given, StringComparison.Ordinal);
    }

    [Fact]
    public void A_reload_tells_a_changed_server_from_an_unchanged_one()
    {
        const string json = """{ "servers": { "a": { "hosts": ["x", "y"], "user": "u", "password": "p", "exchange": "e" } } }""";
        var before = _folder.Right(json).Servers[0];

        Assert.True(before.SameAs(_folder.Right(json).Servers[0]));
        Assert.False(before.SameAs(_folder.Right(json.Replace("\"p\"", "\"q\"", StringComparison.Ordinal)).Servers[0]));
        Assert.False(before.SameAs(_folder.Right(json.Replace("\"y\"", "\"z\"", StringComparison.Ordinal)).Servers[0]));
    }

    public void Dispose() => _folder.Dispose();
}
