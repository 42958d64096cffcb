using System.Text.Json;
using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>Conversations of each version of the protocol, byte for byte as a client had them: every later service answers them so. Never change a recording; add another.</summary>
public sealed class RecordedConversationTests : IDisposable
{
    private readonly TempSpool _spool = new();

    public static TheoryData<string> Names =>
        [.. Directory.EnumerateFiles(Folder, "*.json", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(Folder, path)).Where(path => path.StartsWith("protocol-", StringComparison.Ordinal))];

    private static string Folder => Path.Combine(AppContext.BaseDirectory, "vectors");

    public void Dispose() => _spool.Dispose();

    [Theory(Timeout = 120_000)]
    [MemberData(nameof(Names))]
    public async Task A_recorded_conversation_is_answered_as_it_was(string name)
    {
        using var service = await ServeProcess.StartAsync(_spool);
        using var client = service.Connect(greet: false);
        foreach (var step in JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Folder, name))).RootElement.EnumerateArray())
        {
            if (step.TryGetProperty("send", out var bytes))
            {
                client.SendBytes(Convert.FromHexString(bytes.GetString()!));
            }
            else if (step.TryGetProperty("receive", out var kind))
            {
                var (answered, payload) = client.Read();
                Assert.Equal(kind.GetString(), answered.ToString());
                if (step.TryGetProperty("json", out var recorded))
                {
                    AssertHas(recorded, JsonDocument.Parse(payload).RootElement, name);
                }
            }
            else
            {
                Assert.True(client.IsAtEnd());
            }
        }
    }

    /// <summary>All that was recorded is there, "*" standing for anything; members may have been added.</summary>
    private static void AssertHas(JsonElement recorded, JsonElement answer, string where)
    {
        switch (recorded.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in recorded.EnumerateObject())
                {
                    Assert.True(answer.TryGetProperty(member.Name, out var value), $"{where}: no {member.Name} in {answer}");
                    AssertHas(member.Value, value, $"{where}.{member.Name}");
                }

                break;
            case JsonValueKind.Array:
                Assert.Equal(recorded.GetArrayLength(), answer.GetArrayLength());
                foreach (var (one, other) in recorded.EnumerateArray().Zip(answer.EnumerateArray()))
                {
                    AssertHas(one, other, where + "[]");
                }

                break;
            case JsonValueKind.String when recorded.ValueEquals("*"):
                break;
            default:
                Assert.Equal($"{where}: {recorded.GetRawText()}", $"{where}: {answer.GetRawText()}");
                break;
        }
    }
}
