using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Quickq.Spool.Files;

/// <summary>What SQLite's shared index says about the WAL: how many bytes of it are in use.</summary>
/// <remarks>
/// Somebody who removes or empties the WAL of an open spool does not change the index, and SQLite trusts that: it would go on writing where no other program looks.
/// Closing a descriptor of the index drops the locks that this process's connections hold on it, so it stays open as long as one of them is.
/// </remarks>
internal static class WalIndex
{
    private const int HeaderBytes = 48, LogHeaderBytes = 32, FrameHeaderBytes = 24;
    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, Users> Open = new(StringComparer.Ordinal);

    /// <summary>To be called before a connection is opened; each call is answered by one of <see cref="Leave"/> after it is closed.</summary>
    public static void Enter(string resolved)
    {
        lock (Gate)
        {
            if (!Open.TryGetValue(resolved, out Users? users))
            {
                Open.Add(resolved, users = new Users());
            }

            users.Count++;
        }
    }

    /// <summary>Says that a connection was closed.</summary>
    public static void Leave(string resolved)
    {
        lock (Gate)
        {
            Users users = Open[resolved];
            if (--users.Count == 0)
            {
                Open.Remove(resolved);
                users.Descriptors.ForEach(static each => Libc.Close(each.Descriptor));
            }
        }
    }

    /// <summary>What the index says now; null where it does not say. To be asked under the lock, between Enter and Leave.</summary>
    public static WalState? Read_NeedsLock(string resolved)
    {
        int? descriptor;
        lock (Gate)
        {
            descriptor = Open[resolved].Find(resolved + "-shm");
        }

        return descriptor is { } open ? Read(open) : null;
    }

    /// <summary>The same, without looking whether the path still names that file.</summary>
    public static WalState? ReadAgain_NeedsLock(string resolved)
    {
        int? descriptor;
        lock (Gate)
        {
            descriptor = Open.GetValueOrDefault(resolved)?.Last;
        }

        return descriptor is { } open ? Read(open) : null;
    }

    /// <summary>The header is there twice: iVersion, unused, iChange at 8, isInit at 12, szPage at 14, mxFrame at 16, in the machine's byte order.</summary>
    private static unsafe WalState? Read(int descriptor)
    {
        Span<byte> headers = stackalloc byte[2 * HeaderBytes];
        fixed (byte* buffer = headers)
        {
            if (Libc.ReadAt(descriptor, buffer, headers.Length, 0) != headers.Length)
            {
                return null;
            }
        }

        if (headers[12] == 0 || !headers[..HeaderBytes].SequenceEqual(headers[HeaderBytes..]))
        {
            return null;
        }

        uint frames = BinaryPrimitives.ReadUInt32LittleEndian(headers[16..]), size = BinaryPrimitives.ReadUInt16LittleEndian(headers[14..]);
        long page = (size & 0xfe00) + ((size & 1) << 16);
        return new WalState(BinaryPrimitives.ReadUInt32LittleEndian(headers[8..]), frames == 0 ? 0 : LogHeaderBytes + (frames * (FrameHeaderBytes + page)));
    }

    private sealed class Users
    {
        public int Count { get; set; }

        public List<(int Descriptor, FileIdentity? Identity)> Descriptors { get; } = [];

        public int? Last => Descriptors.Count > 0 ? Descriptors[^1].Descriptor : null;

        /// <summary>The descriptor of the file that the path names now.</summary>
        public int? Find(string path)
        {
            if (FileIdentity.Find(path)?.Identity is not { } now)
            {
                return null;
            }

            if (Descriptors.Count > 0 && Descriptors[^1].Identity == now)
            {
                return Descriptors[^1].Descriptor;
            }

            int descriptor = Libc.Open(path, Libc.ReadOnly | Libc.CloseOnExec | Libc.NoFollow, 0);
            if (descriptor < 0)
            {
                throw new SpoolException(SpoolFault.InputOutput, path, $"cannot open {path}: {Libc.ErrorText(Marshal.GetLastPInvokeError())}");
            }

            Descriptors.Add((descriptor, FileIdentity.OfDescriptor(descriptor)));
            return descriptor;
        }
    }
}

/// <summary>What the index of a WAL says.</summary>
/// <param name="Commits">One more with each commit of anybody.</param>
/// <param name="UsedBytes">Bytes that the WAL must have at least.</param>
internal readonly record struct WalState(uint Commits, long UsedBytes);
