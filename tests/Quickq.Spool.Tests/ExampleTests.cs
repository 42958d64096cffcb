using Quickq.Testing;

namespace Quickq.Spool.Tests;

/// <summary>The sample in docs/examples does what it says.</summary>
public sealed class ExampleTests
{
    [Fact(Timeout = 120_000)]
    public async Task The_producer_in_the_examples_adds_four_messages_and_may_be_run_twice()
    {
        using var spool = new TempSpool();
        var output = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/'));
        string program = Path.Combine(output.Parent!.Parent!.FullName, "Quickq.Example.Producer", output.Name, "producer");
        foreach (int messages in (int[])[4, 5])
        {
            using var child = ChildProcess.Start(program, [], new Dictionary<string, string?>(StringComparer.Ordinal) { ["QUICKQ_SPOOL"] = spool.Path });
            child.Stdin.Close();

            Assert.True(await child.WaitForExitAsync(TimeSpan.FromSeconds(60)) == 0, child.Stderr);

            Assert.Equal(messages, spool.Value<int>("SELECT count(*) FROM message"));
            Assert.EndsWith(" g16-band-1 g16-band-2 g16-band-3\n", child.Stdout, StringComparison.Ordinal);
        }
    }
}
