using System.Globalization;

namespace Quickq.Bench;

/// <summary>What the command line asks for; what it leaves open is the comparison's own.</summary>
internal sealed record BenchOptions
{
    public const string Usage =
        """
        usage: tests/bench/run.sh [NAME...] [--rounds N] [--messages N] [--seconds N] [--only CONTESTANT]... [--python PATH]... [--last-release FOLDER] [--long] [--write]
          --rounds N      how often each contestant runs, in turns
          --messages N    how many messages in each run (for `scale`: the largest backlog; for `fleets`: agents)
          --seconds N     how long a run takes, where it goes by time
          --only TEXT     only contestants whose name contains TEXT
          --python PATH   an interpreter for `python`, `producers` and `crowd`, in place of Debian's
          --last-release FOLDER   a checkout of the last release, for `producers`
          --long          the long forms: 5 million in `scale` and `backlog`, the whole hour in `hour`
          --help          this
          --write         puts the tables into docs/performance.md too
        """;

    public IReadOnlyList<string> Names { get; private init; } = [];

    public IReadOnlyList<string> Only { get; private init; } = [];

    public IReadOnlyList<string> Pythons { get; private init; } = [];

    /// <summary>A checkout of the last release; its Python package is run beside this one's.</summary>
    public string? LastRelease { get; private init; }

    public int? Rounds { get; private init; }

    public int? Messages { get; private init; }

    public int? Seconds { get; private init; }

    public bool Long { get; private init; }

    public bool Write { get; private init; }

    public bool Help { get; private init; }

    /// <summary>The command as somebody else would type it.</summary>
    public string CommandLine { get; private init; } = "";

    /// <summary>Reads the command line; null when it is wrong.</summary>
    public static BenchOptions? Read(string[] args)
    {
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        string command = string.Join(' ', args.Where(arg => arg is not "--write")).Replace(home + "/", "~/", StringComparison.Ordinal);
        var options = new BenchOptions { CommandLine = "bash tests/bench/run.sh " + command };
        for (int i = 0; i < args.Length; i++)
        {
            if (args[i] is "--write" or "--long" or "--help")
            {
                options = options with { Write = options.Write || args[i] is "--write", Long = options.Long || args[i] is "--long", Help = options.Help || args[i] is "--help" };
            }
            else if (!args[i].StartsWith('-'))
            {
                options = options with { Names = [.. options.Names, args[i]] };
            }
            else if (++i == args.Length || options.With(args[i - 1], args[i]) is not { } more)
            {
                return null;
            }
            else
            {
                options = more;
            }
        }

        return options;
    }

    /// <summary>Whether a contestant takes part.</summary>
    public bool Wants(string contestant) => Only.Count == 0 || Only.Any(part => contestant.Contains(part, StringComparison.OrdinalIgnoreCase));

    private BenchOptions? With(string option, string value) => (option, int.TryParse(value, CultureInfo.InvariantCulture, out int number) && number > 0) switch
    {
        ("--only", _) => this with { Only = [.. Only, value] },
        ("--python", _) => this with { Pythons = [.. Pythons, value] },
        ("--last-release", _) => this with { LastRelease = value },
        ("--rounds", true) => this with { Rounds = number },
        ("--messages", true) => this with { Messages = number },
        ("--seconds", true) => this with { Seconds = number },
        _ => null,
    };
}
