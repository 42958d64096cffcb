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
            await connection.Answers.HasRoomAsync();
            if (frame.Kind == FrameKind.Run)
            {
                await connection.Answers.EmptyAsync();
                ahead = await server.Commands.RunAsync(connection, frame); // it reads on while the command runs
            }
            else if (frame.Kind == FrameKind.Add && frame.Payload.Length > LargeRequest)
            {
                await Task.Run(() => Take(frame));
            }
            else
            {
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

        if (hello.Spool is { } meant && !string.Equals(meant, server.SpoolPath, StringComparison.Ordinal))
        {
            await connection.Answers.SendAsync(Service.Answers.Error(ExitCode.NoInput, "WrongSpool",
                $"this is the service of the spool {server.SpoolPath}, not of {meant}", $"name the socket of that spool's service with {SpoolLocator.SocketVariable}"));
            return false;
        }

        connection.Answers.Reserve().Complete(ProtocolContext.Encode(
            FrameKind.Answer,
            new HelloAnswer(ProtocolContext.Version, typeof(Conversation).Assembly.GetName().Version!.ToString(3), server.SpoolPath, connection.Rights == PeerRights.Admin ? "admin" : "use"),
            ProtocolContext.Plain.HelloAnswer));
        return true;
    }

    private void Take(ReceivedFrame frame)
    {
        switch (frame.Kind)
        {
            case FrameKind.Add:
                Add(frame);
                break;
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

    private void Add(ReceivedFrame frame)
    {
        AnswerQueue.Answer answer = connection.Answers.Reserve();
        try
        {
            IReadOnlyList<OutgoingMessage> messages = AddPayload.Decode(frame.Payload, server.SpoolPath);
            for (int index = 0; index < messages.Count; index++)
            {
                Check(messages[index], index);
            }

            server.Commits.Add(new AddRequest(new AppendRequest(messages), server.Clock.GetTimestamp(), answer, frame.Claim));
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
        using (frame.Claim)
        {
            WaitRequest request = ProtocolContext.Read(frame.Payload.Span, ProtocolContext.Default.WaitRequest);
            server.Waits.Add(new PendingWait(RequireIds(request.Ids), request, connection, server.Clock));
        }
    }

    private static IReadOnlyList<string> StatusIds(ReceivedFrame frame)
    {
        using (frame.Claim)
        {
            return RequireIds(ProtocolContext.Read(frame.Payload.Span, ProtocolContext.Default.StatusRequest).Ids);
        }
    }

    private void Look(ReceivedFrame frame, IReadOnlyList<string> ids, Func<SpoolReader, IReadOnlyList<string>, byte[]> look)
    {
        frame.Claim.Dispose();
        _ = LookAsync(connection.Answers.Reserve(), ids, look);
    }

    private async Task LookAsync(AnswerQueue.Answer answer, IReadOnlyList<string> ids, Func<SpoolReader, IReadOnlyList<string>, byte[]> look)
    {
        byte[] frame;
        try
        {
            frame = await server.Readers.LookAsync(reader => look(reader, ids));
        }
        catch (SpoolException failure)
        {
            frame = Service.Answers.Error(failure);
        }
        catch (Exception exception) // a fault of ours is the answer to this request, not the end of the service
        {
            server.Log.InternalError(exception);
            frame = Service.Answers.Internal();
        }

        answer.Complete(frame, server.Budget.OpenFor(connection.Peer.Uid, frame.Length));
    }

    public static IReadOnlyList<MessageJson?> Messages(SpoolReader reader, IReadOnlyList<string> ids) =>
        [.. ids.Select(id => reader.ReadStatus(id) is { } status ? MessageJson.From(status) : null)];

    public static byte[] Encode<T>(T value, JsonTypeInfo<T> type) => Frame.Encode(FrameKind.Answer, JsonSerializer.SerializeToUtf8Bytes(value, type));

    private static IReadOnlyList<string> RequireIds(IReadOnlyList<string>? ids) => ids is { Count: <= ProtocolContext.MaxIds } && ids.All(id => id is not null)
        ? ids
        : throw new ProtocolException(string.Create(CultureInfo.InvariantCulture, $"ids must be an array of at most {ProtocolContext.MaxIds:N0} strings"));
}
