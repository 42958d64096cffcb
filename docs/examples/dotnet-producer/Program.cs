// A producer in C#: one message, several at once, what became of them. Needs no agent and no network; run it with QUICKQ_SPOOL naming a spool.
using System.Text;
using Quickq.Spool;

string path = SpoolPath.Resolve(null);
try
{
    // One writer for each thread; any number of programs and languages may work on one spool.
    using SpoolWriter writer = SpoolWriter.Open(path);

    // When Append returns, the message is committed and synced: a power cut does not lose it.
    string id = writer.Append(new OutgoingMessage
    {
        RoutingKey = "geo.goes.g16.abi.file.realtime.ncdf.image.end",
        Body = Encoding.UTF8.GetBytes("""{"satellite_ID":"G16"}"""),
        Properties = new MessageProperties { ContentType = "application/json" },
    });

    // All or none, in this order, with one sync. An id of your own makes a repeat harmless.
    IReadOnlyList<string> ids = writer.AppendMany(
        [.. Enumerable.Range(1, 3).Select(band => new OutgoingMessage { Id = $"g16-band-{band}", RoutingKey = $"G16.{band}", Body = "{}"u8.ToArray() })]);
    Console.WriteLine(string.Join(' ', [id, .. ids]));

    using SpoolReader reader = SpoolReader.Open(path);
    SettlementProgress progress = reader.WaitForDelivery([id, .. ids], TimeSpan.FromSeconds(1));
    Console.WriteLine($"after a second: {progress}");
    foreach (DeliveryStatus delivery in reader.ReadStatus(id)!.Deliveries)
    {
        Console.WriteLine($"{delivery.Server}: {delivery.State}");
    }

    return 0;
}
catch (SpoolException refused) when (refused.Fault is SpoolFault.Full or SpoolFault.Busy)
{
    Console.Error.WriteLine($"{refused.Message}; {refused.Hint}");
    return 75; // nothing was stored: try later
}
