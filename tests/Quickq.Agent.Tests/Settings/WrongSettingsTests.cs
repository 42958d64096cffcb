using Quickq.Agent.Settings;

namespace Quickq.Agent.Tests.Settings;

public sealed class WrongSettingsTests : IDisposable
{
    private readonly SettingsFolder _folder = new();

    [Fact]
    public void Five_mistakes_are_told_at_once_each_with_its_place()
    {
        var errors = _folder.Errors("""
            {
              "spool": { "maxSize": "lots" },
              "servers": {
                "mq1": { "host": "h", "port": 99999, "exchange": "x" },
                "mq2": { "host": "h", "uri": "amqp://h", "exchange": "x", "passwrd": "hunter2" },
                "mq3": { "host": "h" }
              }
            }
            """);

        Assert.Equal(
            [
                "spool.maxSize: 'lots' is not a size; write for example 10GiB, 64KiB or 1048576",
                "servers.mq1.port: '99999' is not a whole number from 1 to 65535",
                "servers.mq2.host: it is also set in the URI; keep either \"uri\" or \"host\", \"hosts\" and \"port\"",
                "servers.mq2.passwrd: unknown setting; did you mean 'password'?",
                "servers.mq3.exchange: missing; name the exchange that messages go to, \"\" for the AMQP default exchange",
            ],
            errors);
    }

    [Theory]
    [InlineData("\"port\": {}", "port: must be a number, not an object")]
    [InlineData("\"port\": [1]", "port: must be a number, not a list")]
    [InlineData("\"port\": true", "port: must be a number, not true or false")]
    [InlineData("\"port\": null", "port: must be a number, not null (leave it out for the default)")]
    [InlineData("\"port\": 1.5", "port: '1.5' is not a whole number from 1 to 65535")]
    [InlineData("\"vhost\": 7", "vhost: must be a string in double quotes, not a number")]
    [InlineData("\"user\": \"\"", "user: is empty; name the user")]
    [InlineData("\"user\": \"oper\"", "password: missing for user 'oper'; give \"password\", or \"passwordFile\" with the path of a file that holds it")]
    [InlineData("\"user\": \"oper\", \"password\": \"\"", "password: is empty; give \"password\", or \"passwordFile\" with the path of a file that holds it")]
    [InlineData("\"password\": \"p\", \"passwordFile\": \"f\"", "passwordFile: \"password\" is set too; keep one of them")]
    [InlineData("\"hosts\": [\"a\"]", "hosts: \"host\" is set too; keep one of them")]
    [InlineData("\"window\": 0", "window: '0' is not a whole number from 1 to 100000")]
    [InlineData("\"windowBytes\": \"9GiB\"", "windowBytes: '9GiB' is out of range; take 1KiB to 1GiB")]
    [InlineData("\"unroutable\": \"drop\"", "unroutable: must be one of: accept, retry, park, ignore")]
    [InlineData("\"heartbeat\": 10", "heartbeat: '10' is not a duration; write for example 30s, 7d, 500ms or 1h30m")]
    [InlineData("\"heartbeat\": \"100ms\"", "heartbeat: '100ms' is out of range; take 1s to 1h")]
    [InlineData("\"heartbeat\": \"1500ms\"", "heartbeat: AMQP counts heartbeats in whole seconds; take a whole number of them")]
    [InlineData("\"tls\": true", "tls: must be an object in braces, not true or false")]
    [InlineData("\"tls\": { \"key\": \"k\" }", "tls.key: there is no \"cert\" that it belongs to; give both")]
    [InlineData("\"tls\": { \"cerd\": \"k\" }", "tls.cerd: unknown setting; did you mean 'cert'?")]
    [InlineData("\"exchanges\": \"satellite\"", "exchanges: must be a list of strings, such as [\"satellite\", \"himawari\"]")]
    [InlineData("\"colour\": 1", "colour: unknown setting; known here: exchange, exchanges, heartbeat, host, hosts, password, passwordFile, port, tls, unroutable, uri, user, vhost, window, windowBytes")]
    public void A_wrong_setting_of_a_server_is_told(string setting, string expected) =>
        Assert.Equal([$"servers.mq1.{expected}"], _folder.Errors($$"""{ "servers": { "mq1": { "host": "h", "exchange": "x", {{setting}} } } }"""));

    [Theory]
    [InlineData("\"exchange\": \"x\"", "host: missing; say where the server is: \"host\", \"hosts\" or \"uri\"")]
    [InlineData("\"exchange\": [], \"host\": \"h\"", "exchange: must be a string in double quotes, not a list")]
    [InlineData("\"exchange\": null, \"host\": \"h\"", "exchange: must be a string in double quotes, not null (leave it out for the default)")]
    [InlineData("\"exchange\": \"x\", \"host\": \"h:5672\"", "host: 'h:5672' is not a host name; write the port as \"port\"")]
    [InlineData("\"exchange\": \"x\", \"host\": \"a b\"", "host: 'a b' is not a host name or address")]
    [InlineData("\"exchange\": \"x\", \"hosts\": []", "hosts: is empty; name at least one host")]
    [InlineData("\"exchange\": \"x\", \"hosts\": [\"a\", \"a:5672\"]", "hosts: 'a:5672' is listed twice")]
    [InlineData("\"exchange\": \"x\", \"hosts\": [\"a:b\"]", "hosts: 'a:b' is not a host; write name, name:port, address or [address]:port")]
    [InlineData("\"exchange\": \"x\", \"hosts\": [5]", "hosts: must be a list of strings, such as [\"one\", \"two:5673\"]")]
    [InlineData("\"exchange\": \"x\", \"uri\": \"http://h\"", "uri: does not begin with amqp:// or amqps://; write amqp://USER@HOST:PORT/VHOST or amqps://..., with special characters as %XX")]
    [InlineData("\"exchange\": \"x\", \"uri\": \"amqp://u:hunter2@x@h\"", "uri: cannot be parsed: percent-encode / as %2F and @ as %40 in user, password and vhost")]
    [InlineData("\"exchange\": \"x\", \"uri\": \"amqp://u:hun/ter2@h\"", "uri: cannot be parsed: percent-encode / as %2F and @ as %40 in user, password and vhost")]
    [InlineData("\"exchange\": \"x\", \"uri\": \"amqp://u:hunter2@h:port\"", "uri: invalid host or port; write amqp://USER@HOST:PORT/VHOST or amqps://..., with special characters as %XX")]
    [InlineData("\"exchange\": \"x\", \"uri\": \"amqp://u:1?hunter2@h\"", "uri: cannot be parsed: percent-encode ? as %3F, # as %23 and @ as %40 in user, password, vhost and parameters")]
    [InlineData("\"exchange\": \"x\", \"uri\": \"amqp://u:1#hunter2@h\"", "uri: cannot be parsed: percent-encode ? as %3F, # as %23 and @ as %40 in user, password, vhost and parameters")]
    [InlineData("\"exchange\": \"x\", \"uri\": \"amqp://u:hunter2@h///\"", "uri: cannot be parsed: percent-encode / as %2F and @ as %40 in user, password and vhost")]
    [InlineData("\"exchange\": \"x\", \"uri\": \"amqp://h?heartbeat=5\", \"heartbeat\": \"5s\"", "heartbeat: heartbeat is also set in the URI; set it in one place")]
    [InlineData("\"exchange\": \"x\", \"uri\": \"amqps://h?cacertfile=/a\", \"tls\": { \"ca\": \"b\" }", "tls.ca: the URI has the parameter cacertfile too; set it in one place")]
    [InlineData("\"exchange\": \"x\", \"uri\": \"amqp://u:p@h\", \"user\": \"v\"", "user: user is also set in the URI; set it in one place")]
    [InlineData("\"exchange\": \"x\", \"uri\": \"amqp://u:p@h\", \"password\": \"q\"", "password: the password is also set in the URI; set it in one place")]
    [InlineData("\"exchange\": \"x\", \"uri\": \"amqp://h\", \"tls\": {}", "tls: the uri begins with amqp://, which is not encrypted; write amqps://")]
    public void A_wrong_place_or_login_is_told_without_the_password(string settings, string expected)
    {
        var error = Assert.Single(_folder.Errors($$"""{ "servers": { "mq1": { {{settings}} } } }"""));

        Assert.Equal($"servers.mq1.{expected}", error);
        Assert.DoesNotContain("ter2", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "server": {} }""", "server: unknown setting; did you mean 'servers'?")]
    [InlineData("""{ "servers": [] }""", "servers: must be an object in braces, not a list")]
    [InlineData("""{ "servers": { "a b": {} } }""", "servers.a b: is not a name for a server; take 1 to 64 of the characters A-Z a-z 0-9 . _ -")]
    [InlineData("""{ "servers": { "mq1": "amqp://u:hunter2@h" } }""", "servers.mq1: must be an object in braces, not text")]
    [InlineData("""{ "spool": { "path": "" } }""", "spool.path: is empty; give the path of the spool, or leave it out for /var/lib/quickq/spool.db")]
    [InlineData("""{ "spool": { "retention": "forever" } }""", "spool.retention: 'forever' is not a duration; write for example 30s, 7d, 500ms or 1h30m")]
    [InlineData("""{ "spool": { "maxSize": "2MiB", "maxMessageSize": "3MiB" } }""", "spool.maxMessageSize: is larger than maxSize (2MiB); no such message would ever fit")]
    [InlineData("""{ "logLevel": "loud" }""", "logLevel: must be trace, debug, information, warning, error or critical, not 'loud'")]
    [InlineData("""{ "http": { "listen": "9672" } }""", "http.listen: '9672' is not address:port; write for example 127.0.0.1:9672")]
    [InlineData("""{ "spool": {}, "Spool": {} }""", "Spool: duplicate setting (names are case-insensitive)")]
    [InlineData("""{ "servers": { "mq1": { "host": "h" }, "MQ1": { "exchange": "x" } } }""", "servers.MQ1: duplicate setting (names are case-insensitive)")]
    [InlineData("""{ "servers:mq1": {} }""", "servers.mq1: the name of a setting cannot hold a colon; take another name")]
    public void A_wrong_setting_elsewhere_is_told(string json, string expected) => Assert.Equal([expected], _folder.Errors(json));

    [Theory]
    [InlineData("{\n  \"spool\": {,\n}", "invalid JSON at line 2, column 13: unexpected ','")]
    [InlineData("{ \"spool\": { }", "invalid JSON at line 1, ")]
    [InlineData("", "invalid JSON at line 1, column 1: ")]
    [InlineData("{} {}", "invalid JSON at line 1, column 4: ")]
    [InlineData("[]", "must contain a JSON object; ")]
    public void Broken_JSON_is_told_with_its_place(string json, string expected) =>
        Assert.StartsWith($"{_folder.ConfigPath}: {expected}", Assert.Single(_folder.Errors(json)), StringComparison.Ordinal);

    [Fact]
    public void A_wrong_variable_is_told_by_its_name() =>
        Assert.Equal(
            [
                "servers.mq1.port: 'x' is not a whole number from 1 to 65535 (from the environment variable QUICKQ__servers__mq1__port)",
                "servers.mq1.passwordd: unknown setting; did you mean 'password'? (from the environment variable QUICKQ__servers__mq1__passwordd)",
            ],
            _folder.Errors("""{ "servers": { "mq1": { "host": "h", "exchange": "x" } } }""",
                ("QUICKQ__servers__mq1__port", "x"), ("QUICKQ__servers__mq1__passwordd", "hunter2")));

    [Fact]
    public void A_missing_file_is_told()
    {
        var (settings, errors) = SettingsFile.Read("/nowhere/quickq.json");

        Assert.Null(settings);
        Assert.Equal(["/nowhere/quickq.json: there is no such file; name another with --config"], errors);
        Assert.Equal(["/tmp: cannot be read: it is a folder, not a file"], SettingsFile.Read("/tmp").Errors);
    }

    public void Dispose() => _folder.Dispose();
}
