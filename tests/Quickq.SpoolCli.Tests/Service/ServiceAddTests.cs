using System.Text;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>Messages through the spool service: stored once, in order, each request by itself.</summary>
public sealed class ServiceAddTests : IDisposable
{
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task The_spool_is_made_by_the_first_add_and_not_before()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Send('s', """{"ids":["m1"]}""");
        Assert.Equal(66, client.ReadError().Code);
        Assert.False(File.Exists(_spool.Path));

        client.Add(("m1", "hello"));
        Assert.Equal("""{"ids":["m1"],"stored":1}""", client.ReadAnswer().GetRawText());

        Assert.Equal("hello", Encoding.UTF8.GetString(_spool.Value<byte[]>("SELECT body FROM message WHERE id = 'm1'")));
    }

    [Fact(Timeout = 120_000)]
    public async Task The_same_id_and_content_again_is_stored_once_and_other_content_is_refused()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("m1", "hello"));
        client.Add(("m1", "hello"), ("m2", "hello"));
        client.Add(("m1", "other"));

        Assert.Equal(1, client.ReadAnswer().GetProperty("stored").GetInt32());
        Assert.Equal("""{"ids":["m1","m2"],"stored":1}""", client.ReadAnswer().GetRawText());
        Assert.Contains("IdConflict", client.ReadError().Text, StringComparison.Ordinal);
        Assert.Equal(2, _spool.Value<long>("SELECT count(*) FROM message"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_bad_message_refuses_its_own_request_as_a_whole_and_no_other()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        using var other = service.Connect();
        client.Add(("taken", "a"));
        client.ReadAnswer();

        // Sent together, so that they share a transaction or two.
        client.SendBytes(
        [
            .. ServiceClient.Frame('a', ServiceClient.AddPayload(("good-1", "x"))),
            .. ServiceClient.Frame('a', ServiceClient.AddPayload(("half-1", "x"), ("taken", "b"), ("half-2", "x"))),
            .. ServiceClient.Frame('a', ServiceClient.AddPayload(("half-3", "x"), ("not an id", "b"))),
            .. ServiceClient.Frame('a', ServiceClient.AddPayload(("good-2", "x"))),
        ]);
        other.Add(("good-3", "x"));

        Assert.Equal(1, client.ReadAnswer().GetProperty("stored").GetInt32());
        Assert.Contains("\"index\":1", client.ReadError().Text, StringComparison.Ordinal);
        Assert.Contains("\"index\":1", client.ReadError().Text, StringComparison.Ordinal);
        Assert.Equal(1, client.ReadAnswer().GetProperty("stored").GetInt32());
        Assert.Equal(1, other.ReadAnswer().GetProperty("stored").GetInt32());
        Assert.Equal(["good-1", "good-2", "good-3", "taken"], _spool.Query<string>("SELECT id FROM message ORDER BY id"));
    }

    [Fact(Timeout = 120_000)]
    public async Task Each_connection_keeps_its_order_however_many_there_are()
    {
        const int Connections = 8, Each = 300;
        using var service = await ServeProcess.StartAsync(_spool);
        var clients = Enumerable.Range(0, Connections).Select(_ => service.Connect()).ToList();
        await Task.WhenAll(clients.Select((client, number) => Task.Run(() =>
        {
            for (var i = 0; i < Each; i++)
            {
                client.Add(($"{number}-{i:d4}", "x"));
            }
        })));
        foreach (var (client, number) in clients.Select((client, number) => (client, number)))
        {
            Assert.Equal(
                Enumerable.Range(0, Each).Select(i => $"{number}-{i:d4}"),
                Enumerable.Range(0, Each).Select(_ => client.ReadAnswer().GetProperty("ids")[0].GetString()));
        }

        foreach (var stored in _spool.Query<string>("SELECT id FROM message ORDER BY seq").GroupBy(id => id[0]))
        {
            Assert.Equal(stored.Order(StringComparer.Ordinal), stored);
        }

        clients.ForEach(client => client.Dispose());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_message_needs_an_id_and_may_have_everything_that_the_protocol_names()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Send('a', Payload("""[{"body":1}]""", "x"));
        client.Send('a', Payload("""[{"id":"a","body":1,"ttl":0}]""", "x"));
        client.Send('a', Payload("""[{"id":"a","body":1,"expiresAt":9223372036854775807}]""", "x"));
        client.Send('a', Payload("""[{"id":"a","body":1,"properties":{"headers":{"a":1e999}}}]""", "x"));
        client.Send('a', Payload(
            """[{"id":"all","body":2,"exchange":"satellite","routingKey":"geo.g16","properties":{"contentType":"text/plain","headers":{"n":1},"priority":3,"transient":true},"ttl":60000000,"unknown":{}}]""", "xy"));

        for (var refused = 0; refused < 4; refused++)
        {
            Assert.Equal(65, client.ReadError().Code);
        }

        Assert.Equal(1, client.ReadAnswer().GetProperty("stored").GetInt32());
        Assert.Equal("satellite|geo.g16|60000000|xy", _spool.Value<string>("SELECT exchange || '|' || routing_key || '|' || (expires_at - created_at) || '|' || CAST(body AS TEXT) FROM message"));
        Assert.Contains("\"priority\":3", _spool.Value<string>("SELECT properties FROM message"), StringComparison.Ordinal);
    }

    [Fact(Timeout = 180_000)]
    public async Task What_cannot_be_stored_within_thirty_seconds_is_refused_and_never_stored()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect();
        client.Add(("first", "x"));
        client.ReadAnswer();
        using (var holder = ChildProcess.Start("flock", [_spool.Path + ".lock", "sh", "-c", "echo held; read line"]))
        {
            await Eventually.Is("the lock is held", TimeSpan.FromSeconds(30), () => holder.Stdout.Contains("held", StringComparison.Ordinal));
            client.Add(("late", "x"));
            var (code, text) = client.ReadError();
            Assert.Equal(75, code);
            Assert.Contains("not stored within 30 s", text, StringComparison.Ordinal);
        }

        client.Add(("next", "x"));
        Assert.Equal(1, client.ReadAnswer().GetProperty("stored").GetInt32());
        Assert.Equal(["first", "next"], _spool.Query<string>("SELECT id FROM message ORDER BY seq"));
    }

    private static byte[] Payload(string json, string bodies)
    {
        var bytes = Encoding.UTF8.GetBytes(json);
        return [0, 0, (byte)(bytes.Length >> 8), (byte)bytes.Length, .. bytes, .. Encoding.UTF8.GetBytes(bodies)];
    }
}
