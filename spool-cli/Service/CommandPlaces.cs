using System.Globalization;
using Quickq.Spool.Service;

namespace Quickq.SpoolCli.Service;

/// <summary>The places for commands that run at one time. Any thread.</summary>
internal sealed class CommandPlaces(AccessRules access)
{
    /// <summary>Places in all, those kept for root and the owner, those kept for operators besides, and those of any other single account.</summary>
    public const int Most = 16, KeptForOwner = 4, KeptForOperators = 2, MostOfOne = 4;

    private readonly Lock _gate = new();
    private readonly Dictionary<uint, int> _byAccount = [];
    private int _taken;

    /// <summary>Takes a place, to be left again; why not, when there is none.</summary>
    public string? Take(Connection connection)
    {
        bool isPrivileged = access.IsPrivileged(connection.Peer);
        int most = isPrivileged ? Most : connection.Rights == PeerRights.Admin ? Most - KeptForOwner : Most - KeptForOwner - KeptForOperators;
        lock (_gate)
        {
            int own = _byAccount.GetValueOrDefault(connection.Peer.Uid);
            if (!isPrivileged && own >= MostOfOne)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{own} commands of this account are running already");
            }

            if (_taken >= most)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{_taken} commands are running already");
            }

            _byAccount[connection.Peer.Uid] = own + 1;
            _taken++;
            return null;
        }
    }

    public void Leave(Connection connection)
    {
        lock (_gate)
        {
            _taken--;
            if (--_byAccount[connection.Peer.Uid] == 0)
            {
                _byAccount.Remove(connection.Peer.Uid);
            }
        }
    }
}
