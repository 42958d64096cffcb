using System.Text.Json;
using System.Text.Json.Nodes;

namespace Quickq.Testing;

/// <summary>The agent's configuration as a test needs it; anything can be added to <see cref="Root"/> before it is written.</summary>
public sealed class AgentConfiguration
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public AgentConfiguration(string spoolPath)
    {
        SpoolPath = spoolPath;
        FilePath = Path.Combine(Path.GetDirectoryName(spoolPath)!, "quickq.json");
        Root = new JsonObject
        {
            ["spool"] = new JsonObject { ["path"] = spoolPath },
            ["servers"] = new JsonObject(),
        };
    }

    public string SpoolPath { get; }

    public JsonObject Root { get; }

    /// <summary>Beside the spool, if nothing else is said; its folder must exist.</summary>
    public string FilePath { get; init; }

    /// <summary>Adds a server that is a node of the test.</summary>
    public AgentConfiguration WithServer(string name, RabbitNode node, string virtualHost, string exchange, Action<JsonObject>? adjust = null) =>
        WithServer(name, node.Host, node.Port, virtualHost, exchange, adjust);

    /// <summary>Adds a server by address; user and password are guest.</summary>
    public AgentConfiguration WithServer(string name, string host, int port, string virtualHost, string exchange, Action<JsonObject>? adjust = null)
    {
        var server = new JsonObject
        {
            ["host"] = host,
            ["port"] = port,
            ["vhost"] = virtualHost,
            ["user"] = "guest",
            ["password"] = "guest",
            ["exchange"] = exchange,
        };
        adjust?.Invoke(server);
        Root["servers"]!.AsObject()[name] = server;
        return this;
    }

    /// <summary>Writes it to <see cref="FilePath"/>, readable by its owner alone.</summary>
    public void Write()
    {
        WriteTo(FilePath);
        File.SetUnixFileMode(FilePath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    public void WriteTo(string path) => File.WriteAllText(path, Root.ToJsonString(Indented));
}
