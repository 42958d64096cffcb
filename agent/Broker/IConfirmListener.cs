namespace Quickq.Agent.Broker;

/// <summary>
/// Told what the broker says about the messages of one publisher. Calls come one at a time, from the client's reader
/// thread: they must return quickly, must not wait for the publisher or the connection, and must not throw (an exception
/// costs the connection).
/// </summary>
internal interface IConfirmListener
{
    /// <summary>The broker has taken responsibility for the message, or for all up to it.</summary>
    void Confirmed(ulong tag, bool multiple);

    /// <summary>The broker refuses the message, or all up to it.</summary>
    void Nacked(ulong tag, bool multiple);

    /// <summary>The message was routed to no queue. Comes before its <see cref="Confirmed"/>, and only if mandatory.</summary>
    void Returned(string messageId, ushort code, string text);

    /// <summary>
    /// Once, and the last call: what is unconfirmed now stays so. The code is the broker's, such as 404, when it closed
    /// only this channel; 0 when the connection is gone, whose <see cref="BrokerConnection.Lost"/> is complete by then.
    /// </summary>
    void ChannelClosed(ushort code, string text);

    /// <summary>Follows each of the others, while nothing is locked: the code that waits for the broker's word may go on in this call, for a moment.</summary>
    void Said()
    {
    }
}
