using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Quickq.Spool.Service;

/// <summary>The payload of an <c>e</c> frame.</summary>
/// <param name="Code">The exit code of <c>quickq-spool</c> for it.</param>
/// <param name="Fault">One word for programs: a <see cref="SpoolFault"/>, or <c>Usage</c>, <c>Protocol</c>, <c>Rejected</c>, <c>WrongSpool</c>.</param>
/// <param name="Message">One line: what failed and why.</param>
/// <param name="Hint">What to do, or null.</param>
/// <param name="Index">Which message of an <c>add</c> was at fault; left out where none was.</param>
internal sealed record ErrorAnswer(
    int Code, string Fault, string Message, string? Hint, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] int? Index = null);

/// <summary>The payload of an <c>h</c> frame.</summary>
internal sealed record HelloRequest(int Protocol, string? Client = null, string? Spool = null);

/// <summary>The answer to <c>h</c>.</summary>
internal sealed record HelloAnswer(int Protocol, string Version, string Spool, string Rights);

/// <summary>The answer to <c>a</c>.</summary>
internal sealed record AddAnswer(IReadOnlyList<string> Ids, int Stored);

/// <summary>The payload of a <c>w</c> frame; <paramref name="Servers"/> is null, an array of names or the string <c>connected</c>.</summary>
internal sealed record WaitRequest(IReadOnlyList<string> Ids, JsonElement? Servers = null, double? Timeout = null);

/// <summary>The payload of an <c>s</c> frame.</summary>
internal sealed record StatusRequest(IReadOnlyList<string> Ids);

/// <summary>The payload of an <c>r</c> frame.</summary>
/// <param name="Arguments">The command line, the command's name first.</param>
/// <param name="Environment">Some of the client's variables.</param>
/// <param name="Terminals">Which of the client's streams 0, 1 and 2 are terminals.</param>
/// <param name="File">The name of a file that the client has opened for the command to write, only to be shown: the client takes the stream 3. Null: there is none.</param>
internal sealed record RunRequest(
    IReadOnlyList<string> Arguments,
    IReadOnlyDictionary<string, string>? Environment = null,
    IReadOnlyList<bool>? Terminals = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? File = null);

/// <summary>The answer to <c>r</c>.</summary>
internal sealed record RunAnswer([property: JsonRequired] int Code);

/// <summary>The generated serializers of the protocol: no reflection, texts as they are.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ErrorAnswer))]
[JsonSerializable(typeof(HelloRequest))]
[JsonSerializable(typeof(HelloAnswer))]
[JsonSerializable(typeof(AddAnswer))]
[JsonSerializable(typeof(WaitRequest))]
[JsonSerializable(typeof(StatusRequest))]
[JsonSerializable(typeof(RunRequest))]
[JsonSerializable(typeof(RunAnswer))]
internal sealed partial class ProtocolContext : JsonSerializerContext
{
    /// <summary>With texts as they are: the generated default escapes all that is not ASCII.</summary>
    public static ProtocolContext Plain { get; } = new(new JsonSerializerOptions
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
    });

    /// <summary>The version of the protocol that this program speaks.</summary>
    public const int Version = 2;

    /// <summary>The version from which on a message may name its servers: an older service would send it to all.</summary>
    public const int VersionWithServers = 2;

    /// <summary>Ids in one <c>s</c> or <c>w</c>.</summary>
    public const int MaxIds = 1_000;

    /// <summary>Characters of an id in <c>s</c> or <c>w</c>, and of a server's name.</summary>
    public const int MaxName = 255;

    /// <summary>Bytes of a request other than <c>a</c>: 2 MiB.</summary>
    public const int MaxRequest = 2 * 1024 * 1024;

    /// <summary>Ids and names of servers in the open waits of one account.</summary>
    public const int MaxAwaited = 20_000;

    /// <summary>Reads what the payload of a frame says.</summary>
    /// <exception cref="ProtocolException">It is no such JSON object.</exception>
    public static T Read<T>(ReadOnlySpan<byte> payload, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(payload, type) ?? throw new ProtocolException("invalid payload: must be a JSON object, not null");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new ProtocolException($"invalid payload: {exception.Message}", exception);
        }
    }

    /// <summary>A whole frame with this as its payload.</summary>
    public static byte[] Encode<T>(byte kind, T value, JsonTypeInfo<T> type) => Frame.Encode(kind, JsonSerializer.SerializeToUtf8Bytes(value, type));
}
