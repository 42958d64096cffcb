using System.Net.Sockets;
using Quickq.Spool;
using Quickq.Spool.Service;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Service;

/// <summary>Runs commands of <c>quickq-spool</c> for peers, each as a process of its own; its streams go both ways no faster than they are read.</summary>
internal sealed class CommandRunner(string spoolPath, AccessRules access, AccountNames names, ServiceLog log, TimeProvider clock)
{
    private const int OutputLength = 16 * 1024;
    private static readonly TimeSpan KillAfter = TimeSpan.FromSeconds(5);
    private readonly CancellationTokenSource _stopping = new();
    private readonly CommandPlaces _places = new(access);

    /// <summary>Ends all commands, and each that is asked for from now on: the service stops. Their input stays open until they have ended.</summary>
    public void EndAll() => _stopping.Cancel();

    /// <summary>Runs one command to its end and answers.</summary>
    /// <returns>What was read of the peer beyond the command.</returns>
    public async Task<ReadAhead> RunAsync(Connection connection, ReceivedFrame frame)
    {
        RunRequest request;
        using (frame.Claim)
        {
            request = ProtocolContext.Read(frame.Payload.Span, ProtocolContext.Default.RunRequest);
        }

        string name = await names.DescribeAsync(connection.Peer.Uid);
        if (CommandRules.Refusal(request, connection.Rights, access.AdminHint(name)) is { } refusal)
        {
            await connection.Answers.SendAsync(refusal);
            return default;
        }

        if (_places.Take(connection) is { } noPlace)
        {
            await connection.Answers.SendAsync(Answers.Error(ExitCode.TryLater, "Busy", noPlace, "try later"));
            return default;
        }

        connection.RunsCommand = true;
        try
        {
            using CommandProcess process = CommandProcess.Start(spoolPath, request, connection.Peer.Uid, name);
            return await AttendAsync(connection, process, request, name);
        }
        catch (CommandException noProcess)
        {
            await connection.Answers.SendAsync(Answers.Error(noProcess.Code, "Busy", noProcess.Message, noProcess.Hint));
            return default;
        }
        finally
        {
            connection.RunsCommand = false;
            _places.Leave(connection);
        }
    }

    private async Task<ReadAhead> AttendAsync(Connection connection, CommandProcess process, RunRequest request, string name)
    {
        string? endedBecause = null;
        void End(string reason)
        {
            if (!process.Ended.IsCompleted)
            {
                endedBecause ??= reason;
                _ = EndAsync(process);
            }
        }

        using CancellationTokenRegistration left = connection.Closed.Register(() => _ = EndAsync(process));
        using CancellationTokenRegistration stopping = _stopping.Token.Register(() => End("the spool service stops"));
        using var patience = new InputPatience(
            () => CommandRules.ReadsInput(request.Arguments) && !CommandRules.FollowsInput(request.Arguments) && process.IsWaitingForInput,
            () => End($"no input came for {Duration.Format(InputPatience.Limit)}"), clock);
        Task output = Task.WhenAll(process.Outputs.Select((stream, index) => ForwardAsync(connection, stream, (byte)(index + 1))));
        try
        {
            ReadAhead next = await FeedAsync(connection, process, patience, Task.WhenAll(output, process.Ended));
            await output;
            int code = await process.Ended;
            await connection.Answers.SendAsync(endedBecause is null
                ? ProtocolContext.Encode(FrameKind.Answer, new RunAnswer(code), ProtocolContext.Plain.RunAnswer)
                : Answers.Error(ExitCode.TryLater, "Busy", endedBecause, "what was printed is stored, repeat the rest"));
            return next;
        }
        finally
        {
            await EndAsync(process);
            if (CommandRules.IsChange(request.Arguments))
            {
                log.Changed(connection.Peer.Uid, name, request.Arguments, await process.Ended);
            }
        }
    }

    /// <summary>Passes on input and signals until the command ends.</summary>
    private async Task<ReadAhead> FeedAsync(Connection connection, CommandProcess process, InputPatience patience, Task ended)
    {
        while (true)
        {
            Task<ReceivedFrame?> next = connection.ReadAsync().AsTask();
            if (await Task.WhenAny(next, ended) != next && !next.IsCompleted)
            {
                return new ReadAhead(next);
            }

            if (await next is not { } frame)
            {
                // It will say nothing more. Input that was cut off is no input: the command must not see an end of it.
                if (!process.IsInputEnded && !_stopping.IsCancellationRequested)
                {
                    process.Signal(ServiceNative.SigKill);
                }

                await ended;
                return new ReadAhead(next);
            }

            if (frame.Kind is not (FrameKind.Data or FrameKind.Signal))
            {
                await ended; // the next request: its turn comes when this one is answered
                return new ReadAhead(next);
            }

            patience.Renew();
            using (frame.Claim)
            {
                await ApplyAsync(process, frame);
            }
        }
    }

    private static async Task ApplyAsync(CommandProcess process, ReceivedFrame frame)
    {
        if (frame.Payload.IsEmpty || (frame.Kind == FrameKind.Data && frame.Payload.Span[0] != 0))
        {
            throw new ProtocolException("a data frame to the service must begin with the stream 0, a signal frame with its number");
        }

        if (frame.Kind == FrameKind.Data)
        {
            await process.WriteInputAsync(frame.Payload[1..]);
        }
        else if (frame.Payload.Span[0] is var signal and (ServiceNative.SigInt or ServiceNative.SigTerm))
        {
            process.Signal(signal);
        }
        else
        {
            throw new ProtocolException("a signal must be 2 or 15");
        }
    }

    private static async Task ForwardAsync(Connection connection, Socket from, byte stream)
    {
        byte[] buffer = new byte[OutputLength];
        buffer[0] = stream;
        while (await from.ReceiveAsync(buffer.AsMemory(1), SocketFlags.None, connection.Closed) is var count and > 0)
        {
            await connection.Answers.SendAsync(Frame.Encode(FrameKind.Data, buffer.AsSpan(0, 1 + count)));
        }
    }

    /// <summary>SIGTERM, and SIGKILL for a command that has not ended 5 s later.</summary>
    private async Task EndAsync(CommandProcess process)
    {
        if (process.Ended.IsCompleted)
        {
            return;
        }

        process.Signal(ServiceNative.SigTerm);
        try
        {
            await process.Ended.WaitAsync(KillAfter, clock);
        }
        catch (TimeoutException)
        {
            process.Signal(ServiceNative.SigKill);
            await process.Ended;
        }
    }
}

/// <summary>A read of the next frame that has begun already; none where it is null.</summary>
internal readonly record struct ReadAhead(Task<ReceivedFrame?>? Frame);
