using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Quickq.Spool.Files;

/// <summary>Waits for several descriptors at once (epoll); they may be taken in and left out from other threads meanwhile, which <c>poll</c> cannot.</summary>
/// <remarks>Each has a number of the caller's, which is told when it is readable: a descriptor's own is soon another's.</remarks>
internal sealed class EventPoll : IDisposable
{
    private const int Add = 1, Delete = 2, Modify = 3, CloseOnExec = 0x80000;
    private const uint Readable = 1, Once = 1u << 30;

    // struct epoll_event: the events, then eight bytes of the caller's; packed on x86-64 alone.
    private static readonly int DataAt = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;
    private static readonly int EntryBytes = DataAt + 8;

    private readonly int _poll = Libc.EventPoll(CloseOnExec);

    /// <summary>False where the kernel gave none: then nothing can be taken in.</summary>
    public bool IsOpen => _poll >= 0;

    /// <summary>Takes a descriptor in. One that is to be told <paramref name="once"/> is then left out until <see cref="TryResume"/>.</summary>
    public bool TryAdd(int descriptor, long number, bool once) => Control(Add, descriptor, number, once ? Readable | Once : Readable);

    /// <summary>Leaves a descriptor out.</summary>
    public void Pause(int descriptor) => Control(Modify, descriptor, number: 0, events: 0);

    /// <summary>Takes it in again, for once: what is readable already is told too.</summary>
    public bool TryResume(int descriptor, long number) => Control(Modify, descriptor, number, Readable | Once);

    /// <summary>Forgets a descriptor.</summary>
    public void Remove(int descriptor) => Control(Delete, descriptor, number: 0, events: 0);

    /// <summary>Waits for at most so long (-1: without end); puts the numbers of what is readable into <paramref name="ready"/> and returns how many they are.</summary>
    public unsafe int Wait(Span<long> ready, int milliseconds)
    {
        Span<byte> entries = stackalloc byte[ready.Length * EntryBytes];
        int count;
        fixed (byte* pointer = entries)
        {
            count = Math.Max(0, Libc.EventPollWait(_poll, pointer, ready.Length, milliseconds)); // a signal is a wait that was short
        }

        for (int i = 0; i < count; i++)
        {
            ready[i] = BinaryPrimitives.ReadInt64LittleEndian(entries[((i * EntryBytes) + DataAt)..]);
        }

        return count;
    }

    public void Dispose()
    {
        if (IsOpen)
        {
            Libc.Close(_poll);
        }
    }

    private unsafe bool Control(int operation, int descriptor, long number, uint events)
    {
        Span<byte> entry = stackalloc byte[EntryBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(entry, events);
        BinaryPrimitives.WriteInt64LittleEndian(entry[DataAt..], number);
        fixed (byte* pointer = entry)
        {
            return Libc.EventPollControl(_poll, operation, descriptor, pointer) == 0;
        }
    }
}
