using System.Text.Json;
using Microsoft.Extensions.Logging;
using Quickq.Agent.Observability;
using Quickq.Agent.Settings;

namespace Quickq.Agent.Tests.Settings;

/// <summary>A password is shown by nothing, however wrong the configuration around it.</summary>
public sealed class SecretTests : IDisposable
{
    private const string Canary = "c4n4ry-tw33t";
    private readonly SettingsFolder _folder = new();

    [Fact]
    public void A_secret_prints_as_stars_in_every_form()
    {
        var secret = new Secret(Canary);
        var settings = _folder.Right($$"""{ "servers": { "mq1": { "uri": "amqp://oper:{{Canary}}@mq1", "exchange": "" } } }""");
        using var output = new StringWriter();
        using (var logging = new AgentLogging(LogLevel.Trace, output, journal: null, TimeProvider.System))
        {
            // As somebody would write it who does not know better, with @ to take the object apart.
#pragma warning disable CA2254, CA1848, CA1873, CA2017
            logging.Own.LogInformation("{@Secret} {Secret} {@Server} {Settings}", secret, secret, settings.Servers[0], settings);
#pragma warning restore CA2254, CA1848, CA1873, CA2017
        }

        Assert.Equal("***", secret.ToString());
        string everything = string.Join('\n', output, secret, $"{secret}", settings, settings.Servers[0], JsonSerializer.Serialize(secret), JsonSerializer.Serialize(settings));
        Assert.Contains("***", everything, StringComparison.Ordinal);
        Assert.DoesNotContain(Canary, everything, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "servers": { "mq1": { "uri": "amqp://oper:CANARY@mq1:port/x", "exchange": "" } } }""")]
    [InlineData("""{ "servers": { "mq1": { "uri": "oper:CANARY@mq1", "exchange": "" } } }""")]
    [InlineData("""{ "servers": { "mq1": { "uri": "amqp://oper:CANARY@mq1/a/b?c=d", "exchange": "" } } }""")]
    [InlineData("""{ "servers": { "mq1": { "host": "amqp://oper:CANARY@mq1", "exchange": "" } } }""")]
    [InlineData("""{ "servers": { "mq1": { "host": "oper:CANARY@mq1", "exchange": "" } } }""")]
    [InlineData("""{ "servers": { "mq1": { "hosts": ["mq1", "amqps://oper:CANARY@mq1/%2F"], "exchange": "" } } }""")]
    [InlineData("""{ "servers": { "amqp://oper:CANARY@mq1/": { "exchange": "" } } }""")]
    [InlineData("""{ "servers": { "amqp:\u002f\u002foper:CANARY@mq1": 3 } }""")]
    [InlineData("""{ "servers": ["amqp://oper:CANARY@mq1/"] }""")]
    [InlineData("""{ "servers": "amqp://oper:CANARY@mq1/" }""")]
    [InlineData("""{ "logLevel": "amqp://oper:CANARY@mq1/" }""")]
    [InlineData("""{ "servers": { "mq1": { "host": "mq1", "port": "oper:CANARY@mq1", "heartbeat": "x@CANARY", "windowBytes": "CANARY@", "exchange": "" } } }""")]
    [InlineData("""{ "servers": { "mq1": { "host": "mq1", "user": "oper", "password": "CANARY", "passwordFile": "x", "exchange": "" } } }""")]
    [InlineData("""{ "servers": { "mq1": { "host": "mq1", "user": "oper", "password": ["CANARY"], "exchange": "" } } }""")]
    [InlineData("""{ "servers": { "mq1": { "host": "mq1", "user": "oper", "password": CANARY } } }""")]
    [InlineData("""{ "servers": { "mq1": { "host": "mq1", "user": "oper", "password": nCANARY } } }""")]
    [InlineData("""{ "servers": { "mq1": { "host": "mq1", "user": "oper", "password": "CANARY } } }""")]
    [InlineData("""{ "servers": { "mq1": { "host": "mq1", "user": "oper", "password": "CANARY\q" } } }""")]
    public void No_mistake_tells_the_password_beside_it(string json)
    {
        var errors = _folder.Errors(json.Replace("CANARY", Canary, StringComparison.Ordinal));

        Assert.NotEmpty(errors);
        Assert.All(errors, error => Assert.DoesNotContain(Canary, error, StringComparison.Ordinal));
    }

    [Fact]
    public void A_wrong_address_in_a_variable_is_told_by_the_variables_name()
    {
        var errors = _folder.Errors("""{ "servers": { "mq1": { "exchange": "" } } }""", ("QUICKQ__servers__mq1__uri", $"ampq://oper:{Canary}@mq1"));

        Assert.Contains("QUICKQ__servers__mq1__uri", Assert.Single(errors), StringComparison.Ordinal);
        Assert.DoesNotContain(Canary, errors[0], StringComparison.Ordinal);
    }

    [Fact]
    public void A_bare_name_is_the_services_credential_where_there_is_one_else_a_file_beside_the_configuration()
    {
        const string json = """{ "servers": { "mq1": { "host": "mq1", "user": "oper", "passwordFile": "mq1.password", "exchange": "" } } }""";
        _folder.Write("mq1.password", "beside");
        Assert.Equal("beside", Password(json));
        Assert.Equal("beside", Password(json, ("CREDENTIALS_DIRECTORY", "/nowhere")));

        string credentials = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(_folder.ConfigPath)!, "credentials")).FullName;
        File.WriteAllText(Path.Combine(credentials, "mq1.password"), "credential\n");
        Assert.Equal("credential", Password(json, ("CREDENTIALS_DIRECTORY", credentials)));

        // A path is a path.
        Assert.Equal("beside", Password(json.Replace("mq1.password", "./mq1.password", StringComparison.Ordinal), ("CREDENTIALS_DIRECTORY", credentials)));
    }

    [Fact]
    public void A_password_file_that_everybody_can_read_is_warned_of()
    {
        string file = _folder.Write("open.password", Canary, (UnixFileMode)0b110_100_100);

        var settings = _folder.Right("""{ "servers": { "mq1": { "host": "localhost", "user": "oper", "passwordFile": "open.password", "exchange": "" } } }""");

        Assert.Equal([$"servers.mq1.passwordFile: every user can read {file}; chmod 640"], settings.Notes);
    }

    public void Dispose() => _folder.Dispose();

    private string Password(string json, params (string Name, string Value)[] environment) =>
        _folder.Right(json, environment).Servers[0].Password.Read().Reveal();
}
