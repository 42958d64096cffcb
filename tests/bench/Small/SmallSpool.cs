using Quickq.Bench.Contestants;
using Quickq.Spool;
using Quickq.Testing;

namespace Quickq.Bench.Small;

/// <summary>A spool that knows one server, with some messages for it.</summary>
internal sealed class SmallSpool : IDisposable
{
    private readonly TempSpool _spool = new();

    public SmallSpool(int messages)
    {
        Writer = SpoolWriter.Open(_spool.Path);
        Writer.Append(Message);
        _spool.Execute("DELETE FROM unassigned; DELETE FROM message; UPDATE tally SET value = 0; INSERT INTO server (name) VALUES ('mq1')");
        if (messages > 0)
        {
            Writer.AppendMany([.. Enumerable.Repeat(Message, messages)]);
        }
    }

    public static OutgoingMessage Message { get; } = AgentDrain.Message(new byte[1_000]);

    public string Path => _spool.Path;

    public SpoolWriter Writer { get; }

    public long FirstSeq => _spool.Value<long>("SELECT min(seq) FROM message");

    public void Dispose()
    {
        Writer.Dispose();
        _spool.Dispose();
    }
}
