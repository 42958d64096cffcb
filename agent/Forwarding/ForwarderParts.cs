using Microsoft.Extensions.Logging;
using Quickq.Agent.Feed;
using Quickq.Agent.Ledger;

namespace Quickq.Agent.Forwarding;

/// <summary>What a forwarder is given by the agent: the spool's path and its server's id there, the ledger, the signal, clock, randomness and log.</summary>
internal sealed record ForwarderParts(
    string SpoolPath, long ServerId, DeliveryLedger Ledger, SpoolSignal Signal, TimeProvider Clock, Func<double> Random, ILogger Log);
