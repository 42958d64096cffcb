using System.Globalization;

namespace Quickq.DemoAudit;

/// <summary>Compares a queue with what was accepted: everything there, in order up to repeats, byte for byte.</summary>
internal sealed record Audit(int Accepted, int Delivered, int Repeats, IReadOnlyList<string> Faults)
{
    private const int FaultsShown = 10;

    public bool IsGood => Delivered == Accepted && Faults.Count == 0;

    public static Audit Compare(IReadOnlyList<FoundMessage> accepted, IReadOnlyList<FoundMessage> found)
    {
        var faults = new List<string>();
        var place = accepted.Select((message, at) => (message.Id, at)).ToDictionary(pair => pair.Id, pair => pair.at, StringComparer.Ordinal);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var furthest = -1;
        foreach (var message in found)
        {
            if (!place.TryGetValue(message.Id, out var at))
            {
                faults.Add($"'{message.Id}' was never accepted");
                continue;
            }

            if (!message.Body.AsSpan().SequenceEqual(accepted[at].Body) || !string.Equals(message.RoutingKey, accepted[at].RoutingKey, StringComparison.Ordinal))
            {
                faults.Add($"{message.Id} has another body or routing key than accepted");
            }

            // A repeat may come late; what is new must come in the order of acceptance.
            if (seen.Add(message.Id))
            {
                if (at < furthest)
                {
                    faults.Add($"{message.Id} (number {at + 1}) came first after number {furthest + 1}");
                }

                furthest = Math.Max(furthest, at);
            }
        }

        return new Audit(accepted.Count, seen.Count, found.Count - seen.Count - faults.Count(fault => fault.EndsWith("never accepted", StringComparison.Ordinal)), faults);
    }

    /// <summary>The findings, then the line that demo.sh ends with.</summary>
    public void Print(string name, TextWriter output)
    {
        foreach (var fault in Faults.Take(FaultsShown))
        {
            output.WriteLine($"{name}: {fault}");
        }

        output.WriteLine(Faults.Count == 0
            ? Line($"{name}: in the order of acceptance, bodies byte for byte, {Repeats:N0} repeated")
            : Line($"{name}: {Faults.Count:N0} faults, {Repeats:N0} repeated"));
        output.WriteLine(Line($"{name}: {Delivered:N0} of {Accepted:N0} delivered"));
    }

    private static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
