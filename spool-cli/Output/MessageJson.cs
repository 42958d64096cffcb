using System.Text.Json;
using System.Text.Unicode;
using Quickq.Spool;

namespace Quickq.SpoolCli.Output;

/// <summary><c>status ID --json</c> and <c>list --json</c>. Members may be added; none is renamed or removed.</summary>
/// <param name="Servers">The servers that its producer named; null for all.</param>
/// <param name="AddedBy">The uid that added it, or null.</param>
internal sealed record MessageJson(
    string Id, string? Exchange, string RoutingKey, string CreatedAt, string? ExpiresAt, IReadOnlyList<string>? Servers, uint? AddedBy,
    IReadOnlyList<DeliveryJson> Deliveries)
{
    public static MessageJson From(MessageStatus status) => new(
        status.Id, status.Exchange, status.RoutingKey, Time.Exact(status.CreatedAt), Time.Exact(status.ExpiresAt), status.Servers, status.AddedBy,
        [.. status.Deliveries.Select(DeliveryJson.From)]);
}

/// <summary>One of the member <c>deliveries</c>.</summary>
/// <param name="Active">Whether that server is still configured.</param>
internal sealed record DeliveryJson(
    string Server, bool Active, string State, int Attempts, string? NextAttemptAt, string? SettledAt, string? Endpoint, string? Reason)
{
    public static DeliveryJson From(DeliveryStatus delivery) => new(
        delivery.Server, delivery.ServerActive, delivery.State, delivery.Attempts, Time.Exact(delivery.NextAttemptAt), Time.Exact(delivery.SettledAt),
        delivery.Endpoint, delivery.Reason);
}

/// <summary><c>show ID --json</c>: the object of <c>status ID</c>, and the message itself.</summary>
/// <param name="Properties">The properties as the spool keeps them.</param>
/// <param name="BodyBytes">The length of the body.</param>
/// <param name="Body">The body where it is UTF-8 text, else null.</param>
/// <param name="BodyBase64">The body where it is not, else null.</param>
/// <param name="PropertiesFault">Why the properties cannot be read; null when they can. They are the stored text then.</param>
internal sealed record StoredMessageJson(
    string Id, string? Exchange, string RoutingKey, string CreatedAt, string? ExpiresAt, IReadOnlyList<string>? Servers, uint? AddedBy,
    IReadOnlyList<DeliveryJson> Deliveries, JsonElement Properties, int BodyBytes, string? Body, string? BodyBase64, string? PropertiesFault)
{
    public static StoredMessageJson From(StoredMessage message)
    {
        var status = MessageJson.From(message.Status);
        var isText = Utf8.IsValid(message.Body);
        var properties = message.UnreadableProperties is { } unreadable
            ? JsonSerializer.SerializeToElement(unreadable, ContractContext.Plain.String)
            : JsonElement.Parse(message.Properties.ToJson());
        return new StoredMessageJson(
            status.Id, status.Exchange, status.RoutingKey, status.CreatedAt, status.ExpiresAt, status.Servers, status.AddedBy, status.Deliveries,
            properties, message.Body.Length,
            isText ? System.Text.Encoding.UTF8.GetString(message.Body) : null,
            isText ? null : Convert.ToBase64String(message.Body),
            message.PropertiesFault);
    }
}
