using Quickq.Spool.Service;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Remote;

/// <summary>Carries a command's input, output, errors and signals between the caller's streams and the service, until the command has ended.</summary>
/// <remarks>One thread waits for all of them at once: output is written while input waits for the service to take it, and a signal passes both.</remarks>
internal sealed class StreamRelay(ServiceConnection connection, Descriptor? input, StopSignal stop, StandardStreams streams)
{
    private const byte InputStream = 0, OutputStream = 1;
    private const int ChunkBytes = 64 * 1024, PipeTakes = 4096;

    private readonly Queue<byte[]> _unsent = new();
    private readonly byte[] _chunk = new byte[1 + ChunkBytes];
    private int _sentOfFirst;
    private bool _inputEnded;
    private bool _signalled;

    /// <summary>The command's exit code.</summary>
    /// <exception cref="ServiceRefusedException">The service does not run it.</exception>
    /// <exception cref="ServiceLostException">The connection ended first.</exception>
    /// <exception cref="BrokenPipeException">Nobody reads the output any more.</exception>
    public int Run(TimeSpan greetingLimit)
    {
        var greeting = new Deadline(greetingLimit);
        if (input is null)
        {
            EndInput();
        }

        while (true)
        {
            while (connection.TryTake(out byte kind, out ReadOnlySpan<byte> payload))
            {
                if (kind == FrameKind.Answer)
                {
                    return ReadCode(payload);
                }

                if (kind == FrameKind.Data && payload.Length > 1)
                {
                    WriteStream(payload[0], payload[1..]);
                }
            }

            WaitForAny(connection.IsGreeted ? Deadline.Never : greeting);
        }
    }

    private static int ReadCode(ReadOnlySpan<byte> payload)
    {
        try
        {
            return ProtocolContext.Read(payload, ProtocolContext.Default.RunAnswer).Code is >= 0 and <= byte.MaxValue and var code ? code
                : throw new ServiceLostException("the answer of the spool service has no exit code");
        }
        catch (ProtocolException unreadable)
        {
            throw new ServiceLostException($"the answer of the spool service cannot be read: {unreadable.Message}");
        }
    }

    private unsafe void WaitForAny(Deadline deadline)
    {
        var entries = stackalloc Native.PollEntry[3];
        entries[0] = new Native.PollEntry
        {
            Descriptor = connection.Socket.Descriptor,
            Events = (short)(Native.PollIn | (_unsent.Count > 0 ? Native.PollOut : 0)),
        };
        entries[1] = new Native.PollEntry { Descriptor = _signalled ? -1 : stop.Raised.Number, Events = Native.PollIn };

        // What the service has not taken yet is enough: the caller's input waits in its pipe.
        entries[2] = new Native.PollEntry { Descriptor = input is null || _inputEnded || _unsent.Count > 0 ? -1 : input.Number, Events = Native.PollIn };
        int ready = Native.Poll(entries, 3, deadline.LeftMilliseconds());
        if (ready == 0)
        {
            throw new ServiceLostException($"no answer within {Quickq.Spool.Duration.Format(deadline.Length)}");
        }

        ForwardSignal();
        if (ready > 0 && entries[2].Returned != 0)
        {
            ReadInput();
        }

        SendWhatFits();
        if (ready > 0 && (entries[0].Returned & ~Native.PollOut) != 0 && !connection.Fill(Deadline.Never))
        {
            throw new ServiceLostException("the spool service ended");
        }
    }

    private void ReadInput()
    {
        int count = input!.Read(_chunk.AsSpan(1));
        if (count == 0)
        {
            EndInput();
            return;
        }

        _chunk[0] = InputStream;
        _unsent.Enqueue(Frame.Encode(FrameKind.Data, _chunk.AsSpan(0, 1 + count)));
    }

    private void EndInput()
    {
        _inputEnded = true;
        _unsent.Enqueue(Frame.Encode(FrameKind.Data, [InputStream]));
    }

    private void ForwardSignal()
    {
        if (stop.IsRaised && !_signalled)
        {
            _signalled = true;
            _unsent.Enqueue(Frame.Encode(FrameKind.Signal, [(byte)stop.Number]));
        }
    }

    private void SendWhatFits()
    {
        while (_unsent.TryPeek(out byte[]? frame) && SendSome(frame))
        {
            _unsent.Dequeue();
            _sentOfFirst = 0;
        }
    }

    private bool SendSome(byte[] frame)
    {
        try
        {
            _sentOfFirst += connection.Socket.TrySend(frame.AsSpan(_sentOfFirst));
            return _sentOfFirst == frame.Length;
        }
        catch (ServiceLostException)
        {
            // The service has closed; why, or the command's end, may be here to read still.
            _unsent.Clear();
            _sentOfFirst = 0;
            _inputEnded = true;
            return false;
        }
    }

    private void WriteStream(byte stream, ReadOnlySpan<byte> bytes)
    {
        if (stream == OutputStream)
        {
            Write(streams.OutputDescriptor, bytes);
            return;
        }

        try
        {
            Write(streams.ErrorDescriptor, bytes);
        }
        catch (IOException)
        {
            // Standard error is closed or full: the code must still get through.
        }
    }

    /// <summary>Writes everything; a signal is forwarded also while nobody reads.</summary>
    private void Write(Descriptor output, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (!_signalled && !output.WaitWritable(stop.Raised))
            {
                ForwardSignal();
                SendWhatFits();
                continue;
            }

            // A pipe that is ready takes this much at once.
            ReadOnlySpan<byte> part = bytes[..Math.Min(bytes.Length, PipeTakes)];
            output.Write(part);
            bytes = bytes[part.Length..];
        }
    }
}
