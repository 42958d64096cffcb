using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Quickq.Testing;

/// <summary>A child that can be stopped, killed and frozen, whose output is captured, and that never outlives the test run.</summary>
public sealed partial class ChildProcess : IDisposable
{
    /// <summary>SIGHUP: for many programs, to read their files again.</summary>
    public const int HangUp = 1;

    private const int SigKill = 9;
    private const int SigTerm = 15;
    private const int SigCont = 18;
    private const int SigStop = 19;
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(30);
    private readonly Process _process;
    private readonly TextCapture _stdout;
    private readonly TextCapture _stderr;

    private ChildProcess(Process process)
    {
        _process = process;
        Pid = process.Id;
        _stdout = TextCapture.Of(process.StandardOutput);
        _stderr = TextCapture.Of(process.StandardError);
    }

    public int Pid { get; }

    public bool HasExited => _process.HasExited;

    /// <summary>The exit code; 128 + signal when a signal ended it.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>What it has written to standard output so far.</summary>
    public string Stdout => _stdout.Text;

    /// <summary>What it has written to standard error so far.</summary>
    public string Stderr => _stderr.Text;

    public StreamWriter Stdin => _process.StandardInput;

    public static ChildProcess Start(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var command = new ProcessStartInfo("setpriv")
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = TextCapture.Utf8,
        };
        foreach (var argument in new[] { "--pdeathsig", "KILL", "--", program }.Concat(arguments))
        {
            command.ArgumentList.Add(argument);
        }

        command.Environment.TryAdd("QUICKQ_PROGRAM", BuiltPrograms.SpoolCliPath);
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>(StringComparer.Ordinal))
        {
            command.Environment[name] = value;
        }

        return new ChildProcess(ChildStarter.Start(command));
    }

    /// <summary>SIGKILL, and waits until the kernel has ended it.</summary>
    public void Kill()
    {
        Signal(SigKill);
        _process.WaitForExit();
    }

    /// <summary>Feeds it this text, and waits until it ended.</summary>
    public async Task<CommandResult> EndAsync(string input, TimeSpan limit)
    {
        try
        {
            await Stdin.WriteAsync(input);
            Stdin.Close();
        }
        catch (IOException)
        {
            // It ended without reading all of its input: its exit code tells.
        }

        return new CommandResult(await WaitForExitAsync(limit), Stdout, Stderr);
    }

    /// <summary>SIGTERM, and waits for its end; gives the exit code.</summary>
    public Task<int> StopAsync(TimeSpan limit)
    {
        Signal(SigTerm);
        return WaitForExitAsync(limit);
    }

    /// <summary>
    /// SIGSTOP, and waits until each of its threads has stopped; until then one could still answer, or take the lock that it waits for.
    /// From then on it keeps its sockets and locks, and does nothing.
    /// </summary>
    public Task PauseAsync()
    {
        Signal(SigStop);
        return Eventually.Closely($"all threads of process {Pid} have stopped", StopLimit, () => Directory.GetDirectories($"/proc/{Pid}/task").All(HasStopped));
    }

    /// <summary>SIGCONT.</summary>
    public void Resume() => Signal(SigCont);

    /// <summary>Waits until it ended and all its output was read; gives the exit code.</summary>
    public async Task<int> WaitForExitAsync(TimeSpan limit)
    {
        await Eventually.Is($"process {Pid} ({_process.StartInfo.ArgumentList[3]}) has ended", limit, () => _process.HasExited);
        await Task.WhenAll(_stdout.Completion, _stderr.Completion).WaitAsync(limit, TimeProvider.System);
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
        }

        _process.Dispose();
    }

    /// <summary>Any signal.</summary>
    public void Signal(int signal)
    {
        if (!_process.HasExited && SendSignal(Pid, signal) != 0 && !_process.HasExited)
        {
            throw new InvalidOperationException($"kill({Pid}, {signal}) failed with errno {Marshal.GetLastPInvokeError()}");
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int pid, int signal);

    private static bool HasStopped(string thread)
    {
        try
        {
            return File.ReadAllText(Path.Combine(thread, "stat")).Contains(") T ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false; // the thread has just ended: the next look does not find it
        }
    }
}
