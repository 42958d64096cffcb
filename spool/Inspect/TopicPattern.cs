namespace Quickq.Spool;

/// <summary>Matches routing keys as a topic exchange does (AMQP 0-9-1, section 3.1.3.3): <c>*</c> one word, <c>#</c> any number of words.</summary>
public sealed class TopicPattern
{
    private readonly string[] _pattern;

    /// <summary>Takes a pattern of words separated by dots.</summary>
    public TopicPattern(string pattern) => _pattern = pattern.Split('.');

    /// <summary>True when the whole routing key fits the pattern.</summary>
    public bool Matches(string routingKey)
    {
        string[] words = routingKey.Length == 0 ? [] : routingKey.Split('.');

        // reachable[j]: the first j words fit the part of the pattern read so far. No back-tracking, whatever the pattern.
        bool[] reachable = new bool[words.Length + 1];
        reachable[0] = true;
        foreach (string part in _pattern)
        {
            bool[] next = new bool[words.Length + 1];
            for (int j = 0; j <= words.Length; j++)
            {
                next[j] = part is "#"
                    ? reachable[j] || (j > 0 && next[j - 1])
                    : j > 0 && reachable[j - 1] && (part is "*" || string.Equals(part, words[j - 1], StringComparison.Ordinal));
            }

            reachable = next;
        }

        return reachable[words.Length];
    }
}
