using System.Net.Sockets;
using System.Runtime.InteropServices;
using Quickq.Spool.Files;

namespace Quickq.SpoolCli.Service;

/// <summary>What a peer may do.</summary>
internal enum PeerRights
{
    /// <summary>Nothing: the connection is refused.</summary>
    None,

    /// <summary>Add messages and look.</summary>
    Use,

    /// <summary>Change the state of messages too.</summary>
    Admin,
}

/// <summary>Who is at the other end of a connection: the kernel's word for the moment of its <c>connect</c>, never that of a name service.</summary>
/// <param name="Uid">The effective user.</param>
/// <param name="Groups">The effective group and the supplementary ones.</param>
internal sealed record Peer(uint Uid, IReadOnlyList<uint> Groups)
{
    /// <summary>Asks the kernel who connected.</summary>
    /// <exception cref="SocketException">The kernel does not say.</exception>
    public static unsafe Peer Of(Socket socket)
    {
        int descriptor = (int)socket.Handle;
        ServiceNative.Credentials credentials;
        uint length = (uint)sizeof(ServiceNative.Credentials);
        if (ServiceNative.GetSocketOption(descriptor, ServiceNative.SocketLevel, ServiceNative.PeerCredentials, &credentials, &length) != 0)
        {
            throw new SocketException(Marshal.GetLastPInvokeError());
        }

        return new Peer(credentials.UserId, [credentials.GroupId, .. SupplementaryGroups(descriptor)]);
    }

    private static unsafe uint[] SupplementaryGroups(int descriptor)
    {
        // The kernel says how many there are when the room does not suffice; at most 65,536.
        uint length = 64 * sizeof(uint);
        while (true)
        {
            uint[] groups = new uint[length / sizeof(uint)];
            fixed (uint* pointer = groups)
            {
                if (ServiceNative.GetSocketOption(descriptor, ServiceNative.SocketLevel, ServiceNative.PeerGroups, pointer, &length) == 0)
                {
                    return groups[..(int)(length / sizeof(uint))];
                }
            }

            if (Marshal.GetLastPInvokeError() is var error && error != ServiceNative.RangeError)
            {
                throw new SocketException(error);
            }
        }
    }
}

/// <summary>Who may do what at this service; decided once at its start, by numbers.</summary>
/// <param name="Owner">The account that the service runs as.</param>
/// <param name="Group">Its members may add and look; null: nobody by a group.</param>
/// <param name="AdminGroup">Its members may change things too; null: nobody by a group.</param>
internal sealed record AccessRules(uint Owner, ServiceGroup? Group, ServiceGroup? AdminGroup)
{
    public PeerRights RightsOf(Peer peer) =>
        IsPrivileged(peer) || IsMember(peer, AdminGroup) ? PeerRights.Admin
        : IsMember(peer, Group) ? PeerRights.Use
        : PeerRights.None;

    /// <summary>Root and the owner: some room is kept for them.</summary>
    public bool IsPrivileged(Peer peer) => peer.Uid == 0 || peer.Uid == Owner;

    /// <summary>Whether anybody but root and the owner may connect.</summary>
    public bool HasGroups => Group is not null || AdminGroup is not null;

    /// <summary>What an account hears that may do nothing.</summary>
    public string Refusal(string name) => $"permission denied: {name} {((Group ?? AdminGroup) is { } group ? $"is not in group {group.Name}" : "does not own this spool")}";

    /// <summary>The command that lets an account in.</summary>
    public string UseHint(string name) => Hint(name, Group ?? AdminGroup);

    /// <summary>The command that makes an account an operator.</summary>
    public string AdminHint(string name) => Hint(name, AdminGroup);

    private string Hint(string name, ServiceGroup? group) => group is null ? UserAccount.CommandAs(Owner)
        : name.Contains(' ', StringComparison.Ordinal) ? $"add the account with {name} to group {group.Name}, then log in again" // it has no name
        : char.IsAsciiDigit(group.Name[0]) ? $"add the account {name} to group {group.Name}, then log in again"
        : $"sudo usermod -aG {group.Name} {name}, then log in again";

    private static bool IsMember(Peer peer, ServiceGroup? group) => group is not null && peer.Groups.Contains(group.Id);
}

/// <summary>A group as it was given, a name or a number, and its number.</summary>
internal sealed record ServiceGroup(string Name, uint Id);
