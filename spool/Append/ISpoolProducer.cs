namespace Quickq.Spool;

/// <summary>Accepts messages for delivery. What an append returns from is durable: committed and synced, safe from a power cut.</summary>
/// <remarks>
/// <see cref="SpoolWriter"/> opens a spool of this account, <see cref="SpoolClient"/> asks the service of another account's spool;
/// <see cref="SpoolProducer.Open"/> takes the one that fits. Needs no agent, no broker and no network. Belongs to one thread at a time.
/// </remarks>
public interface ISpoolProducer : IDisposable
{
    /// <summary>Appends one message; returns its id when it is durable.</summary>
    /// <exception cref="SpoolException">
    /// Refused, with the reason; nothing was stored. Only with <see cref="SpoolFault.Unanswered"/> the message may have been stored:
    /// append it again under the id that <see cref="SpoolException.MessageIds"/> names.
    /// </exception>
    string Append(OutgoingMessage message);

    /// <summary>Appends messages in their order in one transaction: all or none. Returns their ids when they are durable.</summary>
    /// <exception cref="SpoolException">As for <see cref="Append"/>, for all of them.</exception>
    IReadOnlyList<string> AppendMany(IReadOnlyList<OutgoingMessage> messages);
}
