using System.Reflection;
using Xunit;
using Xunit.v3;

namespace Quickq.Testing;

/// <summary>Writes the <see cref="FailureReport"/> and the seed into the output of every failed test of the assembly.</summary>
[AttributeUsage(AttributeTargets.Assembly | AttributeTargets.Class | AttributeTargets.Method)]
public sealed class ReportOnFailureAttribute : BeforeAfterTestAttribute
{
    public override void After(MethodInfo methodUnderTest, IXunitTest test)
    {
        var report = FailureReport.Take();
        if (TestContext.Current.TestState?.Result == TestResult.Failed)
        {
            TestContext.Current.TestOutputHelper?.WriteLine($"random seed: {Some.Seed} (repeat with QUICKQ_SEED={Some.Seed})\n{report}");
        }
    }
}
