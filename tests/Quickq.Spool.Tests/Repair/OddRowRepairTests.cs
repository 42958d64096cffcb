using Quickq.Testing;

namespace Quickq.Spool.Tests.Repair;

/// <summary>Rows that other programs wrote, in storage classes that Quickq never uses: whatever the agent delivers, a repair keeps.</summary>
public sealed class OddRowRepairTests : IDisposable
{
    private readonly TempSpool _spool = new();

    public OddRowRepairTests()
    {
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        _spool.Execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2')");
        writer.Append(new OutgoingMessage { Id = "plain" });
    }

    public void Dispose() => _spool.Dispose();

    [Theory]
    [InlineData("body", "42")]
    [InlineData("body", "1.5")]
    [InlineData("body", "'text'")]
    [InlineData("routing_key, body", "x'612e62', 'b'")]
    [InlineData("routing_key, body", "x'ff', 'b'")]
    [InlineData("exchange, body", "x'ff', 'b'")]
    [InlineData("routing_key, exchange, body", "CAST(x'ff41' AS TEXT), CAST(x'410042' AS TEXT), CAST(x'ff' AS TEXT)")]
    [InlineData("properties, body", "x'7b7d', 'b'")]
    [InlineData("properties, body", "'not JSON', 'b'")]
    [InlineData("properties, body", "'{\"headers\":{\"a\":1e999}}', 'b'")]
    [InlineData("expires_at, body", "'tomorrow', 'b'")]
    [InlineData("expires_at, body", "1.5e300, 'b'")]
    [InlineData("expires_at, body", "9223372036854775807, 'b'")]
    [InlineData("expires_at, body", "x'00', 'b'")]
    [InlineData("created_at, body", "'2026-01-01', 'b'")]
    [InlineData("created_at, body", "-9223372036854775808, 'b'")]
    [InlineData("id, body", "x'6d31', 'b'")]
    public void It_comes_over_as_it_is(string columns, string values)
    {
        _spool.Execute($"INSERT INTO message ({columns}) VALUES ({values})");
        const string every = "SELECT quote(seq) || quote(id) || quote(exchange) || quote(routing_key) || quote(properties) || quote(expires_at) || quote(created_at) || quote(body) FROM message ORDER BY seq";
        IReadOnlyList<string> before = _spool.Query<string>(every);
        _spool.Execute("UPDATE server SET held = 99");

        RepairReport report = SpoolRepair.Run(_spool.Path)!;

        Assert.Equal((2L, 0L, true), (report.MessagesSaved, report.MessagesLost, report.LostIsExact));
        Assert.Equal(before, _spool.Query<string>(every));
        Assert.Equal(4, _spool.Value<int>("SELECT count(*) FROM delivery"));
        AssertSound();
    }

    [Theory]
    [InlineData("attempts = 'many'")]
    [InlineData("attempts = 1e300, next_attempt_at = 'soon'")]
    [InlineData("reason = x'ff', endpoint = x'00'")]
    [InlineData("settled_at = 1.5")]
    public void What_became_of_it_comes_over_as_it_is(string change)
    {
        _spool.Execute($"UPDATE delivery SET state = 'rejected', {change}; UPDATE server SET pending = 0, rejected = 1");
        const string every = "SELECT quote(message) || quote(server) || quote(state) || quote(attempts) || quote(next_attempt_at) || quote(settled_at) || quote(endpoint) || quote(reason) FROM delivery";
        IReadOnlyList<string> before = _spool.Query<string>(every);
        _spool.Execute("UPDATE server SET held = 99");

        RepairReport report = SpoolRepair.Run(_spool.Path)!;

        Assert.Equal((1L, 0L, 2L, 0L), (report.MessagesSaved, report.MessagesLost, report.DeliveriesSaved, report.DeliveriesReset));
        Assert.Equal(before, _spool.Query<string>(every));
        AssertSound();
    }

    /// <summary>What must be a number and is none is damage: the check says so, with the way out, and the repair leaves none.</summary>
    [Theory]
    [InlineData("UPDATE tally SET value = 'many' WHERE name = 'removed'")]
    [InlineData("UPDATE tally SET value = 'many' WHERE name = 'unassigned'")]
    [InlineData("UPDATE tally SET value = x'ff' WHERE name = 'removed'")]
    [InlineData("UPDATE tally SET value = 1.5e300 WHERE name = 'removed'")]
    [InlineData("INSERT INTO tally VALUES ('repairedAt', 'yesterday')")]
    [InlineData("UPDATE server SET pending = 'many'")]
    [InlineData("UPDATE server SET delivered = 'many' WHERE name = 'mq1'")]
    [InlineData("UPDATE server SET unrouted = x'00' WHERE name = 'mq1'")]
    [InlineData("UPDATE server SET rewind = 'back' WHERE name = 'mq1'")]
    [InlineData("UPDATE server SET name = x'ff' WHERE name = 'mq1'")]
    [InlineData("UPDATE setting SET value = 'ten' WHERE name = 'maxSize'")]
    [InlineData("UPDATE setting SET value = x'00' WHERE name = 'maxSize'")]
    public void A_counter_or_a_setting_that_is_no_number_is_damage_and_is_repaired(string change)
    {
        _spool.Execute(change);
        using (SpoolReader reader = SpoolReader.Open(_spool.Path))
        {
            try
            {
                reader.ReadOverview();
            }
            catch (SpoolException told) when (told.Fault == SpoolFault.Damaged)
            {
                Assert.Contains("quickq-spool check --repair", told.Hint, StringComparison.Ordinal);
            }
        }

        Assert.Contains(SpoolCheck.Run(_spool.Path), finding => finding.Level == CheckLevel.Damaged);
        RepairReport report = SpoolRepair.Run(_spool.Path)!;

        Assert.Equal((1L, 0L, 2L), (report.MessagesSaved, report.MessagesLost, report.DeliveriesSaved + report.DeliveriesReset));
        AssertSound();
    }

    [Fact]
    public void Numbers_that_the_agent_never_comes_to_are_given_anew()
    {
        _spool.Execute("INSERT INTO message (seq, id, body) VALUES (-5, 'below', 'b')");
        _spool.Execute("INSERT INTO message (seq, id, body) VALUES (9223372036854775807, 'last', 'b')");

        RepairReport report = SpoolRepair.Run(_spool.Path)!;

        Assert.Equal((3L, 0L), (report.MessagesSaved, report.MessagesLost));
        Assert.Equal(["plain", "below", "last"], _spool.Query<string>("SELECT id FROM message ORDER BY seq"));
        Assert.Equal(1, _spool.Value<long>("SELECT seq FROM message WHERE id = 'plain'"));
        Assert.Equal(["pending 6"], _spool.Query<string>("SELECT state || ' ' || count(*) FROM delivery GROUP BY state"));
        using SpoolWriter writer = SpoolWriter.Open(_spool.Path);
        writer.Append(new OutgoingMessage { Id = "next" });
        AssertSound();
    }

    private void AssertSound() => Assert.DoesNotContain(SpoolCheck.Run(_spool.Path), finding => finding.Level == CheckLevel.Damaged);
}
