using Serilog.Events;

namespace Quickq.Agent.Observability;

/// <summary>Which of the agent's events one is: its number and its name. Events of libraries have number 0.</summary>
internal readonly record struct EventKind(int Id, string Name)
{
    public static EventKind Of(LogEvent logEvent)
    {
        // As Serilog.Extensions.Logging keeps the EventId of Microsoft's logging.
        if (logEvent.Properties.GetValueOrDefault("EventId") is not StructureValue kind)
        {
            return new EventKind(0, "");
        }

        var id = Member(kind, "Id") as int?;
        return new EventKind(id ?? 0, Member(kind, "Name") as string ?? "");
    }

    /// <summary>The server that the event is about, or null.</summary>
    public static string? ServerOf(LogEvent logEvent) => (logEvent.Properties.GetValueOrDefault(LogKey.Server) as ScalarValue)?.Value as string;

    private static object? Member(StructureValue kind, string name) =>
        (kind.Properties.FirstOrDefault(property => string.Equals(property.Name, name, StringComparison.Ordinal))?.Value as ScalarValue)?.Value;
}
