using Quickq.Spool;

namespace Quickq.SpoolCli.CommandLine;

/// <summary>Turns whatever ended a command into one line for a person and a code for a script.</summary>
internal static class ErrorReport
{
    public static ExitCode Print(CommandException exception, TextWriter error) =>
        Print(exception.Code, exception.Message, exception.Hint, error);

    public static ExitCode Print(SpoolException exception, TextWriter error) =>
        Print(CodeOf(exception.Fault), exception.Message, exception.Hint, error);

    public static ExitCode Print(ExitCode code, string message, string? hint, TextWriter error)
    {
        try
        {
            // What was typed is quoted in messages.
            error.WriteLine(SafeText.OneLine($"quickq-spool: {message}{(string.IsNullOrEmpty(hint) ? "" : "; ")}{hint}"));
        }
        catch (IOException)
        {
            // Standard error is closed or full: the code must still get through.
        }

        return code;
    }

    public static ExitCode CodeOf(SpoolFault fault) => fault switch
    {
        SpoolFault.InvalidMessage or SpoolFault.IdConflict or SpoolFault.NotASpool => ExitCode.BadData,
        SpoolFault.NotFound or SpoolFault.UnknownServer => ExitCode.NoInput,
        SpoolFault.CannotCreate => ExitCode.CannotCreate,
        SpoolFault.Full or SpoolFault.Busy or SpoolFault.Unanswered => ExitCode.TryLater,
        SpoolFault.PermissionDenied => ExitCode.NoPermission,
        SpoolFault.NewerFormat or SpoolFault.UnsuitableFileSystem => ExitCode.Configuration,
        SpoolFault.InputOutput or SpoolFault.Damaged => ExitCode.InputOutput,
        _ => ExitCode.InputOutput,
    };
}
