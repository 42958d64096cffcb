using Microsoft.Data.Sqlite;
using Quickq.Agent.Feed;
using Quickq.Agent.Ledger;
using Quickq.Agent.Settings;
using Quickq.Agent.Timing;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Ledger;

/// <summary>Whatever servers come, go and take, whatever messages name: rows, counters, unassigned, waits and feeds are as the model has them.</summary>
public sealed class FanOutPropertyTests : IDisposable
{
    private static readonly string[] Names = ["mq1", "mq2", "mq10", "mq"], Exchanges = ["satellite", "himawari", "", "a b"];

    private readonly TempSpool _spool = new();
    private readonly SpoolWriter _writer;
    private readonly SpoolFile _file;
    private readonly SettlementWriter _settlements = new(new RetrySchedule(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5), () => 0.5));
    private readonly FanOutModel _model = new();
    private readonly Dictionary<string, (SpoolFeed Feed, HashSet<long> Handed)> _feeds = new(StringComparer.Ordinal);

    public FanOutPropertyTests()
    {
        _writer = SpoolWriter.Open(_spool.Path);
        _writer.KeepsUnknownServers = true;
        _file = SpoolFile.OpenForWriting(_spool.Path, create: false);
    }

    public static IEnumerable<TheoryDataRow<int>> Runs => Enumerable.Range(1, 8).Select(run => new TheoryDataRow<int>(run));

    [Theory]
    [MemberData(nameof(Runs))]
    public void Rows_counters_waits_and_feeds_are_those_of_the_model(int run)
    {
        for (int step = 0; step < 40; step++)
        {
            string done = $"run {run}, step {step}: {Step()}";
            ReadFeeds();
            Compare(done);
        }

        Assert.DoesNotContain(SpoolCheck.Run(_spool.Path), finding => finding.Level == CheckLevel.Damaged);
    }

    public void Dispose()
    {
        foreach ((SpoolFeed feed, _) in _feeds.Values)
        {
            feed.Dispose();
        }

        _writer.Dispose();
        _file.Dispose();
        _spool.Dispose();
    }

    private string Step()
    {
        switch (Some.Number(1, 6))
        {
            case 1:
                return Configure();
            case 2 when _model.Servers.Count > 0:
                return Replay(Some.Of([.. _model.Servers.Keys]));
            case 3:
                return Settle("delivered");
            case 4:
                return Settle("cancelled");
            default:
                return Add();
        }
    }

    private string Add()
    {
        string? exchange = Some.Number(0, 3) == 0 ? null : Some.Of(Exchanges);
        string[]? targets = Some.Number(0, 2) == 0 ? Subset(Names) is { Length: > 0 } some ? some : ["mq1"] : null;
        _writer.Append(new OutgoingMessage { Exchange = exchange, Servers = targets });
        _model.Add(exchange, targets);
        return $"add for {exchange ?? "the server's"} at {(targets is null ? "all" : string.Join(' ', targets))}";
    }

    private string Configure()
    {
        var configured = Subset(Names).ToDictionary(name => name, _ => Some.Number(0, 1) == 0 ? [] : Subset(Exchanges), StringComparer.Ordinal);
        string[] fresh = [.. configured.Keys.Where(name => !_model.Servers.TryGetValue(name, out var known) || !known.Active)];
        _file.Write(connection => ServerRegistry.Register_NeedsTransaction(
            connection, [.. configured.Select(server => new ServerSettings { Name = server.Key, Hosts = [], Exchange = "own", Exchanges = server.Value })], fresh, now: 1));
        foreach (string name in fresh)
        {
            // Its forwarder begins at its oldest message.
            if (_feeds.Remove(name, out (SpoolFeed Feed, HashSet<long> Handed) before))
            {
                before.Feed.Dispose();
            }
        }

        int batches = 0;
        while (_file.Write(MessageAssignment.AssignSome_NeedsTransaction))
        {
            Assert.InRange(++batches, 1, 10);
        }

        _model.Configure(configured);
        return $"configure {string.Join(", ", configured.Select(server => $"{server.Key}({string.Join(' ', server.Value)})"))}";
    }

    private string Replay(string server)
    {
        foreach (long again in _spool.Query<long>($"SELECT message FROM delivery JOIN server ON id = server WHERE name = '{server}' AND state = 'delivered'"))
        {
            if (_feeds.TryGetValue(server, out (SpoolFeed Feed, HashSet<long> Handed) feed))
            {
                feed.Handed.Remove(again);
            }
        }

        using SpoolAdmin spool = SpoolAdmin.Open(_spool.Path);
        spool.Replay(server, since: null, until: null, dryRun: false);
        _model.Replay(server);
        return $"replay at {server}";
    }

    private string Settle(string state)
    {
        List<(int Message, string Server)> pending = [.. _model.Messages.SelectMany((message, index) => message.Rows.Where(row => row.Value is "pending").Select(row => (index, row.Key)))];
        if (pending.Count == 0)
        {
            return "nothing to settle";
        }

        (int message, string server) = Some.Of([.. pending]);
        _file.Write(connection => _settlements.Write_NeedsTransaction(
            connection, new SettlementBatch(IdOf(connection, server), "10.0.0.1:5672", [new Settlement(message + 1, state, At: 10)])));
        _model.Messages[message].Rows[server] = state;
        return $"{state} {message + 1} at {server}";
    }

    /// <summary>Each configured server's feed goes on as its forwarder does.</summary>
    private void ReadFeeds()
    {
        foreach (string name in _model.Servers.Where(server => server.Value.Active).Select(server => server.Key))
        {
            if (!_feeds.TryGetValue(name, out (SpoolFeed Feed, HashSet<long> Handed) feed))
            {
                feed = _feeds[name] = (new SpoolFeed(_spool.Path, _spool.Value<long>($"SELECT id FROM server WHERE name = '{name}'")), []);
            }

            FeedMarks marks = feed.Feed.ReadMarks()!;
            Assert.Equal(long.MaxValue, marks.Barrier);
            if (marks.Rewind is { } seq)
            {
                _file.Write(connection => connection.Execute("UPDATE server SET rewind = NULL WHERE name = $name", ("$name", name)));
                feed.Feed.GoBackBefore(seq);
            }

            feed.Handed.UnionWith(feed.Feed.Next(1_000, long.MaxValue, marks.Barrier, filter: null).Select(message => message.Seq));
        }
    }

    private void Compare(string done)
    {
        var rows = _model.Messages.SelectMany((message, index) => message.Rows.Select(row => $"{index + 1} {row.Key} {row.Value}")).Order(StringComparer.Ordinal).ToList();
        Assert.True(rows.SequenceEqual(_spool.Query<string>("SELECT message || ' ' || name || ' ' || state FROM delivery JOIN server ON id = server").Order(StringComparer.Ordinal)), done);
        long[] unassigned = [.. _model.Messages.Select((message, index) => (message, index)).Where(pair => pair.message.Rows.Count == 0).Select(pair => pair.index + 1L)];
        Assert.True(unassigned.SequenceEqual(_spool.Query<long>("SELECT message FROM unassigned ORDER BY message")), done);
        Assert.True(unassigned.Length == _spool.Value<long>("SELECT value FROM tally WHERE name = 'unassigned'"), done);
        foreach (string state in (string[])["pending", "delivered", "cancelled"])
        {
            string[] counters = [.. _model.Servers.Keys.Order(StringComparer.Ordinal).Select(name => $"{name} {_model.Messages.Count(message => message.Rows.GetValueOrDefault(name) is { } own && string.Equals(own, state, StringComparison.Ordinal))}")];
            Assert.True(counters.SequenceEqual(_spool.Query<string>($"SELECT name || ' ' || {state} FROM server").Order(StringComparer.Ordinal)), $"{done}: {state}");
        }

        foreach ((string name, (_, HashSet<long> handed)) in _feeds)
        {
            Assert.True(_model.Messages.Select((message, index) => (message, index)).All(pair => pair.message.Rows.GetValueOrDefault(name) is not "pending" || handed.Contains(pair.index + 1)
                || !_model.Servers[name].Active), $"{done}: the feed of {name}");
        }

        CompareWaits(done);
    }

    private void CompareWaits(string done)
    {
        using SpoolReader reader = SpoolReader.Open(_spool.Path);
        IReadOnlyList<string> ids = _spool.Query<string>("SELECT id FROM message ORDER BY seq");
        for (int i = 0; i < ids.Count; i++)
        {
            var expected = _model.ProgressOf(_model.Messages[i]) switch
            {
                FanOutModel.SettlementProgressWord.Never => SettlementProgress.Rejected,
                FanOutModel.SettlementProgressWord.Delivered => SettlementProgress.Delivered,
                _ => SettlementProgress.Pending,
            };
            Assert.True(expected == reader.ReadProgress([ids[i]]), $"{done}: the wait for {i + 1}");
        }
    }

    private static long IdOf(SqliteConnection connection, string server) => connection.ReadNumber("SELECT id FROM server WHERE name = $name", ("$name", server));

    private static string[] Subset(string[] all) => [.. all.Where(_ => Some.Number(0, 1) == 1)];
}
