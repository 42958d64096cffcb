using System.Buffers.Binary;
using Quickq.Agent.Broker;
using Quickq.Testing;
using Quickq.Testing.Network;

namespace Quickq.Agent.Tests.Broker;

public sealed class InboundFramesTests
{
    [Fact]
    public void What_a_broker_says_passes_unchanged_however_it_is_cut_into_parts()
    {
        byte[] said = [.. AmqpFrames.Start(), .. AmqpFrames.Tune(), .. AmqpFrames.OpenOk(), .. AmqpFrames.Heartbeat(), .. AmqpFrames.ChannelOpenOk(1), .. AmqpFrames.Ack(1, 7), .. AmqpFrames.Heartbeat()];

        Assert.Equal(said, Pass(said, said.Length));
        foreach (int largest in new[] { 1, 2, 7, 8, 100 })
        {
            Assert.Equal(said, Pass(said, largest));
        }
    }

    [Fact]
    public void Of_a_returned_message_the_properties_pass_and_the_body_does_not()
    {
        byte[] method = AmqpFrames.Return(1, "key"), ack = AmqpFrames.Ack(1, 1);
        byte[] said = [.. method, .. AmqpFrames.Content(1, bodyBytes: 300_000, headers: AmqpFrames.NestedTable(3)), .. AmqpFrames.Body(1, 100_000), .. AmqpFrames.Body(1, 100_000), .. AmqpFrames.Body(1, 100_000), .. ack];
        byte[] expected = [.. method, .. AmqpFrames.Content(1, bodyBytes: 0, headers: AmqpFrames.NestedTable(3)), .. ack];

        foreach (int largest in new[] { 1, 3, 64, 5_000, said.Length })
        {
            Assert.Equal(expected, Pass(said, largest));
        }
    }

    public static TheoryData<string, byte[]> Harmful => new()
    {
        { "more than 32 levels", AmqpFrames.Start(AmqpFrames.NestedTable(1_000)) },
        { "more than 32 levels", AmqpFrames.Start(AmqpFrames.NestedArray(1_000)) },
        { "more than 32 levels", AmqpFrames.Content(1, 0, AmqpFrames.NestedTable(33)) },
        { "at most 65,536 are allowed", AmqpFrames.Start(AmqpFrames.NestedTable(100_000)) },
        { "frames of 1 bytes", AmqpFrames.Tune(frameMax: 1) },
        { "frames of 4095 bytes", AmqpFrames.Tune(frameMax: 4_095) },
        { "a frame of 4,294,967,295 bytes", [1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0] },
        { "a frame of 1,000,000 bytes", AmqpFrames.Body(1, 1_000_000) },
        { "a frame of 5 bytes", [2, 0, 1, 0, 0, 0, 5, .. new byte[20]] },
        { "does not speak AMQP 0-9-1 (a frame of type 72)", "HTTP/1.1 400 Bad Request\r\n"u8.ToArray() },
        { "no AMQP table", AmqpFrames.Start([0, 0, 0, 3, 1, (byte)'x', (byte)'?']) },
        { "no AMQP table", AmqpFrames.Start([0, 0, 0, 8, 1, (byte)'x', (byte)'S', 0xFF, 0xFF, 0xFF, 0xFF, 0]) },
    };

    [Theory]
    [MemberData(nameof(Harmful), DisableDiscoveryEnumeration = true)]
    public void What_would_harm_the_library_ends_the_connection_before_it_is_whole(string reason, byte[] said)
    {
        foreach (int largest in new[] { said.Length, 13 })
        {
            Assert.Contains(reason, Assert.Throws<BrokerProtocolException>(() => Pass(said, largest)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Another_version_of_the_protocol_is_for_the_library_to_tell()
    {
        byte[] said = [(byte)'A', (byte)'M', (byte)'Q', (byte)'P', 0, 1, 0, 0];
        Assert.Equal(said, Pass(said, 3));
    }

    [Fact]
    public void Garbage_passes_or_is_refused_and_nothing_else()
    {
        for (int i = 0; i < 2_000; i++)
        {
            byte[] said = [.. AmqpFrames.Start(), .. AmqpFrames.Content(1, 5, AmqpFrames.NestedTable(2)), .. AmqpFrames.Body(1, 5)];
            for (int left = Some.Number(1, 8); left > 0; left--)
            {
                said[Some.Number(0, said.Length - 1)] = (byte)Some.Number(0, 255);
            }

            try
            {
                Assert.InRange(Pass(said, Some.Number(1, 200)).Length, 0, said.Length);
            }
            catch (BrokerProtocolException)
            {
                // The connection ends with it.
            }
        }
    }

    /// <summary>As the stream does: what was kept back before comes first in the buffer.</summary>
    private static byte[] Pass(ReadOnlySpan<byte> said, int largest)
    {
        var frames = new InboundFrames();
        var passed = new List<byte>();
        while (said.Length > 0)
        {
            int count = Math.Min(largest, said.Length);
            var buffer = new byte[InboundFrames.MostKeptBack + count];
            int kept = frames.Restore(buffer);
            said[..count].CopyTo(buffer.AsSpan(kept));
            passed.AddRange(buffer[..frames.Pass(buffer.AsSpan(0, kept + count))]);
            said = said[count..];
        }

        return [.. passed];
    }
}
