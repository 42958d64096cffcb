using Quickq.Spool;
using Quickq.Spool.Service;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Service;

/// <summary>Puts what went wrong into the words of the protocol.</summary>
internal static class Answers
{
    public static byte[] Error(SpoolException failure, int? index = null) =>
        Error(ErrorReport.CodeOf(failure.Fault), failure.Fault.ToString(), failure.Message, failure.Hint, index);

    public static byte[] Error(ProtocolException failure) => Error(ExitCode.WrongUse, "Protocol", failure.Message, "see docs/spool-protocol.md");

    public static byte[] Error(ExitCode code, string fault, string message, string? hint, int? index = null) => ProtocolContext.Encode(
        FrameKind.Error, new ErrorAnswer((int)code, fault, message, hint, index), ProtocolContext.Plain.ErrorAnswer);

    public static byte[] Added(AppendRequest request) => request.Refusal is { } refusal
        ? Error(refusal, request.Messages.Count > 1 ? request.RefusedIndex : null)
        : ProtocolContext.Encode(FrameKind.Answer, new AddAnswer(request.Ids, request.Stored), ProtocolContext.Plain.AddAnswer);

    /// <summary>A fault of the service itself: the exception is in its log.</summary>
    public static byte[] Internal() => Error(ExitCode.InputOutput, "Internal", "internal error of the spool service", "see its log");
}
