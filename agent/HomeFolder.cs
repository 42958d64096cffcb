namespace Quickq.Agent;

/// <summary>The home folder of the account: the agent has none.</summary>
internal static class HomeFolder
{
    /// <summary>
    /// From now on this process looks into no home folder. The runtime trusts every authority whose certificate is below <c>$HOME/.dotnet</c>: whoever may write
    /// there would read the password of each broker.
    /// </summary>
    public static void Leave() => Environment.SetEnvironmentVariable("HOME", "/nonexistent");
}
