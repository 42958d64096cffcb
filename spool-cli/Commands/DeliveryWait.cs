using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Output;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary>Waits until every server has the messages, one has ended otherwise, or the time is over; what <c>wait</c> and <c>add --wait</c> share.</summary>
internal sealed class DeliveryWait(StandardStreams streams)
{
    private const int MaxNamed = 5;

    /// <summary>Waits for messages of a spool of one's own.</summary>
    public ExitCode Run(string path, IReadOnlyList<string> ids, TimeSpan? timeout)
    {
        using var reader = SpoolReader.Open(path);
        var progress = reader.WaitForDelivery(ids, timeout, CancellationToken.None);
        return Report(progress, ids.Select(reader.ReadStatus), timeout);
    }

    /// <summary>Waits for messages of a spool that a service answers for.</summary>
    public ExitCode Run(SpoolClient client, IReadOnlyList<string> ids, TimeSpan? timeout)
    {
        var (progress, messages) = client.Wait(ids, timeout, CancellationToken.None);
        return Report(progress, messages, timeout);
    }

    private ExitCode Report(SettlementProgress progress, IEnumerable<MessageStatus?> messages, TimeSpan? timeout)
    {
        if (progress == SettlementProgress.Delivered)
        {
            return ExitCode.Done;
        }

        Explain(messages, progress);
        return progress == SettlementProgress.Rejected
            ? throw new CommandException(ExitCode.Rejected, "not every server will get it", "'quickq-spool show ID' says more")
            : throw new CommandException(ExitCode.TryLater, $"not delivered everywhere within {Duration.Format(timeout!.Value)}", "delivery goes on; wait again, or see 'quickq-spool status'");
    }

    /// <summary>Names what is missing: the first few rows, the rest as a number.</summary>
    private void Explain(IEnumerable<MessageStatus?> messages, SettlementProgress progress)
    {
        var named = 0;
        foreach (var status in messages.OfType<MessageStatus>())
        {
            foreach (var text in Missing(status.Deliveries, progress))
            {
                if (++named <= MaxNamed)
                {
                    streams.Error.WriteLine($"quickq-spool: {status.Id}: {text}");
                }
            }

            if (named > MaxNamed)
            {
                streams.Error.WriteLine("quickq-spool: and more");
                return;
            }
        }
    }

    private static IEnumerable<string> Missing(IReadOnlyList<DeliveryStatus> rows, SettlementProgress progress)
    {
        if (rows.Count == 0)
        {
            return ["no server is known yet"];
        }

        List<DeliveryStatus> missing = [.. rows.Where(row => IsMissing(row, progress))];

        // Nobody whom the agent knows waits for it: it is for servers that are no longer in its configuration.
        return (missing.Count > 0 || progress == SettlementProgress.Rejected ? missing : rows.Where(row => !row.ServerActive && row.State is not DeliveryState.Delivered)).Select(Describe);
    }

    private static bool IsMissing(DeliveryStatus row, SettlementProgress progress) => row.ServerActive && row.State switch
    {
        DeliveryState.Rejected or DeliveryState.Expired or DeliveryState.Cancelled => true,
        DeliveryState.Delivered => false,
        _ => progress == SettlementProgress.Pending,
    };

    private static string Describe(DeliveryStatus row) => $"{row.Server}{(row.ServerActive ? "" : " (not configured)")}: {row.State}{(row.Reason is null ? "" : $" ({row.Reason})")}";
}
