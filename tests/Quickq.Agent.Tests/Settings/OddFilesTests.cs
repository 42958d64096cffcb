using System.Diagnostics;
using System.Text;
using Quickq.Agent.Settings;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Settings;

/// <summary>Configurations that no editor writes: whatever bytes a file holds, reading it ends with settings or with errors, at once.</summary>
public sealed class OddFilesTests : IDisposable
{
    private const string Whole =
        """
        {
          // what people have
          "logLevel": "info",
          "spool": { "path": "/s.db", "maxSize": "10GiB", "retention": "7d", "minFreeDisk": "10MiB", },
          "servers": {
            "mq1": { "uri": "amqps://oper:hunter2@mq1.example:5671/%2Fv", "exchange": "sätellite", "window": 100 },
            "mq2": { "hosts": ["a", "b:1", "[::1]:5"], "user": "u", "passwordFile": "password", "exchange": "", "tls": { "ca": "ca.pem" } }
          },
          "http": { "listen": "127.0.0.1:9672" }
        }
        """;

    /// <summary>200, or 2,000 with QUICKQ_LONG=1.</summary>
    private static readonly int Mutations = Environment.GetEnvironmentVariable("QUICKQ_LONG") is "1" ? 2_000 : 200;

    private static readonly byte[][] Splinters =
    [
        [0xF6], [0xFC, 0xDF], [0], [0xED, 0xA0, 0x80], [0xC0, 0x80], [0xEF, 0xBB, 0xBF], "\\ud800"u8.ToArray(), "\\udfff\\ud800"u8.ToArray(), "\""u8.ToArray(), "{"u8.ToArray(), "}"u8.ToArray(),
        "["u8.ToArray(), "]"u8.ToArray(), ":"u8.ToArray(), ","u8.ToArray(), "null"u8.ToArray(), "1e999"u8.ToArray(), "-0"u8.ToArray(), "/*"u8.ToArray(), "//"u8.ToArray(), "\\u0000"u8.ToArray(),
        "99999999999999999999"u8.ToArray(), "%"u8.ToArray(), "%ZZ"u8.ToArray(), "@"u8.ToArray(), "\r\n"u8.ToArray(), "true"u8.ToArray(), "\"mq1\": {},"u8.ToArray(),
        Encoding.UTF8.GetBytes("\u202e\u0085\u2028"), Encoding.UTF8.GetBytes(new string('[', 70)), Encoding.UTF8.GetBytes(new string('9', 400)),
    ];

    private readonly SettingsFolder _folder = new();

    [Theory]
    [InlineData("{\n \"servers\": {\n  \"m\u00f6\": {} } }", 3)]
    [InlineData("{\n \"gr\u00f6\u00dfe\": 1 }", 2)]
    [InlineData("{ \"servers\": { \"mq1\": { \"host\": \"h\", \"password\": \"gr\u00fcn\", \"exchange\": \"\" } } }", 1)]
    public void Latin_1_is_told_with_its_line_wherever_it_is(string json, int line)
    {
        File.WriteAllBytes(_folder.ConfigPath, Encoding.Latin1.GetBytes(json));

        Assert.Equal([$"{_folder.ConfigPath}: cannot be read: it is not UTF-8, line {line}"], SettingsFile.Read(_folder.ConfigPath).Errors);
    }

    [Theory]
    [InlineData("""{ "servers": { "mq1": { "host": "h", "exchange": "\ud800" } } }""", "servers.mq1.exchange")]
    [InlineData("""{ "servers": { "\udc00": { "host": "h", "exchange": "" } } }""", "servers")]
    [InlineData("""{ "servers": { "mq1": { "hosts": ["a", "\ud800"], "exchange": "" } } }""", "servers.mq1.hosts.1")]
    [InlineData("""{ "\ud800": 1 }""", "the file")]
    public void Half_a_pair_of_surrogates_is_told_with_its_place(string json, string place) =>
        Assert.Contains($"{place}: contains an unpaired surrogate (\\ud800 to \\udfff) and cannot be encoded as UTF-8", _folder.Errors(json));

    [Fact(Timeout = 60_000)]
    public async Task A_pipe_a_folder_a_device_is_refused_at_once_for_configuration_password_and_certificates()
    {
        string pipe = Path.Combine(Path.GetDirectoryName(_folder.ConfigPath)!, "pipe");
        await MakePipeAsync(pipe);
        foreach ((string path, string what) in new[] { (pipe, "a pipe"), ("/dev/zero", "a device"), ("/", "a folder") })
        {
            Assert.Contains($"it is {what}, not a", Assert.Single(SettingsFile.Read(path).Errors), StringComparison.Ordinal);
            Assert.Contains($"it is {what}, not a", Assert.Throws<IOException>(() => PasswordSource.InFile(path).Read()).Message, StringComparison.Ordinal);
        }

        var settings = _folder.Right($$"""{ "servers": { "mq1": { "host": "localhost", "user": "u", "passwordFile": "{{pipe}}", "exchange": "" } } }""");
        Assert.Equal([$"servers.mq1.passwordFile: the password file {pipe} cannot be used: it is a pipe, not a regular file; it is read again at each connection attempt"], settings.Notes);
    }

    [Fact]
    public void A_password_file_in_Latin_1_is_no_other_password()
    {
        string file = _folder.Write("password", "");
        File.WriteAllBytes(file, Encoding.Latin1.GetBytes("gr\u00fcn\n"));

        Assert.Equal($"the password file {file} cannot be used: it is not UTF-8, line 1", Assert.Throws<IOException>(() => PasswordSource.InFile(file).Read()).Message);
    }

    [Fact]
    public void No_mutation_of_a_configuration_gets_out_as_an_exception_or_tells_its_password()
    {
        byte[] whole = Encoding.UTF8.GetBytes(Whole);
        for (int i = 0; i < Mutations; i++)
        {
            byte[] mutated = Mutate(whole);
            File.WriteAllBytes(_folder.ConfigPath, mutated);

            SettingsReading reading = SettingsFile.Read(_folder.ConfigPath);

            Assert.True((reading.Settings is null) == (reading.Errors.Count > 0), Encoding.Latin1.GetString(mutated));
            Assert.All(reading.Errors, error =>
            {
                Assert.DoesNotContain("hunter2", error, StringComparison.Ordinal);
                Assert.DoesNotContain("internal fault", error, StringComparison.Ordinal);
                Assert.Equal(error, Spool.SafeText.OneLine(error));
            });
        }
    }

    public void Dispose() => _folder.Dispose();

    private static byte[] Mutate(byte[] whole)
    {
        List<byte> bytes = [.. whole];
        for (int left = Some.Number(1, 4); left > 0; left--)
        {
            int at = Some.Number(0, Math.Max(0, bytes.Count - 1)), length = Math.Min(Some.Number(0, 12), bytes.Count - at);
            switch (Some.Number(1, 5))
            {
                case 1: bytes.RemoveRange(at, length); break;
                case 2: bytes.InsertRange(at, Splinters[Some.Number(0, Splinters.Length - 1)]); break;
                case 3: bytes.InsertRange(at, Some.Bytes(length)); break;
                case 4: bytes.InsertRange(at, bytes.GetRange(at, length)); break;
                default: bytes.RemoveRange(at, bytes.Count - at); break;
            }
        }

        return [.. bytes];
    }

    private static async Task MakePipeAsync(string path)
    {
        using var mkfifo = Process.Start("mkfifo", [path]);
        await mkfifo.WaitForExitAsync();
        Assert.Equal(0, mkfifo.ExitCode);
    }
}
