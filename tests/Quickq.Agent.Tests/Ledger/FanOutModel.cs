namespace Quickq.Agent.Tests.Ledger;

/// <summary>Who gets what, as the documentation has it, in a few lines of memory.</summary>
internal sealed class FanOutModel
{
    public Dictionary<string, (bool Active, HashSet<string> Exchanges)> Servers { get; } = new(StringComparer.Ordinal);

    public List<Message> Messages { get; } = [];

    public void Add(string? exchange, string[]? targets) => Messages.Add(Assigned(new Message(exchange, targets)));

    public void Configure(IReadOnlyDictionary<string, string[]> configured)
    {
        Servers.Keys.Except(configured.Keys).ToList().ForEach(gone => Servers[gone] = (false, Servers[gone].Exchanges));
        configured.ToList().ForEach(server => Servers[server.Key] = (true, [.. server.Value]));
        Messages.Where(message => message.Rows.Count == 0).ToList().ForEach(message => Assigned(message));
    }

    public void Replay(string server)
    {
        foreach (Message message in Messages.Where(message => message.Rows.Count > 0 && message.Rows.Values.Any(state => state is not "cancelled")))
        {
            if (message.Rows.TryGetValue(server, out string? state) ? state is "delivered" : message.Targets?.Contains(server) ?? Takes(server, message))
            {
                message.Rows[server] = "pending";
            }
        }
    }

    public SettlementProgressWord ProgressOf(Message message)
    {
        List<string> awaited = [.. message.Rows.Where(row => message.Targets?.Contains(row.Key) ?? Servers[row.Key].Active).Select(row => row.Value)];
        List<string> others = [.. message.Rows.Where(row => !(message.Targets?.Contains(row.Key) ?? Servers[row.Key].Active)).Select(row => row.Value)];
        bool lacking = Servers.Keys.Any(name => IsFor(name, message) && !message.Rows.ContainsKey(name));
        return awaited.Contains("cancelled") ? SettlementProgressWord.Never
            : awaited.Contains("pending") || (awaited.Count > 0 && lacking && others.Contains("pending"))
                || (awaited.Count == 0 && (others.Count == 0 || others.Exists(state => state is not "delivered"))) ? SettlementProgressWord.Waiting
            : SettlementProgressWord.Delivered;
    }

    private Message Assigned(Message message)
    {
        Servers.Keys.Where(name => IsFor(name, message)).ToList().ForEach(name => message.Rows.Add(name, "pending"));
        return message;
    }

    private bool IsFor(string server, Message message) => message.Targets?.Contains(server) ?? (Servers[server].Active && Takes(server, message));

    private bool Takes(string server, Message message) => message.Exchange is null || Servers[server].Exchanges.Count == 0 || Servers[server].Exchanges.Contains(message.Exchange);

    internal sealed record Message(string? Exchange, string[]? Targets)
    {
        public Dictionary<string, string> Rows { get; } = new(StringComparer.Ordinal);
    }

    internal enum SettlementProgressWord
    {
        Waiting,
        Delivered,
        Never,
    }
}
