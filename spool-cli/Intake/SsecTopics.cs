using System.Text.Json;
using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Intake;

/// <summary>Derives the nine-word topics of the SSEC; says each unusual word once, however many messages have it.</summary>
internal sealed class SsecTopics(TextWriter warnings)
{
    private readonly HashSet<string> _said = new(StringComparer.Ordinal);

    /// <summary>The topic of an event; 65 with the name of the word that cannot be derived.</summary>
    public string Derive(JsonElement payload)
    {
        try
        {
            var topic = SsecTopic.Derive(payload);
            foreach (var unusual in SsecTopic.FindUnusualWords(topic).Where(_said.Add))
            {
                warnings.WriteLine($"quickq-spool: warning: {unusual}");
            }

            return topic;
        }
        catch (FormatException fault)
        {
            throw CommandException.BadData(fault.Message, "complete the payload, or give the topic with -t");
        }
    }
}
