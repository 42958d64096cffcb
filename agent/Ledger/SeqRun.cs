namespace Quickq.Agent.Ledger;

/// <summary>Sequence numbers without a gap, from the first to the last.</summary>
internal readonly record struct SeqRun(long First, long Last)
{
    /// <summary>Takes numbers in ascending order apart at every gap; a number that comes twice counts once. Every number of a run is one of those given.</summary>
    public static List<SeqRun> Split(List<long> ascending)
    {
        var runs = new List<SeqRun>();
        foreach (long seq in ascending)
        {
            if (runs.Count == 0 || seq > runs[^1].Last + 1)
            {
                runs.Add(new SeqRun(seq, seq));
            }
            else
            {
                runs[^1] = runs[^1] with { Last = seq };
            }
        }

        return runs;
    }
}
