using Quickq.Agent.Ledger;
using Quickq.Agent.Settings;
using Quickq.Spool;
using Quickq.Testing;
using SQLitePCL;

namespace Quickq.Agent.Tests.Ledger;

public sealed class ServerRegistryTests : IDisposable
{
    private readonly TempSpool _spool = new();
    private readonly SpoolFile _file;

    public ServerRegistryTests() => _file = SpoolFile.OpenForWriting(_spool.Path, create: true);

    [Fact]
    public void Messages_from_before_go_to_every_server_in_order_and_only_once()
    {
        Append(1_200);
        Register("mq1", "mq2");
        Append(1);

        int steps = 0;
        while (_file.Write(MessageAssignment.AssignSome_NeedsTransaction))
        {
            steps++;
        }

        Assert.Equal(3, steps);
        Assert.Equal([1_201, 1_201], _spool.Query<int>("SELECT count(*) FROM delivery GROUP BY server"));
        Assert.Equal([1_201, 1_201], _spool.Query<int>("SELECT pending FROM server"));
        Assert.Equal(0, _spool.Value<int>("SELECT (SELECT count(*) FROM unassigned) + (SELECT value FROM tally WHERE name = 'unassigned')"));
    }

    [Fact]
    public void The_last_messages_that_wait_cost_no_more_to_give_away_than_the_first()
    {
        Append(10_000);
        Register("mq1");

        long first = CountSteps();
        long last = first;
        while (_spool.Value<int>("SELECT value FROM tally WHERE name = 'unassigned'") > 0)
        {
            last = CountSteps();
        }

        CountedCost.RequireAtMost("SQLite's steps for one batch", last, first);
    }

    [Fact]
    public void A_server_that_is_taken_out_keeps_its_rows_and_has_them_when_it_comes_back()
    {
        long id = Register("mq1")["mq1"];
        Append(2);
        Register("mq2");
        Append(1);

        Assert.Equal([0, 1], _spool.Query<int>("SELECT active FROM server ORDER BY name"));
        Assert.Equal([2, 1], _spool.Query<int>("SELECT pending FROM server ORDER BY name"));
        Assert.Equal(id, Register("mq1", "mq2")["mq1"]);
        Assert.Equal([2, 1], _spool.Query<int>("SELECT pending FROM server ORDER BY name"));
    }

    [Fact]
    public void What_is_for_no_server_waits_until_one_takes_its_exchange()
    {
        Register("mq1");
        RegisterWith("himawari");
        using (SpoolWriter writer = SpoolWriter.Open(_spool.Path))
        {
            writer.AppendMany([new OutgoingMessage { Exchange = "satellite" }, new OutgoingMessage { Exchange = "himawari" }, new OutgoingMessage()]);
        }

        Assert.Equal([2, 3], _spool.Query<int>("SELECT message FROM delivery"));
        Assert.False(_file.Write(MessageAssignment.AssignSome_NeedsTransaction));
        RegisterWith("himawari");
        Assert.Equal(0, _file.Read(MessageAssignment.CountLeft));

        RegisterWith("himawari", "satellite");

        Assert.Equal(1, _file.Read(MessageAssignment.CountLeft));
        Assert.True(_file.Write(MessageAssignment.AssignSome_NeedsTransaction));
        Assert.Equal([1, 2, 3], _spool.Query<int>("SELECT message FROM delivery"));
        Assert.Equal((3, 1), (_spool.Value<int>("SELECT pending FROM server"), _spool.Value<int>("SELECT rewind FROM server")));
    }

    [Fact]
    public void The_hosts_of_the_configuration_are_known_to_those_who_look()
    {
        _file.Write(connection => ServerRegistry.Register_NeedsTransaction(
            connection, [new ServerSettings { Name = "mq1", Hosts = [new HostAndPort("mq1.example.org", 5672), new HostAndPort("::1", 5673)], Exchange = "e" }], fresh: ["mq1"], now: 1));

        Assert.Equal("""["mq1.example.org:5672","[::1]:5673"]""", _spool.Value<string>("SELECT hosts FROM server"));
    }

    [Fact]
    public void Limits_of_the_configuration_reach_every_producer_and_go_when_they_are_taken_out()
    {
        _file.Write(connection =>
        {
            ServerRegistry.WriteLimits_NeedsTransaction(connection, new SpoolSettings { MaxSizeBytes = 123, MinFreeDiskBytes = 456 });
            return true;
        });
        Assert.Equal(["123", "456"], _spool.Query<string>("SELECT value FROM setting WHERE name IN ('maxSize', 'minFreeDisk') ORDER BY name"));

        _file.Write(connection =>
        {
            ServerRegistry.WriteLimits_NeedsTransaction(connection, new SpoolSettings());
            return true;
        });
        Assert.Equal(["10737418240"], _spool.Query<string>("SELECT value FROM setting WHERE name IN ('maxSize', 'minFreeDisk') ORDER BY name"));
    }

    public void Dispose()
    {
        _file.Dispose();
        _spool.Dispose();
    }

    private IReadOnlyDictionary<string, long> Register(params string[] names) => _file.Write(connection => ServerRegistry.Register_NeedsTransaction(connection,
        [.. names.Select(name => new ServerSettings { Name = name, Hosts = [], Exchange = "satellite" })], fresh: names, now: 1));

    private void RegisterWith(params string[] exchanges) => _file.Write(connection => ServerRegistry.Register_NeedsTransaction(
        connection, [new ServerSettings { Name = "mq1", Hosts = [], Exchange = "satellite", Exchanges = exchanges }], fresh: [], now: 1));

    private long CountSteps() => _file.Write(connection =>
    {
        const int Each = 10;
        long steps = 0;
        delegate_progress count = _ =>
        {
            steps += Each;
            return 0;
        };
        raw.sqlite3_progress_handler(connection.Handle!, Each, count, null);
        MessageAssignment.AssignSome_NeedsTransaction(connection);
        raw.sqlite3_progress_handler(connection.Handle!, 0, null, null);
        GC.KeepAlive(count);
        return steps;
    });

    private void Append(int count)
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.AppendMany([.. Enumerable.Range(1, count).Select(_ => new OutgoingMessage())]);
    }
}
