using System.Globalization;
using Microsoft.Data.Sqlite;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Ledger;
using Quickq.Agent.Timing;
using Quickq.Agent.Upkeep;
using Quickq.Bench.Contestants;
using Quickq.Spool;
using Quickq.Spool.Upkeep;
using Quickq.Testing;

namespace Quickq.Bench.Comparisons;

/// <summary>For how long each kind of step of the agent's and of an operator's holds the write lock over a large spool, and what a producer waits meanwhile.</summary>
internal static class HoldsComparison
{
    private const int LargePart = 500, Kilobyte = 1_000, Megabyte = 1_000_000, Huge = 16 << 20, HugeCount = 8;
    private const double Goal = 20;

    public static Task<Report> RunAsync(BenchOptions options)
    {
        int small = options.Messages ?? 100_000, large = Math.Max(1, small / LargePart);
        var steps = new Dictionary<string, HoldTimes>(StringComparer.Ordinal);
        Agent(steps, small, large);
        Operator(steps, small, large);
        AgentWithHuge(steps);
        return Task.FromResult(new Report(
            [$"{Report.Number(small)} x 1 kB, {Report.Number(large)} x 1 MB", "steps", "first ms", "median ms", "p99 ms", "longest ms", "an append meanwhile, p99 ms", "longest ms"],
            [.. steps.Select(step => step.Value.ToRow(step.Key))],
            "The first step of a kind is apart: .NET compiles its code while it holds the lock, once in the life of the agent.",
            Report.Goal("p99 of the worst kind of step, ms", steps.Values.Max(step => step.At(0.99)), Goal, atLeast: false, decimals: 1),
            Report.Goal("The longest of all steps, ms", steps.Values.Max(step => step.At(1)), Goal, atLeast: false, decimals: 1)));
    }

    /// <summary>What the agent does, in the way of its ledger: synced once a second.</summary>
    private static void Agent(Dictionary<string, HoldTimes> steps, int small, int large)
    {
        using TempSpool spool = Fill((small, Kilobyte), (large, Megabyte));
        using var file = SpoolFile.OpenForWriting(spool.Path, create: false, durable: false);
        using var producer = new SteadyAppends(spool.Path, new byte[Kilobyte]);
        var scene = new Scene(file, producer, steps) { Limit = new CheckpointLimit() };

        int expired = small / 10;
        spool.Execute(string.Create(CultureInfo.InvariantCulture, $"UPDATE message SET expires_at = 1 WHERE seq <= {expired}"));
        scene.Begin();
        foreach (long[] chunk in Numbers(1, expired).Chunk(ExpiredMessages.StepSize))
        {
            scene.Step("expiry", connection => ExpiredMessages.Expire_NeedsTransaction(connection, chunk, now: 2));
        }

        var writer = new SettlementWriter(RetrySchedule.ForRefusals(() => 0));
        foreach ((int from, int count, int batch) in new[] { (expired + 1, small / 2, 256), (expired + 1 + (small / 2), small + large - expired - (small / 2), 1000) })
        {
            foreach (long[] chunk in Numbers(from, count).Chunk(batch))
            {
                var settled = new SettlementBatch(1, "127.0.0.1:5672", [.. chunk.Select(seq => new Settlement(seq, DeliveryState.Delivered, At: 1))]);
                scene.Step($"settlement of {Report.Number(batch)}", connection => writer.Write_NeedsTransaction(connection, settled));
            }
        }

        scene.Reap("reaper", small + large);
        scene.GiveBack("incremental vacuum");
    }

    /// <summary><c>purge</c>: each step is synced.</summary>
    private static void Operator(Dictionary<string, HoldTimes> steps, int small, int large)
    {
        using TempSpool spool = Fill((small, Kilobyte), (large, Megabyte));
        Settle(spool);
        using var file = SpoolFile.OpenForWriting(spool.Path, create: false);
        using var producer = new SteadyAppends(spool.Path, new byte[Kilobyte]);
        var scene = new Scene(file, producer, steps);
        scene.Begin();
        scene.Reap("purge", small + large);
        scene.GiveBack("purge, incremental vacuum");
    }

    private static void AgentWithHuge(Dictionary<string, HoldTimes> steps)
    {
        using TempSpool spool = Fill((HugeCount, Huge));
        Settle(spool);
        using var file = SpoolFile.OpenForWriting(spool.Path, create: false, durable: false);
        using var producer = new SteadyAppends(spool.Path, new byte[Kilobyte]);
        var scene = new Scene(file, producer, steps) { Limit = new CheckpointLimit() };
        scene.Begin();
        scene.Reap("reaper, messages of 16 MiB", HugeCount);
        scene.GiveBack("incremental vacuum after messages of 16 MiB");
    }

    private static TempSpool Fill(params (int Count, int Bytes)[] kinds)
    {
        var spool = new TempSpool();
        using (SpoolWriter writer = SpoolWriter.Open(spool.Path))
        {
            spool.Execute("INSERT INTO server (name) VALUES ('mq1')");
        }

        foreach ((int count, int bytes) in kinds)
        {
            byte[] body = new byte[bytes];
            int atOnce = Math.Max(1, Megabyte * 16 / bytes);
            for (int done = 0; done < count; done += atOnce)
            {
                using SpoolWriter writer = SpoolWriter.Open(spool.Path);
                writer.AppendMany([.. Enumerable.Repeat(AgentDrain.Message(body), Math.Min(atOnce, count - done))]);
            }
        }

        return spool;
    }

    private static void Settle(TempSpool spool) => spool.Execute("UPDATE delivery SET state = 'delivered', settled_at = 1; UPDATE server SET delivered = pending, pending = 0");

    private static IEnumerable<long> Numbers(int from, int count) => Enumerable.Range(from, count).Select(number => (long)number);

    /// <summary>One spool, its writer, and a producer beside it.</summary>
    private sealed class Scene(SpoolFile file, SteadyAppends producer, Dictionary<string, HoldTimes> steps)
    {
        /// <summary>The agent's own; an operator's program has only the one of the file.</summary>
        public CheckpointLimit? Limit { get; init; }

        /// <summary>Whatever made the scene is in the file, not in the log.</summary>
        public void Begin() => file.UnderLock(Checkpointer.Run_NeedsLock);

        public T Step<T>(string name, Func<SqliteConnection, T> work)
        {
            producer.Take();
            T done = file.Write(work);
            Note(name);
            if (Checkpointer.RunIfNeeded(file, onlyWithoutAgent: false, Limit?.Bytes ?? SpoolAdmin.LogBytes))
            {
                Note(Limit is null ? "checkpoint by an operator's program" : "checkpoint");
                Limit?.Note(file.LastHold);
            }

            return done;
        }

        public void Reap(string name, long last)
        {
            for (ReapPage page = Find(0); page.Messages.Count > 0; page = Find(page.Next))
            {
                IReadOnlyList<long> messages = [.. page.Messages.Where(message => message <= last)];
                while (messages.Count > 0)
                {
                    ReapStep step = Step(name, connection => SettledMessageReaper.Remove_NeedsTransaction(connection, messages));
                    messages = [.. messages.Skip(step.Done)];
                    Rest();
                }
            }

            ReapPage Find(long after) => file.Read(connection => SettledMessageReaper.FindSome(connection, after, settledBefore: long.MaxValue));
        }

        public void GiveBack(string name)
        {
            while (Step(name, SettledMessageReaper.GiveBackSomePages_NeedsTransaction) > 0)
            {
                Rest();
            }
        }

        /// <summary>The agent leaves the lock to the others for as long as it held it, at least.</summary>
        private void Rest() => Task.Delay(file.LastHold, TimeProvider.System).GetAwaiter().GetResult();

        private void Note(string name)
        {
            if (!steps.TryGetValue(name, out HoldTimes? times))
            {
                steps.Add(name, times = new HoldTimes());
            }

            times.Add(file.LastHold, producer.Take());
        }
    }

    /// <summary>How long the steps of one kind held the lock, and what an append took beside them.</summary>
    private sealed class HoldTimes
    {
        private readonly List<double> _held = [], _waited = [];
        private double? _first;

        public void Add(TimeSpan held, List<double> waited)
        {
            _waited.AddRange(waited);
            if (_first is null)
            {
                _first = held.TotalMilliseconds;
                return;
            }

            _held.Add(held.TotalMilliseconds);
        }

        public double At(double part) => _held.Count == 0 ? 0 : At(_held, part);

        public string[] ToRow(string name) =>
            [name, Report.Number(_held.Count + 1), Report.Number(_first ?? 0, 1), Text(_held, 0.5), Text(_held, 0.99), Text(_held, 1), Text(_waited, 0.99), Text(_waited, 1)];

        private static string Text(List<double> values, double part) => values.Count == 0 ? "-" : Report.Number(At(values, part), 1);

        private static double At(List<double> values, double part) => values.Order().ElementAt(Math.Min(values.Count - 1, (int)(part * values.Count)));
    }
}
