using System.CommandLine;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.CommandLine;

/// <summary>One verb of the program: what it accepts, what its help shows beyond that, and what runs it.</summary>
internal sealed record Verb(Command Syntax, string Details, Func<ParseResult, StandardStreams, ExitCode> Run);
