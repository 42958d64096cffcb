namespace Quickq.SpoolCli.Intake;

/// <summary>A line as it came in.</summary>
/// <param name="Number">Counted from 1, empty lines included.</param>
/// <param name="Content">Its bytes without the end.</param>
/// <param name="Ending"><c>\n</c>, <c>\r\n</c>, or nothing for the last line of an input that lacks it.</param>
internal readonly record struct TakenLine(long Number, ReadOnlyMemory<byte> Content, string Ending);
