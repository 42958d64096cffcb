using Quickq.Agent.Broker;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Agent.Tests;

/// <summary>The boundaries between the rooms, made executable.</summary>
public sealed class ArchitectureTests
{
    private const string Matrix =
        """
        (top): Feed Forwarding Ledger Observability Settings Timing Upkeep
        Broker: Settings
        Feed:
        Forwarding: Broker Feed Ledger Observability Settings Timing
        Ledger: Feed Observability Settings Timing
        Observability: Feed
        Settings: Observability Timing
        Timing: Observability
        Upkeep: Feed Ledger Observability Settings Timing
        """;

    [Fact]
    public void Each_room_uses_those_that_it_is_meant_to() =>
        Assert.Equal(Matrix, string.Join('\n', RoomMatrix.Of(typeof(BrokerMessage).Assembly, Repository.Folder("agent"))));

    [Fact]
    public void No_circle_leads_from_room_to_room()
    {
        string[] lines = Matrix.Split('\n');

        Assert.Equal(lines.Length, RoomMatrix.Sort(lines).Count);
    }

    [Fact]
    public void Only_the_broker_room_names_the_RabbitMQ_client()
    {
        var agent = Repository.Folder("agent");
        var naming = Directory.EnumerateFiles(agent, "*.cs", SearchOption.AllDirectories)
            .Where(file => File.ReadAllText(file).Contains("RabbitMQ.Client", StringComparison.Ordinal))
            .Select(file => Path.GetRelativePath(agent, file).Split(Path.DirectorySeparatorChar)[0])
            .Distinct(StringComparer.Ordinal);

        Assert.Equal(["Broker"], naming);
    }

    [Fact]
    public void What_the_broker_room_shows_to_the_others_is_free_of_the_clients_types()
    {
        Type[] shown = [typeof(BrokerMessage), typeof(IConfirmListener), typeof(BrokerUnavailableException), typeof(UnsendableMessageException), typeof(BrokerDeadlines)];
        var foreign = shown.SelectMany(type => type.GetMembers()).Concat([.. typeof(BrokerConnection).GetMembers(), .. typeof(ConfirmedPublisher).GetMembers()])
            .Where(member => member.ToString()!.Contains("RabbitMQ", StringComparison.Ordinal));

        Assert.Empty(foreign);
    }

    [Fact]
    public void The_spool_knows_nothing_of_AMQP_of_Dapper_or_of_the_agent()
    {
        var references = typeof(MessageProperties).Assembly.GetReferencedAssemblies().Select(assembly => assembly.Name!);

        Assert.All(references, name => Assert.DoesNotMatch("(?i)rabbit|dapper|serilog|quickq", name));
    }
}
