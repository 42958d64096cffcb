using Quickq.Spool;

namespace Quickq.SpoolCli.CommandLine;

/// <summary>A spool that its service answers for.</summary>
/// <param name="Location">Where.</param>
/// <param name="RunThere">Lets the service run the command that was typed, as its owner.</param>
internal sealed record ServedSpool(SpoolLocation Location, Func<ExitCode> RunThere);
