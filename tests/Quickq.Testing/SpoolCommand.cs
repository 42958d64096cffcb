namespace Quickq.Testing;

/// <summary>Runs the real quickq-spool on one spool.</summary>
public sealed class SpoolCommand
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly string _spoolPath;

    public SpoolCommand(TempSpool spool)
        : this(spool.Path)
    {
    }

    public SpoolCommand(string spoolPath)
    {
        _spoolPath = spoolPath;
    }

    /// <summary>Runs it with the spool named by QUICKQ_SPOOL and nothing on standard input.</summary>
    public Task<CommandResult> RunAsync(params string[] arguments) => RunWithInputAsync(ReadOnlyMemory<byte>.Empty, arguments);

    /// <summary>Runs it with these bytes on standard input.</summary>
    public async Task<CommandResult> RunWithInputAsync(ReadOnlyMemory<byte> input, params string[] arguments)
    {
        using var child = Start(arguments);
        try
        {
            await child.Stdin.BaseStream.WriteAsync(input);
            child.Stdin.Close();
        }
        catch (IOException)
        {
            // It ended without reading all of its input, as it does when an argument is wrong: its exit code tells.
        }

        var code = await child.WaitForExitAsync(Limit);
        return new CommandResult(code, child.Stdout, child.Stderr);
    }

    /// <summary>Starts it and leaves it to the test: to feed it slowly, or to kill it.</summary>
    public ChildProcess Start(params string[] arguments) =>
        ChildProcess.Start(BuiltPrograms.SpoolCli, arguments, new Dictionary<string, string?>(StringComparer.Ordinal) { ["QUICKQ_SPOOL"] = _spoolPath });

    /// <summary>The status as text, for a failure report: a failure of the status itself becomes part of the text.</summary>
    internal static string Describe(string spoolPath)
    {
        try
        {
            var result = Task.Run(() => new SpoolCommand(spoolPath).RunAsync("status")).GetAwaiter().GetResult();
            return $"{result.Stdout}{result.Stderr}(exit {result.ExitCode})";
        }
        catch (Exception failure) when (failure is IOException or ConditionNotMetException or TimeoutException)
        {
            return $"not to be had: {failure.Message}";
        }
    }
}
