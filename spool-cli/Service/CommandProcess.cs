using System.Collections;
using System.Globalization;
using System.Net.Sockets;
using Quickq.Spool.Service;
using Quickq.SpoolCli.CommandLine;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Service;

/// <summary>This program once more, for one command of a peer, with sockets as its standard streams.</summary>
/// <remarks>
/// A thread of its own starts it and waits for its end. The kernel ends the command when that thread ends (see <see cref="ServiceProcess.EndWithService"/>), so when the service
/// is killed no command of it is left. Sockets, since reading a pipe would cost a thread each.
/// </remarks>
internal sealed class CommandProcess : IDisposable
{
    private const int MoreExpendable = 500, MostExpendable = 1000;

    private readonly Lock _gate = new();
    private readonly TaskCompletionSource<int> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Socket _input;
    private int _pid;

    private CommandProcess(Socket[] streams) => (_input, Outputs) = (streams[0], streams[1..]);

    /// <summary>What the command writes to: standard output and standard error, and the client's file where it has one. The first is the stream 1.</summary>
    public IReadOnlyList<Socket> Outputs { get; }

    /// <summary>The exit code; 128 and the signal when one ended it.</summary>
    public Task<int> Ended => _ended.Task;

    /// <summary>Set when the peer has ended the command's input.</summary>
    public bool IsInputEnded { get; private set; }

    /// <summary>Whether the command has read all input there is, and that has not ended.</summary>
    public bool IsWaitingForInput
    {
        get
        {
            try
            {
                return !IsInputEnded && ServiceNative.CountUnread(_input.SafeHandle, ServiceNative.UnreadByPeer, out int unread) == 0 && unread == 0;
            }
            catch (ObjectDisposedException)
            {
                return false; // the command has ended
            }
        }
    }

    /// <summary>Starts the command.</summary>
    /// <exception cref="CommandException">It cannot be started: no memory, no process is left.</exception>
    public static CommandProcess Start(string spoolPath, RunRequest request, uint uid, string name)
    {
        (Socket ours, int theirs)[] streams = [.. Enumerable.Range(0, HasFile(request) ? ServedCaller.FileStream + 1 : ServedCaller.FileStream).Select(_ => Pair())];
        var process = new CommandProcess([.. streams.Select(stream => stream.ours)]);
        string[] arguments = ["quickq-spool", .. request.Arguments];
        string[] environment = [.. EnvironmentOf(spoolPath, request, uid, name)];
        using var started = new ManualResetEventSlim();
        int failure = 0;
        new Thread(
            () =>
            {
                failure = ServiceProcess.Spawn("/proc/self/exe", arguments, environment, [.. streams.Select(stream => stream.theirs)], out process._pid);
                started.Set();
                if (failure == 0)
                {
                    OfferToEnd(process._pid);
                    process.AwaitEnd();
                }
            },
            256 * 1024) { IsBackground = true, Name = "command" }.Start();
        started.Wait();
        foreach ((Socket _, int theirs) in streams)
        {
            ServiceProcess.Close(theirs);
        }

        if (failure != 0)
        {
            process.Dispose();
            throw ServiceProcess.CannotStart(failure);
        }

        return process;
    }

    /// <summary>Hands bytes to the command; returns when the kernel has them. None: its input has ended. Ignored when it reads no more.</summary>
    public async Task WriteInputAsync(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            EndInput();
            return;
        }

        try
        {
            while (!bytes.IsEmpty)
            {
                bytes = bytes[await _input.SendAsync(bytes, SocketFlags.None)..];
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // As with a pipe: the command has what it wants. Its exit code follows.
        }
    }

    public void Signal(int signal)
    {
        lock (_gate)
        {
            if (!_ended.Task.IsCompleted)
            {
                _ = ServiceProcess.Kill(_pid, signal);
            }
        }
    }

    public void Dispose()
    {
        _input.Dispose();
        foreach (Socket output in Outputs)
        {
            output.Dispose();
        }
    }

    private void EndInput()
    {
        IsInputEnded = true;
        try
        {
            _input.Shutdown(SocketShutdown.Send);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The command has ended.
        }
    }

    private void AwaitEnd()
    {
        ServiceProcess.AwaitEnd(_pid);
        lock (_gate)
        {
            // Until here the number belongs to it, so no signal meets another process.
            _ended.SetResult(ServiceProcess.Reap(_pid));
        }
    }

    /// <summary>Where memory is short the kernel shall end the command, not the service.</summary>
    private static void OfferToEnd(int pid)
    {
        try
        {
            int own = int.Parse(File.ReadAllText("/proc/self/oom_score_adj"), CultureInfo.InvariantCulture);
            File.WriteAllText($"/proc/{pid}/oom_score_adj", Math.Min(MostExpendable, own + MoreExpendable).ToString(CultureInfo.InvariantCulture));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // A container may show /proc to be read only. The command runs as well.
        }
    }

    private static bool HasFile(RunRequest request) => request.File is { Length: > 0 } name && !name.Contains('\0', StringComparison.Ordinal);

    private static (Socket Ours, int Theirs) Pair()
    {
        // The command gets its end under another number. Where it has that number already, it would be closed.
        (int ours, int theirs) = ServiceProcess.SocketPair();
        (ours, theirs) = theirs == ServedCaller.FileStream ? (theirs, ours) : (ours, theirs);
        return (new Socket(new SafeSocketHandle(ours, ownsHandle: true)), theirs);
    }

    private static IEnumerable<string> EnvironmentOf(string spoolPath, RunRequest request, uint uid, string name)
    {
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            string key = (string)variable.Key;
            if (!CommandRules.PassedOn.Contains(key, StringComparer.Ordinal) && !IsOfTheService(key))
            {
                yield return $"{key}={variable.Value}";
            }
        }

        foreach (string key in CommandRules.PassedOn)
        {
            if (request.Environment?.GetValueOrDefault(key) is { } value && !value.Contains('\0', StringComparison.Ordinal))
            {
                yield return $"{key}={value}";
            }
        }

        yield return $"{Quickq.Spool.SpoolPath.Variable}={spoolPath}";
        yield return string.Create(CultureInfo.InvariantCulture, $"{ServedCaller.CallerVariable}={uid} {name}");
        yield return string.Create(CultureInfo.InvariantCulture, $"{ServiceProcess.ServiceVariable}={Environment.ProcessId}");
        yield return $"{ServedCaller.FileVariable}={(HasFile(request) ? request.File : "")}";
        yield return $"{ServedCaller.TerminalsVariable}={string.Concat((request.Terminals ?? []).Select(isTerminal => isTerminal ? '1' : '0'))}";
    }

    /// <summary>What systemd and the administrator told the service about itself.</summary>
    private static bool IsOfTheService(string key) =>
        key.StartsWith("QUICKQ_", StringComparison.Ordinal) || key.StartsWith("LISTEN_", StringComparison.Ordinal)
        || key is "NOTIFY_SOCKET" or "WATCHDOG_USEC" or "WATCHDOG_PID" or "JOURNAL_STREAM";
}
