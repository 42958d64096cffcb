using Quickq.Testing.Network;

namespace Quickq.Disruption.Tests;

/// <summary>Draws what a hostile server does in one conversation: one thing at one point, which a broker would never do there.</summary>
internal static class HostileMoves
{
    private static readonly AmqpPoint[] Points = Enum.GetValues<AmqpPoint>();

    public static IDictionary<AmqpPoint, AmqpMove> Draw(Random shared)
    {
        Random dice;
        lock (shared)
        {
            dice = new Random(shared.Next());
        }

        AmqpPoint point = Points[dice.Next(Points.Length)];
        var then = (AmqpThen)dice.Next(3);
        return new Dictionary<AmqpPoint, AmqpMove> { [point] = new(Says(dice, point), then) };
    }

    private static byte[] Says(Random dice, AmqpPoint point) => dice.Next(14) switch
    {
        0 => [],
        1 => Garbage(dice, dice.Next(1, 100_000)),
        2 => Honest(point)[..dice.Next(1, Honest(point).Length)],
        3 or 4 => Flipped(dice, Honest(point)),
        5 => AmqpFrames.Frame((byte)dice.Next(256), (ushort)dice.Next(3), Garbage(dice, dice.Next(70_000))),
        6 => AmqpFrames.Start(dice.Next(2) == 0 ? AmqpFrames.NestedTable(dice.Next(2, 60_000)) : AmqpFrames.NestedArray(dice.Next(2, 60_000))),
        7 => AmqpFrames.Tune((ushort)dice.Next(65_536), (uint)dice.NextInt64(uint.MaxValue), (ushort)dice.Next(65_536)),
        8 => [.. AmqpFrames.Return(1, "k"), .. AmqpFrames.Content(1, (ulong)dice.NextInt64(), AmqpFrames.NestedTable(dice.Next(1, 20_000))), .. AmqpFrames.Body(1, dice.Next(200_000))],
        9 => AmqpFrames.Method((ushort)dice.Next(3), (ushort)(10 * dice.Next(10)), (ushort)(dice.Next(13) * 10), Garbage(dice, dice.Next(64))),
        10 => [.. Enumerable.Range(0, 2_000).SelectMany(i => (byte[])[.. AmqpFrames.Blocked($"reason {i}"), .. AmqpFrames.Unblocked()])],
        11 => [.. Enumerable.Range(0, 2_000).SelectMany(_ => AmqpFrames.Ack(1, (ulong)dice.NextInt64(), dice.Next(2) == 0))],
        12 => dice.Next(2) == 0 ? AmqpFrames.ChannelClose(1, (ushort)dice.Next(600), "\u001b[31m\r\n\u202e") : AmqpFrames.ConnectionClose((ushort)dice.Next(600), "\u001b[31m\r\n\u202e"),
        _ => [.. Honest(point), .. Honest(point), .. Honest(point)],
    };

    private static byte[] Honest(AmqpPoint point) => point switch
    {
        AmqpPoint.Start => AmqpFrames.Start(),
        AmqpPoint.Tune => AmqpFrames.Tune(),
        AmqpPoint.OpenOk => AmqpFrames.OpenOk(),
        AmqpPoint.ChannelOpenOk => AmqpFrames.ChannelOpenOk(1),
        AmqpPoint.ConfirmSelectOk => AmqpFrames.ConfirmSelectOk(1),
        _ => AmqpFrames.Ack(1, 1),
    };

    private static byte[] Flipped(Random dice, byte[] bytes)
    {
        for (int left = dice.Next(1, 4); left > 0; left--)
        {
            bytes[dice.Next(bytes.Length)] ^= (byte)(1 << dice.Next(8));
        }

        return bytes;
    }

    private static byte[] Garbage(Random dice, int count)
    {
        var bytes = new byte[count];
        dice.NextBytes(bytes);
        return bytes;
    }
}
