using System.Text.Json.Serialization;
using Quickq.Spool;
using Quickq.SpoolCli.Output;

namespace Quickq.SpoolCli.Service;

/// <summary>The answer to <c>s</c>: null for an id that is unknown.</summary>
internal sealed record MessagesAnswer(IReadOnlyList<MessageJson?> Messages);

/// <summary>The answer to <c>w</c>.</summary>
internal sealed record WaitAnswer(string Outcome, IReadOnlyList<MessageJson?> Messages);

/// <summary>The answer to <c>c</c>.</summary>
internal sealed record ConnectionsAnswer(AgentJson Agent, IReadOnlyList<ConnectionJson> Servers)
{
    public static ConnectionsAnswer From(SpoolOverview overview) => new(
        AgentJson.From(overview),
        [.. overview.Servers.Select(server => new ConnectionJson(
            server.Name, server.Active, server.Connection, server.Endpoint, Time.Exact(server.Since), server.LastError, server.Hosts,
            [.. server.Suspensions.Select(SuspensionJson.From)]))]);
}

/// <summary>One of the member <c>servers</c>.</summary>
internal sealed record ConnectionJson(
    string Name, bool Active, string Connection, string? Endpoint, string? Since, string? LastError, IReadOnlyList<string> Hosts, IReadOnlyList<SuspensionJson> Suspensions);

/// <summary>The generated serializers of the answers that show the spool.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(MessagesAnswer))]
[JsonSerializable(typeof(WaitAnswer))]
[JsonSerializable(typeof(ConnectionsAnswer))]
internal sealed partial class AnswerContext : JsonSerializerContext
{
    /// <summary>With texts as they are.</summary>
    public static AnswerContext Plain { get; } = new(Json.PlainOptions());
}
