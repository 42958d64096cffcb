using System.Runtime.InteropServices;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Streams;

/// <summary>An open file descriptor and what to call it in a message; reads, writes and waits, nothing buffered.</summary>
/// <remarks>
/// Not FileStream: on a regular file that writes at an offset of its own, so of two programs that share one
/// <c>&gt; file</c> the second would write over the first.
/// </remarks>
internal sealed class Descriptor(int number, string name)
{
    private const int OpenReadOnly = 0, OpenWriteOnly = 1, GetFlags = 1;

    public string Name { get; } = name;

    /// <summary>Set for a socket whose peer shuts it down where the input ends: when the peer is gone instead, the input was cut off, and reading says so (75).</summary>
    public bool EndsByShutdown { get; init; }

    /// <summary>
    /// Occupies 0, 1 and 2 where the caller has closed them, so that no file of ours gets such a number; the wrong way
    /// round, so that using them still fails.
    /// </summary>
    public static void FillClosedStandardOnes()
    {
        for (var number = 0; number <= 2; number++)
        {
            if (Native.Fcntl(number, GetFlags) < 0)
            {
                _ = Native.Open("/dev/null", number == 0 ? OpenWriteOnly : OpenReadOnly);
            }
        }
    }

    /// <summary>Reads what is there, waiting if need be; 0 at the end.</summary>
    public unsafe int Read(Span<byte> buffer)
    {
        while (true)
        {
            nint count;
            fixed (byte* start = buffer)
            {
                count = Native.Read(number, start, buffer.Length);
            }

            if (count == 0 && EndsByShutdown && IsHungUp())
            {
                throw new CommandException(ExitCode.TryLater, "the spool service ended before the input did", "what was printed is stored, repeat the rest");
            }

            if (count >= 0)
            {
                return (int)count;
            }

            WaitOrThrow(Native.PollIn);
        }
    }

    /// <summary>Writes everything.</summary>
    public unsafe void Write(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            nint count;
            fixed (byte* start = bytes)
            {
                count = Native.Write(number, start, bytes.Length);
            }

            if (count >= 0)
            {
                bytes = bytes[(int)count..];
            }
            else
            {
                WaitOrThrow(Native.PollOut);
            }
        }
    }

    /// <summary>Reads at a place of a file; how much was there, less than nothing where it cannot be read.</summary>
    public unsafe int ReadAt(Span<byte> buffer, long offset)
    {
        fixed (byte* start = buffer)
        {
            return (int)Native.ReadAt(number, start, buffer.Length, offset);
        }
    }

    /// <summary>Lets what was written reach the disk, where it is a file on one.</summary>
    /// <exception cref="IOException">The disk did not take it.</exception>
    public void Sync()
    {
        if (Native.Sync(number) != 0 && Marshal.GetLastPInvokeError() is Native.Eio or Native.Enospc)
        {
            throw new IOException($"{Name}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        }
    }

    /// <summary>Waits until something can be read here or <paramref name="other"/> can; true when here.</summary>
    /// <param name="other">A second descriptor that ends the wait.</param>
    /// <param name="timeoutMilliseconds">How long to wait; -1 without end.</param>
    public unsafe bool WaitReadable(Descriptor other, int timeoutMilliseconds)
    {
        var entries = stackalloc Native.PollEntry[2];
        entries[0] = new Native.PollEntry { Descriptor = number, Events = Native.PollIn };
        entries[1] = new Native.PollEntry { Descriptor = other.Number, Events = Native.PollIn };
        var ready = Native.Poll(entries, 2, timeoutMilliseconds);
        return ready > 0 && entries[1].Returned == 0 && entries[0].Returned != 0;
    }

    /// <summary>Waits until something can be written here, or <paramref name="other"/> can be read; true when here.</summary>
    public unsafe bool WaitWritable(Descriptor other)
    {
        var entries = stackalloc Native.PollEntry[2];
        entries[0] = new Native.PollEntry { Descriptor = number, Events = Native.PollOut };
        entries[1] = new Native.PollEntry { Descriptor = other.Number, Events = Native.PollIn };
        return Native.Poll(entries, 2, -1) > 0 && entries[1].Returned == 0;
    }

    internal int Number => number;

    private unsafe bool IsHungUp()
    {
        var entry = new Native.PollEntry { Descriptor = number };
        return Native.Poll(&entry, 1, 0) > 0 && (entry.Returned & Native.PollHungUp) != 0;
    }

    private unsafe void WaitOrThrow(short events)
    {
        switch (Marshal.GetLastPInvokeError())
        {
            case Native.Eintr:
                return;
            case Native.Eagain:
                var entry = new Native.PollEntry { Descriptor = number, Events = events };
                _ = Native.Poll(&entry, 1, -1);
                return;
            case Native.Epipe:
                throw new BrokenPipeException(Name);
            case var error:
                throw new IOException($"{Name}: {Marshal.GetPInvokeErrorMessage(error)}");
        }
    }
}
