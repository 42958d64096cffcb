using System.Text;

namespace Quickq.Testing;

/// <summary>What is shown beside a failed test: logs of the nodes and agents that took part, and the state of the spool.</summary>
public static class FailureReport
{
    private static readonly Lock Gate = new();
    private static readonly Dictionary<object, Func<string>> Watched = [];
    private static readonly List<string> LastWords = [];

    /// <summary>Asks <paramref name="describe"/> at every failure until <see cref="Forget"/>.</summary>
    public static void Watch(object subject, Func<string> describe)
    {
        lock (Gate)
        {
            Watched[subject] = describe;
        }
    }

    /// <summary>The subject is gone and has nothing to say to later tests.</summary>
    public static void Forget(object subject)
    {
        lock (Gate)
        {
            Watched.Remove(subject);
        }
    }

    /// <summary>Keeps the words of something that ends inside a test, for the case that the test fails.</summary>
    public static void Keep(string words)
    {
        lock (Gate)
        {
            LastWords.Add(words);
        }
    }

    /// <summary>Everything that is known at this moment; what was kept is given once.</summary>
    public static string Take()
    {
        List<Func<string>> living;
        var report = new StringBuilder();
        lock (Gate)
        {
            living = [.. Watched.Values];
            LastWords.ForEach(words => report.AppendLine(words));
            LastWords.Clear();
        }

        living.ForEach(describe => report.AppendLine(describe()));
        return report.ToString();
    }
}
