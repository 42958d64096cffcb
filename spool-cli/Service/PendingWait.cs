using System.Text.Json;
using Quickq.Spool;
using Quickq.Spool.Service;

namespace Quickq.SpoolCli.Service;

/// <summary>One <c>w</c> request until its answer.</summary>
internal sealed class PendingWait
{
    private readonly IReadOnlyList<string> _ids;
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
            case { ValueKind: JsonValueKind.String } text when text.ValueEquals("connected"):
                _onlyConnected = true;
                break;
            case { ValueKind: JsonValueKind.Array } names when names.EnumerateArray().All(name => name.ValueKind == JsonValueKind.String):
                _servers = [.. names.EnumerateArray().Select(name => name.GetString()!)];
                break;
            default:
                throw new ProtocolException("servers must be null, an array of names, or \"connected\"");
        }

        _answer = connection.Answers.Reserve();
    }

    /// <summary>What is left of its time; null: no end.</summary>
    public TimeSpan? Left => _timeout - _clock.GetElapsedTime(_start);

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

        List<MessageStatus> found = [.. _ids.Select(id => reader.ReadStatus(id)
            ?? throw new SpoolException(SpoolFault.NotFound, "", $"there is no message '{id}' in the spool", "see 'quickq-spool list'"))];
        bool isNever = false, isDelivered = true, mayCome = false;
        foreach (MessageStatus message in found)
        {
            List<DeliveryStatus> wanted = [.. message.Deliveries.Where(IsWanted)];
            isNever |= wanted.Exists(row => row.State is DeliveryState.Rejected or DeliveryState.Expired or DeliveryState.Cancelled);
            isDelivered &= wanted.Count > 0 && wanted.TrueForAll(row => row.State is DeliveryState.Delivered);
            mayCome |= wanted.Count == 0 || wanted.Exists(row => row.State is not DeliveryState.Delivered);
        }

        // Nobody is connected who could take one: waiting brings nothing.
        bool isOver = Left <= TimeSpan.Zero || (_onlyConnected && _servers!.Count == 0);
        if (!isNever && !isDelivered && mayCome && !isOver)
        {
            return false;
        }

        string outcome = isNever ? "never" : isDelivered && found.Count > 0 ? "delivered" : "waiting";
        _answer.Complete(Conversation.Encode(new WaitAnswer(outcome, [.. found.Select(Output.MessageJson.From)]), AnswerContext.Plain.WaitAnswer));
        return true;
    }

    /// <summary>Answers with an error.</summary>
    public void Fail(byte[] error) => _answer.Complete(error);

    private bool IsWanted(DeliveryStatus row) => _servers?.Contains(row.Server) ?? row.ServerActive;

    private void FindServers(SpoolReader reader)
    {
        if (_servers is null && !_onlyConnected)
        {
            return;
        }

        IReadOnlyList<ServerOverview> known = reader.ReadOverview().Servers;
        if (_onlyConnected)
        {
            _servers = [.. known.Where(server => server is { Active: true, Connection: "connected" }).Select(server => server.Name)];
        }
        else if (_servers!.Except(known.Select(server => server.Name), StringComparer.Ordinal).FirstOrDefault() is { } unknown)
        {
            throw new SpoolException(SpoolFault.NotFound, "", $"there is no server '{unknown}'",
                $"the servers are: {string.Join(", ", known.Select(server => server.Name))}");
        }
    }
}
