using System.Text.Json;
using Quickq.Testing;

namespace Quickq.Disruption.Tests.QuickMq;

/// <summary>A script of QuickMQ whose import was changed: it imports <c>quickq.api as mq</c>, and evaluates what the test asks it.</summary>
internal sealed class QuickMqScript(TempSpool spool) : IDisposable
{
    // What the package logs goes to standard error, as in a script that calls logging.basicConfig().
    private const string Code =
        """
        import json, logging, sys
        import quickq
        import quickq.api as mq
        from quickq.api import AmqpClient, AmqpConnection, ClusteredConnection

        logging.basicConfig(format="%(levelname)s %(message)s")
        for line in sys.stdin:
            try:
                exec("answer = " + json.loads(line))
            except Exception as failure:
                answer = "{}: {}".format(type(failure).__name__, failure).splitlines()[0]
            print(json.dumps({str(k): str(v) for k, v in answer.items()} if isinstance(answer, dict) else answer), flush=True)
        """;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly ChildProcess _child = PythonProgram.Start(spool, Code);
    private int _read;

    /// <summary>The warnings that it logged so far.</summary>
    public IReadOnlyList<string> Warnings => [.. _child.Stderr.Split('\n').Where(line => line.StartsWith("WARNING ", StringComparison.Ordinal)).Select(line => line[8..])];

    /// <summary>Evaluates an expression; gives its value as JSON, an exception as a string with its type and first line.</summary>
    public async Task<string> AskAsync(string expression)
    {
        await _child.Stdin.WriteLineAsync(JsonSerializer.Serialize(expression));
        await _child.Stdin.FlushAsync(TestContext.Current.CancellationToken);
        string answer = "";
        await Eventually.Closely($"the script has evaluated {expression}", Limit, () =>
        {
            if (_child.HasExited)
            {
                throw new InvalidOperationException(_child.Stderr);
            }

            string unread = _child.Stdout[_read..];
            int end = unread.IndexOf('\n', StringComparison.Ordinal);
            answer = end < 0 ? "" : unread[..end];
            return end >= 0;
        });
        _read += answer.Length + 1;
        return answer;
    }

    /// <summary>As <see cref="AskAsync"/>, for a dictionary: <c>mq1=DELIVERED mq2=PENDING</c>.</summary>
    public async Task<string> StatesAsync(string expression)
    {
        string answer = await AskAsync(expression);
        return answer.StartsWith('{')
            ? string.Join(' ', JsonSerializer.Deserialize<SortedDictionary<string, string>>(answer)!.Select(each => $"{each.Key}={each.Value}"))
            : answer;
    }

    /// <summary>Asks again until the dictionary is this one.</summary>
    public Task AwaitAsync(string expression, string states) =>
        Eventually.Gives($"{expression} gives {states}", states, Limit, () => StatesAsync(expression));

    public void Dispose() => _child.Dispose();
}
