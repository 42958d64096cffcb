using Quickq.Spool.Service;

namespace Quickq.SpoolCli.Service;

/// <summary>Which commands a peer may have run for it.</summary>
internal static class CommandRules
{
    private static readonly string[] Looks =
        ["add", "wait", "status", "list", "show", "export", "health", "history", "metrics", "check", "help", "--help", "-h", "--version"];

    /// <summary>The variables that are passed on to a command, and no others.</summary>
    public static readonly string[] PassedOn = ["COLUMNS", "TERM", "NO_COLOR"];

    /// <summary>Whether the command changes anything, so that only an admin may run it and it is logged.</summary>
    public static bool IsChange(IReadOnlyList<string> arguments) =>
        !Looks.Contains(arguments[0], StringComparer.Ordinal) || (arguments[0] is "check" && Options(arguments).Contains("--repair", StringComparer.Ordinal));

    /// <summary>Whether the command may wait for input without an end.</summary>
    public static bool ReadsInput(IReadOnlyList<string> arguments) => arguments[0] is "add" or "import";

    /// <summary>Whether its input may pause for hours, as that of <c>tail -F | add --lines</c> does.</summary>
    public static bool FollowsInput(IReadOnlyList<string> arguments) => arguments[0] is "add" && arguments.Contains("--lines", StringComparer.Ordinal);

    /// <summary>The answer to a command that is not run; null when it is.</summary>
    public static byte[]? Refusal(RunRequest request, PeerRights rights, string hint)
    {
        if (request.Arguments is not { Count: > 0 } arguments || arguments.Any(argument => argument is null || argument.Contains('\0', StringComparison.Ordinal)))
        {
            throw new ProtocolException("arguments must be an array of at least one string");
        }

        if (arguments[0] is "serve")
        {
            return Answers.Error(ExitCode.WrongUse, "Usage", "serve cannot be run through a service", "run it on the host, as the owner of the spool");
        }

        return rights != PeerRights.Admin && IsChange(arguments)
            ? Answers.Error(ExitCode.NoPermission, "PermissionDenied", $"permission denied: {(arguments[0] is "check" ? "check --repair" : arguments[0])} changes the spool, which only operators may", hint)
            : null;
    }

    /// <summary>The names of the options, without their values.</summary>
    private static IEnumerable<string> Options(IReadOnlyList<string> arguments) =>
        arguments.TakeWhile(argument => argument is not "--").Select(argument => argument.Split('=', 2)[0]);
}
