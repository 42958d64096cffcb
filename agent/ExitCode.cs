namespace Quickq.Agent;

/// <summary>The exit codes of quickq-agent, with the numbers of sysexits.h.</summary>
internal static class ExitCode
{
    /// <summary>Stopped as asked.</summary>
    public const int Done = 0;

    /// <summary>The command line is wrong.</summary>
    public const int Usage = 64;

    /// <summary>Another agent has the spool, or something else that passes.</summary>
    public const int TryLater = 75;

    /// <summary>The configuration is wrong, or the spool is of a newer format.</summary>
    public const int Configuration = 78;
}
