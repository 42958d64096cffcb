namespace Quickq.Spool;

/// <summary>Messages of one producer that are stored together or refused together, among others in one transaction.</summary>
internal sealed class AppendRequest(IReadOnlyList<OutgoingMessage> messages)
{
    private readonly List<string> _ids = new(messages.Count);

    public IReadOnlyList<OutgoingMessage> Messages { get; } = messages;

    /// <summary>The account that it comes from, where that is known.</summary>
    public uint? AddedBy { get; init; }

    /// <summary>The ids, in the order of the messages; complete unless it was refused.</summary>
    public IReadOnlyList<string> Ids => _ids;

    /// <summary>How many of the messages were not in the spool before.</summary>
    public int Stored { get; private set; }

    /// <summary>Why nothing of it was stored, or null.</summary>
    public SpoolException? Refusal { get; private set; }

    /// <summary>Which message was at fault, where it was refused.</summary>
    public int RefusedIndex { get; private set; }

    /// <summary>The next message is stored.</summary>
    public void Added(string id)
    {
        _ids.Add(id);
        Stored++;
    }

    /// <summary>The next message was in the spool before.</summary>
    public void Found(string id) => _ids.Add(id);

    /// <summary>The next message cannot be stored, and so none of them is.</summary>
    public void Refuse(SpoolException refusal)
    {
        RefusedIndex = _ids.Count;
        Refusal = refusal;
        Stored = 0;
        _ids.Clear();
    }
}
