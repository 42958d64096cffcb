// A producer in C#: one message, then several at once. Needs no agent and no network.
// Uses the spool of this host, or the one that QUICKQ_SPOOL names. Only its owner opens the file; everybody else goes through its service.
using System.Text;
using Quickq.Spool;

try
{
    // One producer for each thread; any number of programs and languages may use one spool.
    using ISpoolProducer spool = SpoolProducer.Open();

    // When Append returns, the message is committed and synced: a power cut does not lose it.
    string id = spool.Append(new OutgoingMessage
    {
        RoutingKey = "geo.goes.g16.abi.file.realtime.ncdf.image.end",
        Body = Encoding.UTF8.GetBytes("""{"satellite_ID":"G16"}"""),
        Properties = new MessageProperties { ContentType = "application/json" },
    });

    // All or none, in this order, with one sync. An id of your own makes a repeat harmless.
    IReadOnlyList<string> ids = spool.AppendMany(
        [.. Enumerable.Range(1, 3).Select(band => new OutgoingMessage { Id = $"g16-band-{band}", RoutingKey = $"G16.{band}", Body = "{}"u8.ToArray() })]);

    // 'quickq-spool status ID' shows what becomes of them, 'quickq-spool wait ID' returns when every server has them.
    Console.WriteLine(string.Join(' ', [id, .. ids]));
    return 0;
}
catch (SpoolException unanswered) when (unanswered.Fault is SpoolFault.Unanswered)
{
    // The messages may have been stored. Append them again under these ids: what is stored already is not stored twice.
    Console.Error.WriteLine($"{unanswered.Message}\nhint: {unanswered.Hint}: {string.Join(' ', unanswered.MessageIds)}");
    return 75;
}
catch (SpoolException refused) when (refused.Fault is SpoolFault.Full or SpoolFault.Busy)
{
    Console.Error.WriteLine($"{refused.Message}\nhint: {refused.Hint}");
    return 75; // nothing was stored: try later
}
