using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Bench.Comparisons;

/// <summary>What an append costs with ten servers: of format 1, where each message goes to all, against format 2 with and without exchanges for each server. In turns, synced.</summary>
/// <remarks>The insert of the writer of each format, on a connection with its settings: format 1 as commit 0394eef wrote it.</remarks>
internal static class FanOutComparison
{
    private const int Servers = 10, Batch = 100;
    private const double Goal = 1.1;

    private static readonly (string Name, int Format, string? Exchanges, string? Targets)[] Contestants =
    [
        ("format 1: to all", 1, null, null),
        ("format 2: to all", 2, null, null),
        ("format 2: each server takes two exchanges", 2, "satellite himawari", null),
        ("format 2: each message names three servers", 2, "satellite himawari", " mq1 mq4 mq9 "),
    ];

    public static Task<Report> RunAsync(BenchOptions options)
    {
        int rounds = options.Rounds ?? 5, messages = options.Messages ?? 20_000;
        var times = Contestants.ToDictionary(contestant => contestant.Name, _ => (Batched: new List<double>(), Single: new List<double>(), Cpu: new List<double>()), StringComparer.Ordinal);
        for (int round = 0; round < rounds; round++)
        {
            foreach ((string name, int format, string? exchanges, string? targets) in Contestants)
            {
                using TempSpool spool = Make(format, exchanges);
                (double batched, double cpu) = Run(spool, format, targets, messages, Batch);
                times[name].Batched.Add(batched);
                times[name].Cpu.Add(cpu);
                times[name].Single.Add(Run(spool, format, targets, messages / Batch, batch: 1).Elapsed);
            }
        }

        double Batched(int contestant) => Median(times[Contestants[contestant].Name].Batched);
        double Single(int contestant) => Median(times[Contestants[contestant].Name].Single);
        return Task.FromResult(new Report(
            [$"{Report.Number(messages)} x 1 kB, {Servers} servers, {rounds} rounds in turns", $"us a message, {Batch} in a commit", "processor us", "us, each in a commit of its own"],
            [.. times.Select(time => (string[])[time.Key, Report.Number(Median(time.Value.Batched), 1), Report.Number(Median(time.Value.Cpu), 1), Report.Number(Median(time.Value.Single), 1)])],
            Report.Goal("Format 2 with exchanges against format 1, 100 in a commit", Batched(2) / Batched(0), Goal, atLeast: false),
            Report.Goal("The same, each in a commit of its own", Single(2) / Single(0), Goal, atLeast: false)));
    }

    private static TempSpool Make(int format, string? exchanges)
    {
        var spool = new TempSpool();
        SpoolCreation.WriteDraft(spool.Path, format);
        for (int server = 1; server <= Servers; server++)
        {
            spool.Execute($"INSERT INTO server (id, name, exchange) VALUES ({server}, 'mq{server}', 'satellite')");
            foreach (string exchange in exchanges?.Split(' ') ?? [])
            {
                spool.Execute($"INSERT INTO server_exchange (server, exchange) VALUES ({server}, '{exchange}')");
            }
        }

        return spool;
    }

    /// <summary>Microseconds a message, by the clock and of the processor.</summary>
    private static (double Elapsed, double Processor) Run(TempSpool spool, int format, string? targets, int messages, int batch)
    {
        using SqliteConnection connection = SpoolConnection.Connect(spool.Path);
        SpoolConnection.Protect(connection, spool.Path);
        (string columns, string values) = format == 1 ? ("", "") : (", servers, added_by", ", $servers, $addedBy");
        string[] parameters = ["$id", "$exchange", "$routingKey", "$properties", "$expiresAt", "$createdAt", "$body", .. format == 1 ? (string[])[] : ["$servers", "$addedBy"]];
        using SqliteCommand insert = connection.Prepare(
            $"INSERT INTO message (id, exchange, routing_key, properties, expires_at, created_at, body{columns}) VALUES ($id, $exchange, $routingKey, $properties, $expiresAt, $createdAt, $body{values})",
            parameters);
        insert.Set("$exchange", "satellite").Set("$routingKey", "geo.goes.g16.abi.adde.realtime.ncdf.band.end").Set("$properties", "{\"contentType\":\"application/json\"}").Set("$createdAt", 1L);
        if (format > 1)
        {
            insert.Set("$servers", targets).Set("$addedBy", 1000L);
        }

        byte[] body = new byte[1000];
        TimeSpan processor = Environment.CpuUsage.TotalTime;
        long began = Stopwatch.GetTimestamp();
        for (int done = 0; done < messages; done += batch)
        {
            connection.Execute("BEGIN IMMEDIATE");
            for (int i = 0; i < batch; i++)
            {
                insert.Set("$id", Guid.CreateVersion7().ToString("D")).Set("$body", body).ExecuteNonQuery();
            }

            connection.Execute("COMMIT");
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(began);
        return (elapsed.TotalMicroseconds / messages, (Environment.CpuUsage.TotalTime - processor).TotalMicroseconds / messages);
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
