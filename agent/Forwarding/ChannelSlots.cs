using Quickq.Agent.Broker;

namespace Quickq.Agent.Forwarding;

/// <summary>How many channels the broker grants, once it refused one more: then exchanges take turns. Belongs to the forwarder's loop, and outlives connections.</summary>
internal sealed class ChannelSlots(TimeProvider clock)
{
    /// <summary>So long an exchange may keep its channel while another one waits for it.</summary>
    private static readonly TimeSpan Turn = TimeSpan.FromMilliseconds(250);

    /// <summary>The broker counts a closed channel for a moment more, and would refuse another one.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(100);

    /// <summary>Null while the broker refused none.</summary>
    public int? Most { get; private set; }

    /// <summary>One more was refused.</summary>
    /// <param name="open">How many there are.</param>
    /// <returns>True if that was not known.</returns>
    public bool Refused(int open)
    {
        int most = Math.Max(1, Math.Min(open, Most ?? open));
        bool isNew = most != Most;
        Most = most;
        return isNew;
    }

    /// <summary>Whether a publisher may get a channel now.</summary>
    public bool IsFree(BrokerConnection connection) => connection.HasSpareChannel || IsFreeForQuestion(connection);

    /// <summary>Whether a question may be asked on a channel of its own.</summary>
    public bool IsFreeForQuestion(BrokerConnection connection) => Most is null || (connection.OpenChannels < Most && connection.SinceChannelClosed >= Settling);

    /// <summary>Closes the channel that was idle for longest; where none is idle the oldest is to become so. True if a channel may be opened now.</summary>
    public async ValueTask<bool> MakeRoomAsync(BrokerConnection connection, IReadOnlyCollection<ExchangePublisher> publishers)
    {
        if (IsFree(connection))
        {
            return true;
        }

        if (connection.OpenChannels < Most)
        {
            return false; // in a moment
        }

        if (publishers.Where(publisher => publisher.IsIdle).MinBy(publisher => publisher.UsedAt) is { } idle)
        {
            await idle.CloseAsync();
            return IsFree(connection);
        }

        ExchangePublisher? oldest = publishers.Where(publisher => publisher.HasChannel).MinBy(publisher => publisher.OpenedAt);
        if (oldest is not null && clock.GetElapsedTime(oldest.OpenedAt) >= Turn && !publishers.Any(publisher => publisher.Yields))
        {
            oldest.Yields = true;
        }

        return false;
    }
}
