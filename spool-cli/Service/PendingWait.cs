using System.Globalization;
using System.Text.Json;
using Quickq.Spool;
using Quickq.Spool.Service;

namespace Quickq.SpoolCli.Service;

/// <summary>One <c>w</c> request until its answer.</summary>
internal sealed class PendingWait
{
    private readonly IReadOnlyList<string> _ids;
    private readonly IReadOnlyList<string> _distinct;
    private readonly bool _onlyConnected;
    private readonly Connection _connection;
    private readonly AnswerQueue.Answer _answer;
    private readonly TimeProvider _clock;
    private readonly long _start;
    private readonly TimeSpan? _timeout;
    private HashSet<string>? _servers;
    private bool _hasLooked;

    /// <exception cref="ProtocolException">The servers or the time cannot be understood.</exception>
    public PendingWait(IReadOnlyList<string> ids, WaitRequest request, Connection connection, TimeProvider clock)
    {
        (_ids, _connection, _clock, _start) = (ids, connection, clock, clock.GetTimestamp());
        _distinct = [.. ids.Distinct(StringComparer.Ordinal)];
        _timeout = request.Timeout switch
        {
            null => null,
            >= 0 and { } seconds => TimeSpan.FromSeconds(Math.Min(seconds, TimeSpan.FromDays(366).TotalSeconds)),
            _ => throw new ProtocolException("timeout must be 0 or more, or null"),
        };
        switch (request.Servers)
        {
            case null or { ValueKind: JsonValueKind.Null }:
                break;
            case { ValueKind: JsonValueKind.String } text when Text(text) is "connected":
                _onlyConnected = true;
                break;
            case { ValueKind: JsonValueKind.Array } names when names.GetArrayLength() <= ProtocolContext.MaxIds:
                _servers = [.. names.EnumerateArray().Select(Text)];
                break;
            default:
                throw NoServers();
        }

        Cost = Math.Max(1, _distinct.Count + (_servers?.Count ?? 0));
        _answer = connection.Answers.Reserve();
    }

    /// <summary>What is left of its time; null: no end.</summary>
    public TimeSpan? Left => _timeout - _clock.GetElapsedTime(_start);

    /// <summary>Whether its time is over.</summary>
    public bool IsOver => Left <= TimeSpan.Zero;

    /// <summary>The account that waits.</summary>
    public uint Uid => _connection.Peer.Uid;

    /// <summary>How much is looked for: distinct ids, and names of servers.</summary>
    public int Cost { get; }

    /// <summary>The round in which it was looked for last; the wait room's.</summary>
    public long LookedAt { get; set; } = -1;

    /// <summary>Whether it was answered, or nobody wants the answer; the wait room's.</summary>
    public bool IsDone { get; set; }

    /// <summary>Whether nobody wants the answer any more.</summary>
    public bool IsAbandoned => _connection.Closed.IsCancellationRequested;

    /// <summary>Looks at the messages; true when it is answered.</summary>
    public bool Look(SpoolReader reader)
    {
        if (!_hasLooked)
        {
            FindServers(reader);
            _hasLooked = true;
        }

        List<MessageStatus> found = [.. _distinct.Select(id => reader.ReadStatus(id)
            ?? throw new SpoolException(SpoolFault.NotFound, "", $"there is no message '{id}' in the spool", "see 'quickq-spool list'"))];
        bool isNever = false, isDelivered = true, mayCome = false;
        foreach (MessageStatus message in found)
        {
            List<DeliveryStatus> wanted = [.. message.Deliveries.Where(row => _servers?.Contains(row.Server) ?? message.IsAwaited(row))];
            isNever |= wanted.Exists(row => row.State is DeliveryState.Rejected or DeliveryState.Expired or DeliveryState.Cancelled);
            isDelivered &= wanted.Count > 0 && wanted.TrueForAll(row => row.State is DeliveryState.Delivered);
            mayCome |= _onlyConnected
                ? wanted.Exists(row => row.State is DeliveryState.Pending)
                : wanted.Count == 0 || wanted.Exists(row => row.State is not DeliveryState.Delivered);
        }

        // Who waits for the connected servers only wants to know what they take at once: not a message for others, nor one that is refused for now.
        if (!isNever && !isDelivered && mayCome && !IsOver)
        {
            return false;
        }

        string outcome = isNever ? "never" : isDelivered && found.Count > 0 ? "delivered" : "waiting";
        var messages = _distinct.Zip(found).ToDictionary(each => each.First, each => Output.MessageJson.From(each.Second), StringComparer.Ordinal);
        _answer.Complete(Conversation.Encode(new WaitAnswer(outcome, [.. _ids.Select(id => messages[id])]), AnswerContext.Plain.WaitAnswer));
        return true;
    }

    /// <summary>Answers with an error.</summary>
    public void Fail(byte[] error) => _answer.Complete(error);

    /// <exception cref="ProtocolException">It is no name.</exception>
    private static string Text(JsonElement name)
    {
        try
        {
            return name.GetString() is { Length: <= ProtocolContext.MaxName } text ? text : throw NoServers();
        }
        catch (InvalidOperationException exception) // no string, or half of a pair of surrogates
        {
            throw NoServers(exception);
        }
    }

    private static ProtocolException NoServers(Exception? inner = null) => new(string.Create(
        CultureInfo.InvariantCulture, $"servers must be null, an array of at most {ProtocolContext.MaxIds:N0} names, or \"connected\""), inner);

    private void FindServers(SpoolReader reader)
    {
        if (_onlyConnected)
        {
            _servers = [.. reader.ReadConnected()];
            return;
        }

        if (_servers is null)
        {
            return;
        }

        IReadOnlyList<ServerOverview> known = reader.ReadOverview().Servers;
        if (_servers.Except(known.Select(server => server.Name), StringComparer.Ordinal).FirstOrDefault() is { } unknown)
        {
            throw new SpoolException(SpoolFault.NotFound, "", $"there is no server '{unknown}'",
                $"the servers are: {string.Join(", ", known.Select(server => server.Name))}");
        }
    }
}
