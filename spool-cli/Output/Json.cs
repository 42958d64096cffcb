using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Quickq.SpoolCli.Output;

/// <summary>Writes the objects of the <c>--json</c> contract (docs/cli.md), one a line.</summary>
internal static class Json
{
    /// <summary>Escapes what JSON asks for and nothing more: the texts are data for programs, not parts of web pages.</summary>
    public static readonly JavaScriptEncoder PlainEncoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    /// <summary>For one context: it makes them its own.</summary>
    public static JsonSerializerOptions PlainOptions() => new() { Encoder = PlainEncoder, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    public static void WriteLine(TextWriter output, StatusJson status) => WriteLine(output, status, ContractContext.Plain.StatusJson);

    public static void WriteLine(TextWriter output, MessageJson message) => WriteLine(output, message, ContractContext.Plain.MessageJson);

    public static void WriteLine(TextWriter output, StoredMessageJson message) => WriteLine(output, message, ContractContext.Plain.StoredMessageJson);

    public static void WriteLine(TextWriter output, CheckJson check) => WriteLine(output, check, ContractContext.Plain.CheckJson);

    private static void WriteLine<T>(TextWriter output, T value, JsonTypeInfo<T> type)
    {
        output.Write(JsonSerializer.Serialize(value, type));
        output.Write('\n');
    }
}

/// <summary>The generated serializers: no reflection, so that they survive ahead-of-time compilation.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(StatusJson))]
[JsonSerializable(typeof(MessageJson))]
[JsonSerializable(typeof(StoredMessageJson))]
[JsonSerializable(typeof(CheckJson))]
[JsonSerializable(typeof(string))]
internal sealed partial class ContractContext : JsonSerializerContext
{
    /// <summary>With texts as they are: the generated default escapes all that is not ASCII.</summary>
    public static ContractContext Plain { get; } = new(Json.PlainOptions());
}
