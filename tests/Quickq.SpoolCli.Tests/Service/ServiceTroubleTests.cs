using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>What is wrong with the spool is the answer to each request, and never the end of the service.</summary>
public sealed class ServiceTroubleTests : IDisposable
{
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task A_spool_whose_disk_comes_late_is_made_when_it_is_there()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        var away = _spool.Folder + ".away";
        Directory.Move(_spool.Folder, away);
        client.Add(("m1", "x"));
        Assert.Equal(73, client.ReadError().Code);
        client.Send('s', """{"ids":["m1"]}""");
        Assert.Equal(66, client.ReadError().Code);

        Directory.Move(away, _spool.Folder);
        client.Add(("m1", "x"));
        Assert.Equal(1, client.ReadAnswer().GetProperty("stored").GetInt32());
        await Eventually.Is("both are logged", TimeSpan.FromSeconds(10), () =>
            service.Child.Stderr.Contains("refusing messages: ", StringComparison.Ordinal) && service.Child.Stderr.Contains("accepting messages again", StringComparison.Ordinal));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_folder_that_others_may_write_from_now_on_is_refused_until_its_mode_is_right()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("m1", "x"));
        client.ReadAnswer();
        client.Send('c', "{}");
        client.ReadAnswer();
        var mode = File.GetUnixFileMode(_spool.Folder);
        File.SetUnixFileMode(_spool.Folder, mode | UnixFileMode.OtherWrite);
        client.Add(("m2", "x"));
        var (code, text) = client.ReadError();
        Assert.Equal(77, code);
        Assert.Contains($"chmod go-w {_spool.Folder}", text, StringComparison.Ordinal);
        client.Send('c', "{}");
        Assert.Equal(77, client.ReadError().Code);
        client.Send('s', """{"ids":["m1"]}""");
        Assert.Equal(77, client.ReadError().Code);
        Assert.Equal(77, client.Run("list").ExitCode);

        File.SetUnixFileMode(_spool.Folder, mode);
        client.Add(("m2", "x"));
        Assert.Equal(1, client.ReadAnswer().GetProperty("stored").GetInt32());
        client.Send('c', "{}");
        client.ReadAnswer();
    }

    [Fact(Timeout = 120_000)]
    public async Task A_spool_that_is_a_link_has_both_names()
    {
        _spool.MustBeSound = false; // it lies elsewhere
        using var data = new TempFolder("data");
        File.CreateSymbolicLink(_spool.Path, data.File("real.db"));
        using var service = await ServeProcess.StartAsync(_spool);
        foreach (var (name, isServed) in (IEnumerable<(string, bool)>)[(_spool.Path, true), (data.File("real.db"), true), (_spool.File("other.db"), false)])
        {
            using var client = service.Connect(greet: false);
            client.Send('h', $$"""{"protocol":1,"spool":"{{name}}"}""");
            Assert.Equal(isServed ? 'j' : 'e', client.Read().Kind);
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task A_file_that_is_no_spool_is_refused_and_left_alone()
    {
        _spool.MustBeSound = false;
        await File.WriteAllTextAsync(_spool.Path, "somebody's notes, which are no spool at all");
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("m1", "x"));
        Assert.Equal(65, client.ReadError().Code);
        client.Send('c', "{}");
        Assert.Equal(65, client.ReadError().Code);
        Assert.StartsWith("somebody's notes", await File.ReadAllTextAsync(_spool.Path), StringComparison.Ordinal);

        File.Delete(_spool.Path);
        client.Add(("m1", "x"));
        Assert.Equal(1, client.ReadAnswer().GetProperty("stored").GetInt32());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_spool_that_is_removed_is_made_anew_and_a_row_that_cannot_be_read_refuses_only_its_repetition()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("m1", "x"));
        client.ReadAnswer();
        _spool.Execute("INSERT INTO message (id, routing_key, properties, body) VALUES ('odd', 'k', 'no JSON', 42)");
        client.Add(("odd", "x"));
        Assert.Equal(65, client.ReadError().Code);

        foreach (var file in Directory.EnumerateFiles(_spool.Folder, "spool.db*"))
        {
            File.Delete(file);
        }

        client.Send('s', """{"ids":["m1"]}""");
        Assert.Equal(66, client.ReadError().Code);
        await Eventually.Is("messages are accepted again", TimeSpan.FromSeconds(30), () =>
        {
            client.Add(("m2", "x"));
            return client.Read().Kind == 'j';
        });
        Assert.Equal(["m2"], _spool.Query<string>("SELECT id FROM message"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_full_spool_is_try_later_and_what_is_there_already_is_success()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("m1", "x"));
        client.ReadAnswer();
        _spool.Execute("INSERT OR REPLACE INTO setting (name, value) VALUES ('maxSize', '1024')");

        client.Add(("m2", "x"));
        client.Add(("m1", "x"));

        Assert.Contains("\"fault\":\"Full\"", client.ReadError().Text, StringComparison.Ordinal);
        Assert.Equal(0, client.ReadAnswer().GetProperty("stored").GetInt32());
    }
}
