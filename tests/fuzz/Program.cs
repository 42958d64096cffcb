using Quickq.Spool;
using Quickq.Spool.Service;
using SharpFuzz;

// Takes a conversation apart as the spool service does with what a client sends, and a client with what a service answers. An exception that the
// protocol does not know ends the process, which is what the fuzzer looks for. With names of files: reads those, without a fuzzer.
const string path = "/var/spool/quickq/spool.db";

if (args.Length > 0)
{
    foreach (string file in args)
    {
        Take(File.ReadAllBytes(file));
    }

    return;
}

Fuzzer.OutOfProcess.Run(stream =>
{
    using var received = new MemoryStream();
    stream.CopyTo(received);
    Take(received.ToArray());
});

static void Take(ReadOnlyMemory<byte> received)
{
    try
    {
        while (Frame.TryReadHeader(received.Span, out byte kind, out int length) && received.Length - Frame.HeaderLength >= length)
        {
            TakeFrame(kind, received.Slice(Frame.HeaderLength, length));
            received = received[(Frame.HeaderLength + length)..];
        }
    }
    catch (ProtocolException)
    {
        // The end of the connection.
    }
}

static void TakeFrame(byte kind, ReadOnlyMemory<byte> payload)
{
    switch (kind)
    {
        case FrameKind.Hello:
            ProtocolContext.Read(payload.Span, ProtocolContext.Default.HelloRequest);
            break;
        case FrameKind.Add:
            Add(payload);
            break;
        case FrameKind.Wait:
            ProtocolContext.Read(payload.Span, ProtocolContext.Default.WaitRequest);
            break;
        case FrameKind.Status:
            ProtocolContext.Read(payload.Span, ProtocolContext.Default.StatusRequest);
            break;
        case FrameKind.Run:
            ProtocolContext.Read(payload.Span, ProtocolContext.Default.RunRequest);
            break;
        case FrameKind.Answer:
            Answer(payload.ToArray());
            break;
        case FrameKind.Error:
            ProtocolContext.Read(payload.Span, ProtocolContext.Default.ErrorAnswer);
            break;
        default:
            break;
    }
}

static void Add(ReadOnlyMemory<byte> payload)
{
    try
    {
        int count = AddPayload.Count(payload, path);
        IReadOnlyList<OutgoingMessage> messages = AddPayload.Decode(payload, path);
        if (messages.Count != count)
        {
            throw new InvalidDataException($"{count} messages were counted, {messages.Count} are there");
        }

        foreach (OutgoingMessage message in messages)
        {
            MessageRules.Check(message, path);
        }

        // What is good comes out of a client as it went in.
        IReadOnlyList<OutgoingMessage> again = AddPayload.Decode(AddPayload.Encode(messages), path);
        if (!again.Select(Text).SequenceEqual(messages.Select(Text), StringComparer.Ordinal))
        {
            throw new InvalidDataException("a message is another one after it was written and read again");
        }
    }
    catch (InvalidMessageException)
    {
        // Refused, with the reason.
    }
    catch (SpoolException refused) when (refused.Fault == SpoolFault.InvalidMessage)
    {
        // Refused, with the reason.
    }
}

static string Text(OutgoingMessage message) => string.Join('\n', message.Id, message.Exchange, message.RoutingKey, message.Properties.ToJson(), message.TimeToLive, message.ExpiresAt, message.CreatedAt,
    Convert.ToHexString(message.Body.Span));

static void Answer(byte[] answer)
{
    var service = SpoolLocation.Service(path + ".sock", path);
    try
    {
        _ = StatusAnswer.Confirms(answer, ["a"]);
        _ = StatusAnswer.ReadMessage(answer, service);
        _ = ProtocolContext.Read(answer, ProtocolContext.Default.RunAnswer);
    }
    catch (Exception refused) when (refused is SpoolException or ProtocolException)
    {
        // A client says that this is no answer.
    }
}
