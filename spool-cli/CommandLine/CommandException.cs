namespace Quickq.SpoolCli.CommandLine;

/// <summary>A command cannot go on: the exit code, one clear line, and what to do about it.</summary>
internal sealed class CommandException : Exception
{
    public CommandException(ExitCode code, string message, string? hint = null)
        : base(message)
    {
        Code = code;
        Hint = hint;
    }

    public ExitCode Code { get; }

    /// <summary>What to do, or null where the message says it.</summary>
    public string? Hint { get; }

    public static CommandException WrongUse(string message, string? hint = null) => new(ExitCode.WrongUse, message, hint);

    public static CommandException BadData(string message, string? hint = null) => new(ExitCode.BadData, message, hint);

    public static CommandException NoInput(string message, string? hint = null) => new(ExitCode.NoInput, message, hint);
}
