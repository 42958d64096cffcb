using System.Globalization;

namespace Quickq.Testing;

/// <summary>An account that the system knows by its numbers only. Running as another account needs root.</summary>
/// <param name="Name">What a failure calls it.</param>
/// <param name="User">Its user, and its primary group.</param>
/// <param name="Groups">Its other groups.</param>
public sealed record TestAccount(string Name, int User, params IReadOnlyList<int> Groups)
{
    public static TestAccount Root { get; } = new("root", 0);

    /// <summary>Starts a program as this account, in an environment of its own.</summary>
    public ChildProcess Start(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null) => ChildProcess.Start(
        "setpriv",
        [
            // Changing the account takes the parent-death signal away, so it is set once more.
            $"--reuid={Number(User)}", $"--regid={Number(User)}", Groups.Count == 0 ? "--clear-groups" : $"--groups={string.Join(',', Groups.Select(Number))}",
            "--pdeathsig", "KILL", "--", program, .. arguments,
        ],
        environment);

    public override string ToString() => Name;

    private static string Number(int id) => id.ToString(CultureInfo.InvariantCulture);
}
