using Quickq.Testing.Network;

namespace Quickq.Disruption.Tests;

/// <summary>A network whose nodes nobody stops, and in it the scenes of <see cref="AliasTests"/>, which play from the beginning, beside the tests that cut its cables.</summary>
public sealed class CablesAndNames : IAsyncLifetime
{
    public CablesAndNames() => Scenes = new AliasScenes(Network);

    public OwnNetwork Network { get; } = new();

    public AliasScenes Scenes { get; }

    public async ValueTask InitializeAsync()
    {
        await Network.InitializeAsync();
        await Scenes.BeginAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Scenes.DisposeAsync();
        await Network.DisposeAsync();
    }
}
