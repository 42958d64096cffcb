namespace Quickq.SpoolCli.Streams;

/// <summary>Nobody reads any more what this program writes.</summary>
internal sealed class BrokenPipeException(string name) : IOException($"{name}: the reader has closed the pipe");
