using Quickq.Testing;

namespace Quickq.Spool.Tests;

/// <summary>Which folders of the library use which, and that no circle leads from one to another and back.</summary>
public sealed class RoomsTests
{
    private const string Matrix =
        """
        (top): Append Files Service
        Append: Files Messages Schema Sql Storage Units Upkeep
        Files:
        Inspect: Files Messages Sql Storage Units
        Messages: Files
        Operate: Files Inspect Schema Sql Storage Units Upkeep
        Repair: Files Inspect Messages Schema Sql Storage Units
        Schema: Files Sql Units
        Service: Append Files Inspect Messages Units
        Sql: Files Units
        Ssec:
        Storage: Files Schema Sql Units
        Systemd: Files Units
        Units:
        Upkeep: Files Schema Sql Storage
        """;

    [Fact]
    public void Each_room_uses_those_that_it_is_meant_to() =>
        Assert.Equal(Matrix, string.Join('\n', RoomMatrix.Of(typeof(SpoolWriter).Assembly, Repository.Folder("spool"))));

    [Fact]
    public void No_circle_leads_from_room_to_room()
    {
        string[] lines = Matrix.Split('\n');

        Assert.Equal(lines.Length, RoomMatrix.Sort(lines).Count);
    }
}
