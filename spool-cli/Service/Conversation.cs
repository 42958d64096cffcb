using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Quickq.Spool;
using Quickq.Spool.Service;
using Quickq.SpoolCli.Output;

namespace Quickq.SpoolCli.Service;

/// <summary>What a peer says, request by request; docs/spool-protocol.md has the words.</summary>
internal sealed class Conversation(Connection connection, ServerContext server)
{
    /// <summary>Larger requests are taken apart by a thread of the pool, so that nobody waits for it.</summary>
    private const int LargeRequest = 256 * 1024;

    /// <summary>Bytes that a message takes in memory beside its part of the frame.</summary>
    private const int MessageBytes = 256;

    private Task _adding = Task.CompletedTask;
    private Task _looking = Task.CompletedTask;

    /// <summary>Returns at the end of the peer's stream.</summary>
    /// <exception cref="ProtocolException">The peer broke a rule of the protocol.</exception>
    public async Task RunAsync()
    {
        if (await connection.ReadAsync() is not { } first)
        {
            return;
        }

        using (first.Claim)
        {
            if (first.Kind != FrameKind.Hello)
            {
                throw new ProtocolException("the first frame must be a hello");
            }

            if (!await GreetAsync(first.Payload))
            {
                return;
            }

            connection.IsGreeted = true;
        }

        ReadAhead ahead = default;
        while (await (ahead.Frame ?? connection.ReadAsync().AsTask()) is { } frame)
        {
            ahead = default;
            connection.MayLinger = false;
            await connection.Answers.HasRoomAsync();
            if (frame.Kind is not (FrameKind.Add or FrameKind.Data) && frame.Payload.Length > ProtocolContext.MaxRequest)
            {
                frame.Claim.Dispose();
                throw new ProtocolException(string.Create(CultureInfo.InvariantCulture, $"a request other than an add has at most {ProtocolContext.MaxRequest:N0} bytes"));
            }

            if (frame.Kind == FrameKind.Run)
            {
                await connection.Answers.EmptyAsync();
                ahead = await server.Commands.RunAsync(connection, frame); // it reads on while the command runs
            }
            else if (frame.Kind == FrameKind.Add)
            {
                await (frame.Payload.Length > LargeRequest ? Task.Run(() => AddAsync(frame)) : AddAsync(frame));
                connection.MayLinger = _adding.IsCompleted;
            }
            else
            {
                await _looking; // one look of a connection at a time: what comes next is not read meanwhile
                if (frame.Kind is FrameKind.Wait or FrameKind.Status)
                {
                    await _adding; // they see what this connection has added before
                }

                Take(frame);
            }
        }
    }

    /// <summary>False when the peer means another spool; it has been told.</summary>
    private async Task<bool> GreetAsync(ReadOnlyMemory<byte> payload)
    {
        HelloRequest hello = ProtocolContext.Read(payload.Span, ProtocolContext.Default.HelloRequest);
        if (hello.Protocol < 1)
        {
            throw new ProtocolException("the hello must name a version of the protocol, 1 or higher");
        }

        if (hello.Spool is { } meant && !string.Equals(meant, server.SpoolPath, StringComparison.Ordinal) && !string.Equals(meant, server.SpoolAsNamed, StringComparison.Ordinal))
        {
            await connection.Answers.SendAsync(Service.Answers.Error(ExitCode.NoInput, "WrongSpool",
                $"this is the service of the spool {server.SpoolPath}, not of {meant}", $"name the socket of that spool's service with {SpoolLocator.SocketVariable}"));
            return false;
        }

        connection.Answers.Reserve().Complete(ProtocolContext.Encode(
            FrameKind.Answer,
            new HelloAnswer(Math.Min(hello.Protocol, ProtocolContext.Version), typeof(Conversation).Assembly.GetName().Version!.ToString(3), server.SpoolPath, connection.Rights == PeerRights.Admin ? "admin" : "use"),
            ProtocolContext.Plain.HelloAnswer));
        return true;
    }

    private void Take(ReceivedFrame frame)
    {
        switch (frame.Kind)
        {
            case FrameKind.Wait:
                Wait(frame);
                break;
            case FrameKind.Status:
                Look(frame, StatusIds(frame), static (reader, ids) => Encode(new MessagesAnswer(Messages(reader, ids)), AnswerContext.Plain.MessagesAnswer));
                break;
            case FrameKind.Connections:
                Look(frame, [], static (reader, _) => Encode(ConnectionsAnswer.From(reader.ReadOverview()), AnswerContext.Plain.ConnectionsAnswer));
                break;
            case FrameKind.Hello:
                frame.Claim.Dispose();
                throw new ProtocolException("only the first frame may be a hello");
            default: // for a command that has ended
                frame.Claim.Dispose();
                break;
        }
    }

    private async Task AddAsync(ReceivedFrame frame)
    {
        AnswerQueue.Answer answer = connection.Answers.Reserve();
        try
        {
            // Many small messages take more memory than their bytes: it is asked for before it is taken.
            await frame.Claim.GrowAsync(AddPayload.Count(frame.Payload, server.SpoolPath) * MessageBytes, connection.Closed);
            frame.Claim.Complete();
            IReadOnlyList<OutgoingMessage> messages = AddPayload.Decode(frame.Payload, server.SpoolPath);
            for (int index = 0; index < messages.Count; index++)
            {
                Check(messages[index], index);
            }

            var request = new AddRequest(new AppendRequest(messages) { AddedBy = connection.Peer.Uid }, server.Clock.GetTimestamp(), answer, frame.Claim);
            _adding = request.Answered;
            server.Commits.Add(connection.Peer.Uid, request, isLone: !connection.HasMore);
        }
        catch (InvalidMessageException invalid)
        {
            frame.Claim.Dispose();
            answer.Complete(Service.Answers.Error(invalid.Refusal, invalid.Index));
        }
        catch (ProtocolException)
        {
            frame.Claim.Dispose();
            answer.Complete([]); // the error that follows ends the connection
            throw;
        }
    }

    private void Check(OutgoingMessage message, int index)
    {
        try
        {
            if (message.CreatedAt is not null && connection.Rights != PeerRights.Admin)
            {
                throw new SpoolException(SpoolFault.PermissionDenied, server.SpoolPath, "permission denied: createdAt is for operators, who import what was accepted elsewhere", "leave createdAt out");
            }

            // The spool's own limit of size is known in the transaction only.
            MessageRules.Check(message, server.SpoolPath);
        }
        catch (SpoolException refusal)
        {
            throw new InvalidMessageException(refusal, index);
        }
    }

    private void Wait(ReceivedFrame frame)
    {
        using (frame.Claim) // the waits of an account have a limit of their own
        {
            WaitRequest request = ProtocolContext.Read(frame.Payload.Span, ProtocolContext.Default.WaitRequest);
            server.Waits.Add(new PendingWait(RequireIds(request.Ids), request, connection, server.Clock));
        }
    }

    private static IReadOnlyList<string> StatusIds(ReceivedFrame frame) =>
        RequireIds(ProtocolContext.Read(frame.Payload.Span, ProtocolContext.Default.StatusRequest).Ids);

    private void Look(ReceivedFrame request, IReadOnlyList<string> ids, Func<SpoolReader, IReadOnlyList<string>, byte[]> look) =>
        _looking = LookAsync(request.Claim, connection.Answers.Reserve(), ids, look);

    private async Task LookAsync(MemoryBudget.Claim claim, AnswerQueue.Answer answer, IReadOnlyList<string> ids, Func<SpoolReader, IReadOnlyList<string>, byte[]> look)
    {
        using MemoryBudget.Claim held = claim;
        byte[] frame;
        try
        {
            frame = await server.Readers.LookAsync(connection.Peer.Uid, connection.Closed, reader => look(reader, ids));
        }
        catch (SpoolException failure)
        {
            frame = Service.Answers.Error(failure);
        }
        catch (OperationCanceledException)
        {
            return; // it is closed: nobody wants the answer
        }
        catch (Exception exception) // a fault of ours is the answer to this request, not the end of the service
        {
            server.Log.InternalError(exception);
            frame = Service.Answers.Internal();
        }

        answer.Complete(frame, server.Budget.OpenFor(connection.Peer.Uid, frame.Length));
    }

    private static IReadOnlyList<MessageJson?> Messages(SpoolReader reader, IReadOnlyList<string> ids)
    {
        var seen = ids.Distinct(StringComparer.Ordinal).ToDictionary(id => id, id => reader.ReadStatus(id) is { } status ? MessageJson.From(status) : null, StringComparer.Ordinal);
        return [.. ids.Select(id => seen[id])];
    }

    public static byte[] Encode<T>(T value, JsonTypeInfo<T> type) => Frame.Encode(FrameKind.Answer, JsonSerializer.SerializeToUtf8Bytes(value, type));

    private static IReadOnlyList<string> RequireIds(IReadOnlyList<string>? ids) => ids is { Count: <= ProtocolContext.MaxIds } && ids.All(id => id is { Length: <= ProtocolContext.MaxName })
        ? ids
        : throw new ProtocolException(string.Create(
            CultureInfo.InvariantCulture, $"ids must be an array of at most {ProtocolContext.MaxIds:N0} strings of at most {ProtocolContext.MaxName} characters"));
}
