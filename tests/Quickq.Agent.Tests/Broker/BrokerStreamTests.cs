using System.Net;
using System.Net.Sockets;
using Quickq.Agent.Broker;
using Quickq.Testing;

namespace Quickq.Agent.Tests.Broker;

/// <summary>A stream over a real connection of this machine, with the broker's end in the hands of the test.</summary>
public sealed class BrokerStreamTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>Nobody reads: what takes so long does not end by itself.</summary>
    private static readonly TimeSpan Stuck = TimeSpan.FromSeconds(2);

    private readonly Socket _agent;
    private readonly Socket _broker;
    private readonly BrokerStream _stream;

    public BrokerStreamTests()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        _agent = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        _agent.Connect(listener.LocalEndpoint);
        _broker = listener.AcceptSocket();
        _stream = BrokerStream.Over(_agent);
    }

    [Fact(Timeout = 120_000)]
    public async Task Bytes_arrive_in_the_order_of_writing_whatever_the_sizes()
    {
        byte[][] parts = [.. Enumerable.Range(0, 400).Select(_ => Some.Bytes(Some.Number(1, 10) switch { 1 => BrokerStream.Capacity * 3, 2 => BrokerStream.Capacity, _ => Some.Number(1, 2_000) }))];
        byte[] expected = [.. parts.SelectMany(part => part)];
        Task<byte[]> received = ReceiveAsync(expected.Length);

        foreach (byte[] part in parts)
        {
            await _stream.WriteAsync(part);
            Array.Clear(part); // the writer may use its memory again
        }

        Assert.Equal(expected, await received);
    }

    [Fact(Timeout = 120_000)]
    public async Task One_message_alone_goes_out_without_another_to_push_it()
    {
        for (int i = 0; i < 100; i++)
        {
            await _stream.WriteAsync(new byte[] { (byte)i });
            Assert.Equal([(byte)i], await ReceiveAsync(1));
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task A_writer_waits_when_the_broker_reads_nothing_and_goes_on_when_it_does()
    {
        (Task waiting, int written) = await WriteUntilOneWaitsAsync(10_000);

        byte[] all = await ReceiveAsync(written * 10_000);
        await waiting.WaitAsync(Limit);
        Assert.Equal(Enumerable.Range(0, written).Select(i => (byte)(i % 251)), all.Where((_, i) => i % 10_000 == 0));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_broken_connection_is_told_by_a_later_write()
    {
        _broker.LingerState = new LingerOption(enable: true, seconds: 0);
        _broker.Close();

        await Eventually.Is("a write fails", Limit, async () => await FailsAsync());
        await Assert.ThrowsAnyAsync<IOException>(() => _stream.WriteAsync(new byte[1]).AsTask());
    }

    [Fact(Timeout = 120_000)]
    public async Task A_writer_that_waits_is_told_when_the_connection_is_cut()
    {
        (Task waiting, _) = await WriteUntilOneWaitsAsync(BrokerStream.Capacity);

        _agent.Dispose();

        await Assert.ThrowsAnyAsync<IOException>(() => waiting.WaitAsync(Limit));
    }

    public void Dispose()
    {
        _stream.Dispose();
        _agent.Dispose();
        _broker.Dispose();
    }

    /// <summary>Fills all there is on the way, each part with its number; the last of them waits.</summary>
    private async Task<(Task Waiting, int Written)> WriteUntilOneWaitsAsync(int bytes)
    {
        for (int written = 1; ; written++)
        {
            Task write = _stream.WriteAsync(Enumerable.Repeat((byte)((written - 1) % 251), bytes).ToArray()).AsTask();
            if (await Task.WhenAny(write, Task.Delay(Stuck, TimeProvider.System)) != write)
            {
                return (write, written);
            }

            await write;
        }
    }

    private async Task<bool> FailsAsync()
    {
        try
        {
            await _stream.WriteAsync(new byte[1]);
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private async Task<byte[]> ReceiveAsync(int count)
    {
        byte[] all = new byte[count];
        for (int got = 0; got < count;)
        {
            int read = await _broker.ReceiveAsync(all.AsMemory(got)).AsTask().WaitAsync(Limit);
            got += read > 0 ? read : throw new IOException($"the stream ended after {got} of {count} bytes");
        }

        return all;
    }
}
