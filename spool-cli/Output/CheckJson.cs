using Quickq.Spool;

namespace Quickq.SpoolCli.Output;

/// <summary><c>check --json</c>. Members may be added; none is renamed or removed.</summary>
/// <param name="Path">The spool.</param>
/// <param name="Damaged">Whether any finding is damage: the exit code is 74 then.</param>
/// <param name="Findings">What was looked at.</param>
/// <param name="Repair">What <c>--repair</c> did; null when there was nothing to do, or it was not asked for.</param>
internal sealed record CheckJson(string Path, bool Damaged, IReadOnlyList<FindingJson> Findings, RepairJson? Repair)
{
    public static CheckJson From(string path, IReadOnlyList<CheckFinding> findings, RepairReport? repair) => new(
        path,
        findings.Any(finding => finding.Level == CheckLevel.Damaged),
        [.. findings.Select(finding => new FindingJson(finding.Check, WordFor(finding.Level), finding.Text))],
        repair is null ? null : new RepairJson(repair.MessagesSaved, repair.MessagesLost, repair.LostIsExact, repair.DeliveriesSaved, repair.DeliveriesReset, repair.Aside));

    public static string WordFor(CheckLevel level) => level switch
    {
        CheckLevel.Good => "good",
        CheckLevel.Warning => "warning",
        _ => "damaged",
    };
}

/// <summary>One of the member <c>findings</c>.</summary>
internal sealed record FindingJson(string Check, string Level, string Text);

/// <summary>The member <c>repair</c>.</summary>
internal sealed record RepairJson(long MessagesSaved, long MessagesLost, bool LostIsExact, long DeliveriesSaved, long DeliveriesReset, string Aside);
