using System.Globalization;
using Quickq.DemoAudit;
using RabbitMQ.Client.Exceptions;

// What packaging/demo.sh needs of a broker, by a client that is not the agent:
//   demo-audit declare PORT                    an exchange and a durable queue behind it; 75 while the node does not serve
//   demo-audit audit NAME PORT EVENTS IDS      compares the queue with what was accepted; 1 if anything is missing or wrong
try
{
    switch (args)
    {
        case ["declare", var port]:
            await DemoQueue.DeclareAsync(int.Parse(port, CultureInfo.InvariantCulture));
            return 0;

        case ["audit", var name, var port, var events, var ids]:
            var accepted = AcceptedEvents.Read(events, ids);
            var found = await DemoQueue.ReadAsync(int.Parse(port, CultureInfo.InvariantCulture));
            var verdict = Audit.Compare(accepted, found);
            verdict.Print(name, Console.Out);
            return verdict.IsGood ? 0 : 1;

        default:
            await Console.Error.WriteLineAsync("usage: demo-audit declare PORT | audit NAME PORT EVENTS IDS");
            return 64;
    }
}
catch (BrokerUnreachableException away)
{
    await Console.Error.WriteLineAsync($"demo-audit: {away.InnerException?.Message ?? away.Message}");
    return 75;
}
