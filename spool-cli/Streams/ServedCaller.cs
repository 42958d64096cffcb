namespace Quickq.SpoolCli.Streams;

/// <summary>Whom the spool service runs this program for, as the service tells its child by the environment.</summary>
/// <param name="Name">Who asks, for records.</param>
/// <param name="Terminals">A digit for each of the caller's streams 0, 1 and 2: <c>1</c> for a terminal.</param>
/// <param name="FileName">The name of a file that the caller has opened: what is written to <see cref="FileStream"/> goes into it. Empty: there is none.</param>
internal sealed record ServedCaller(string Name, string Terminals, string FileName)
{
    public const string CallerVariable = "QUICKQ_CALLER", TerminalsVariable = "QUICKQ_TERMINALS", FileVariable = "QUICKQ_CALLER_FILE";

    /// <summary>The descriptor of the caller's file.</summary>
    public const int FileStream = 3;

    /// <summary>Null when nobody but the user of this process asks.</summary>
    public static ServedCaller? OfProcess() => Environment.GetEnvironmentVariable(CallerVariable) is { Length: > 0 } caller
        ? new ServedCaller(caller, Environment.GetEnvironmentVariable(TerminalsVariable) ?? "", Environment.GetEnvironmentVariable(FileVariable) ?? "")
        : null;

    public bool IsTerminal(int stream) => stream < Terminals.Length && Terminals[stream] is '1';
}
