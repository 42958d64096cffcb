using System.Runtime.InteropServices;

namespace Quickq.SpoolCli.Service;

/// <summary>The calls of the C library that the spool service needs, as they are on 64-bit Linux.</summary>
internal static partial class ServiceNative
{
    public const int SocketLevel = 1, PeerCredentials = 17, PeerGroups = 59;
    public const int RangeError = 34, OpenFilesLimit = 7;
    public const int UnixFamily = 1, StreamSocket = 1, CloseOnExec = 0x80000;
    public const int SigInt = 2, SigKill = 9, SigTerm = 15;
    public const short HungUp = 0x10;
    public const int SetDescriptorFlags = 2, CloseOnExecFlag = 1;
    public const nuint UnreadByPeer = 0x5411; // SIOCOUTQ

    [LibraryImport("libc", EntryPoint = "getsockopt", SetLastError = true)]
    public static unsafe partial int GetSocketOption(int socket, int level, int name, void* value, uint* length);

    /// <summary>Returns the error itself; <paramref name="found"/> is null when there is no such group.</summary>
    [LibraryImport("libc", EntryPoint = "getgrnam_r", StringMarshalling = StringMarshalling.Utf8)]
    public static unsafe partial int FindGroup(string name, Group* group, byte* buffer, nuint length, Group** found);

    [LibraryImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    public static partial int GetLimit(int resource, out Limit limit);

    [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    public static partial int SetLimit(int resource, in Limit limit);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    public static partial int SetFlags(int descriptor, int command, int flags);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int CountUnread(SafeHandle socket, nuint request, out int bytes);

    /// <summary>Sets which permissions new files do not get, for the whole process; returns what it was.</summary>
    [LibraryImport("libc", EntryPoint = "umask")]
    public static partial int SetMask(int mask);

    /// <summary><c>struct group</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct Group
    {
        public byte* Name;
        public byte* Password;
        public uint Id;
        public byte** Members;
    }

    /// <summary><c>struct ucred</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Credentials
    {
        public int ProcessId;
        public uint UserId;
        public uint GroupId;
    }

    /// <summary><c>struct rlimit</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Limit
    {
        public ulong Soft;
        public ulong Hard;
    }
}
