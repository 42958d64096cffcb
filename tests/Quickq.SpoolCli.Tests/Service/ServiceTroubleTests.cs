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
