using System.Text;
using Quickq.SpoolCli.Tests.Program;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary><c>add --lines --skip-invalid=FILE</c> through the service: the client opens the file, with its own rights.</summary>
public sealed class ServiceSkipInvalidTests : IDisposable
{
    private const string Input = "[1]\r\noops\r\n[2]\n[3";
    private readonly TempFolder _files = new("files");

    public void Dispose() => _files.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task The_lines_are_kept_in_a_file_of_the_caller()
    {
        using var shared = new SharedSpool();
        await shared.StartAsync();
        var file = SharedSpool.FileOf(SharedSpool.Member, _files, "bad", "");
        File.SetUnixFileMode(_files.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute | UnixFileMode.GroupExecute);

        CommandResult result = await shared.RunWithInputAsync(SharedSpool.Member, Input, "add", "--json", "--lines", $"--skip-invalid={file}");

        Assert.Equal((65, 2), (result.ExitCode, result.Lines.Count));
        Assert.Equal(result.Lines, shared.Spool.Query<string>("SELECT id FROM message ORDER BY seq"));
        Assert.Equal("oops\r\n[3", await File.ReadAllTextAsync(file));
        Assert.EndsWith($"2 messages stored, 2 lines skipped; kept in {file}\n", result.Stderr, StringComparison.Ordinal);

        // The owner of the spool could write there; the caller may not.
        CommandResult refused = await shared.RunWithInputAsync(SharedSpool.Member, Input, "add", "--lines", $"--skip-invalid={shared.Spool.File("bad")}");
        Assert.Equal((77, ""), (refused.ExitCode, refused.Stdout));
        Assert.Equal(2, shared.Spool.Messages());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_client_that_lets_the_service_run_it_takes_the_lines_as_stream_3()
    {
        using var spool = new TempSpool();
        using var service = await ServeProcess.StartAsync(spool);
        using var client = service.Connect();
        client.Send('r', """{"arguments":["add","--json","--lines","--skip-invalid=-"],"file":"bad.ndjson"}""");
        client.Send('d', [0, .. Encoding.UTF8.GetBytes(Input)]);
        client.Send('d', [0]);

        var kept = new List<byte>();
        var errors = new List<byte>();
        var ended = client.Read();
        for (; ended.Kind == 'd'; ended = client.Read())
        {
            kept.AddRange(ended.Payload[0] == 3 ? ended.Payload[1..] : []);
            errors.AddRange(ended.Payload[0] == 2 ? ended.Payload[1..] : []);
        }

        Assert.Equal(("""{"code":65}""", "oops\r\n[3"), (Encoding.UTF8.GetString(ended.Payload), Encoding.UTF8.GetString([.. kept])));
        Assert.EndsWith("2 messages stored, 2 lines skipped; kept in bad.ndjson\n", Encoding.UTF8.GetString([.. errors]), StringComparison.Ordinal);
        Assert.Equal(2, spool.Messages());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("--skip-invalid=/tmp/kept", "\"kept\"")]
    [InlineData("--skip-invalid=/tmp/kept", "null")]
    [InlineData("--skip-invalid=-", "\"\"")]
    public async Task The_service_opens_no_such_file(string option, string hasFile)
    {
        using var spool = new TempSpool { MustBeSound = false };
        using var service = await ServeProcess.StartAsync(spool);
        using var client = service.Connect();
        client.Send('r', $$"""{"arguments":["add","--lines","{{option}}"],"file":{{hasFile}}}""");
        client.Send('d', [0]);
        var result = client.ReadCommand();
        Assert.Equal(64, result.ExitCode);
        Assert.Contains("the spool service opens no file that a client names", result.Stderr, StringComparison.Ordinal);
    }
}
