using System.Text.Json.Nodes;
using Quickq.Spool;

namespace Quickq.Agent.Feed;

/// <summary>Which messages are handed out: what is passed by costs no reading of its body.</summary>
internal sealed record FeedFilter
{
    /// <summary>All messages for these exchanges are passed by.</summary>
    public IReadOnlyCollection<string> Exchanges { get; init; } = [];

    /// <summary>Messages for these exchanges with these routing keys are passed by.</summary>
    public IReadOnlyCollection<(string Exchange, string RoutingKey)> Keys { get; init; } = [];

    /// <summary>If set, only messages for this exchange are handed out.</summary>
    public string? OnlyExchange { get; init; }

    /// <summary>If set, only messages with this routing key are handed out.</summary>
    public string? OnlyKey { get; init; }

    /// <summary>As SQL takes it: a list of names.</summary>
    public string ExchangesAsJson() => Exchanges.ToJsonList();

    /// <summary>As SQL takes it: a list of pairs.</summary>
    public string KeysAsJson() => new JsonArray([.. Keys.Select(pair => new JsonArray(JsonValue.Create(pair.Exchange), JsonValue.Create(pair.RoutingKey)))]).ToJsonString();
}

/// <summary>Messages that were read aside from the feed's own position.</summary>
/// <param name="Messages">In order.</param>
/// <param name="UpTo">Everything up to here was looked at.</param>
/// <param name="IsAtEnd">Nothing pending is behind it.</param>
internal sealed record FeedStretch(IReadOnlyList<FeedMessage> Messages, long UpTo, bool IsAtEnd);
