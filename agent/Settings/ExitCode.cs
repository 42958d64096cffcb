using Quickq.Spool;

namespace Quickq.Agent.Settings;

/// <summary>The exit codes of quickq-agent, with the numbers of sysexits.h.</summary>
internal static class ExitCode
{
    /// <summary>Stopped as asked.</summary>
    public const int Done = 0;

    /// <summary>The command line is wrong.</summary>
    public const int Usage = 64;

    /// <summary>A bug ended it; started anew it goes on from the spool.</summary>
    public const int Fault = 70;

    /// <summary>Another agent has the spool, or something else that passes.</summary>
    public const int TryLater = 75;

    /// <summary>This user may not read the configuration, or not use the spool.</summary>
    public const int NoPermission = 77;

    /// <summary>The configuration is missing or wrong, or the spool is of a newer format.</summary>
    public const int Configuration = 78;

    /// <summary>What a refusal of the spool at start means for whoever started the agent.</summary>
    public static int Of(SpoolFault fault) => fault switch
    {
        SpoolFault.NotASpool => 65,
        SpoolFault.NotFound => 66,
        SpoolFault.CannotCreate => 73,
        SpoolFault.PermissionDenied => NoPermission,
        SpoolFault.NewerFormat or SpoolFault.UnsuitableFileSystem => Configuration,
        SpoolFault.Busy or SpoolFault.Full => TryLater,
        _ => 74,
    };
}
