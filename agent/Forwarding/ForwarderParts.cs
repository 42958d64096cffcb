using Microsoft.Extensions.Logging;
using Quickq.Agent.Feed;
using Quickq.Agent.Ledger;
using Quickq.Agent.Observability;
using Quickq.Agent.Timing;
using Quickq.Agent.Upkeep;

namespace Quickq.Agent.Forwarding;

/// <summary>What a forwarder is given by the agent: the spool's path and its server's id there, the ledger, the signal, its pulse, clock, randomness and log.</summary>
internal sealed record ForwarderParts(
    string SpoolPath, long ServerId, DeliveryLedger Ledger, SpoolSignal Signal, LoopLiveness LoopLiveness, TimeProvider Clock, Func<double> Random, ILogger Log)
{
    /// <summary>What says whether a message's time is over; one for the whole agent.</summary>
    public required ExpiryClock Expiry { get; init; }

    /// <summary>The largest body that is read from the spool; a message with a larger one is rejected.</summary>
    public required Func<long> MaxBodyBytes { get; init; }
}
