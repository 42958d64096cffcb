using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Quickq.Spool.Files;

/// <summary>Waits for several descriptors at once (epoll); one of them may be left out and taken in again from another thread meanwhile, which <c>poll</c> cannot.</summary>
internal sealed class EventPoll : IDisposable
{
    private const int Add = 1, Modify = 3, CloseOnExec = 0x80000;
    private const uint Readable = 1, Once = 1u << 30;

    // struct epoll_event: the events, then eight bytes of the caller's; packed on x86-64 alone.
    private static readonly int DataAt = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;
    private static readonly int EntryBytes = DataAt + 8;

    private readonly int _poll = Libc.EventPoll(CloseOnExec);

    /// <summary>Takes a descriptor in. One that is to be told <paramref name="once"/> is then left out until <see cref="Resume"/>.</summary>
    public bool TryAdd(int descriptor, bool once) => Control(Add, descriptor, once ? Readable | Once : Readable);

    /// <summary>Leaves a descriptor out.</summary>
    public void Pause(int descriptor) => Control(Modify, descriptor, 0);

    /// <summary>Takes it in again, for once: what is readable already is told too.</summary>
    public void Resume(int descriptor) => Control(Modify, descriptor, Readable | Once);

    /// <summary>Waits for at most so long; puts the readable descriptors into <paramref name="ready"/> and returns how many they are.</summary>
    public unsafe int Wait(Span<int> ready, int milliseconds)
    {
        Span<byte> entries = stackalloc byte[ready.Length * EntryBytes];
        int count;
        fixed (byte* pointer = entries)
        {
            count = Math.Max(0, Libc.EventPollWait(_poll, pointer, ready.Length, milliseconds)); // a signal is a wait that was short
        }

        for (int i = 0; i < count; i++)
        {
            ready[i] = BinaryPrimitives.ReadInt32LittleEndian(entries[((i * EntryBytes) + DataAt)..]);
        }

        return count;
    }

    public void Dispose()
    {
        if (_poll >= 0)
        {
            Libc.Close(_poll);
        }
    }

    private unsafe bool Control(int operation, int descriptor, uint events)
    {
        Span<byte> entry = stackalloc byte[EntryBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(entry, events);
        BinaryPrimitives.WriteInt32LittleEndian(entry[DataAt..], descriptor);
        fixed (byte* pointer = entry)
        {
            return Libc.EventPollControl(_poll, operation, descriptor, pointer) == 0;
        }
    }
}
