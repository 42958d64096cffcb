namespace Quickq.Spool.Service;

/// <summary>The service answered with an error.</summary>
internal sealed class ServiceRefusedException : Exception
{
    private const int InputOutputCode = 74;
    private const string Unreadable = "the spool service sent an error that cannot be read";

    private ServiceRefusedException(int code, SpoolFault? fault, string message, string? hint, bool isOfConnection)
        : base(message)
    {
        Code = code;
        Fault = fault ?? FaultOf(code);
        Hint = hint;
        IsOfConnection = isOfConnection;
    }

    /// <summary>The exit code of <c>quickq-spool</c> for it, from 1 to 255.</summary>
    public int Code { get; }

    public SpoolFault Fault { get; }

    public string? Hint { get; }

    /// <summary>The connection was refused: the request has not been read.</summary>
    public bool IsOfConnection { get; }

    /// <summary>Reads an error frame; one that cannot be read is an input/output error.</summary>
    public static ServiceRefusedException Read(ReadOnlySpan<byte> payload, bool isOfConnection)
    {
        try
        {
            ErrorAnswer error = ProtocolContext.Read(payload, ProtocolContext.Default.ErrorAnswer);
            return new ServiceRefusedException(
                error.Code is > 0 and <= byte.MaxValue ? error.Code : InputOutputCode,
                Enum.TryParse(error.Fault, out SpoolFault known) ? known : null, error.Message ?? Unreadable, error.Hint, isOfConnection);
        }
        catch (ProtocolException)
        {
            return new ServiceRefusedException(InputOutputCode, SpoolFault.InputOutput, Unreadable, hint: null, isOfConnection);
        }
    }

    /// <summary>The service is of a version that does not know what is asked of it; nothing was sent.</summary>
    public static ServiceRefusedException TooOld() => new(
        78, SpoolFault.NewerFormat, "the spool service is older than this program: it would send a message for some servers to all; nothing was stored",
        "restart it: systemctl restart quickq-spool.service", isOfConnection: false);

    /// <summary>The same as the library's own exception.</summary>
    public SpoolException ToSpoolException(SpoolLocation service) => new(Fault, service.Name, Message, Hint, this);

    /// <summary>For a fault that this version does not know: the exit codes are fewer, and stay.</summary>
    private static SpoolFault FaultOf(int code) => code switch
    {
        64 or 65 => SpoolFault.InvalidMessage,
        66 => SpoolFault.NotFound,
        73 => SpoolFault.CannotCreate,
        75 => SpoolFault.Busy,
        77 => SpoolFault.PermissionDenied,
        78 => SpoolFault.NewerFormat,
        _ => SpoolFault.InputOutput,
    };
}
