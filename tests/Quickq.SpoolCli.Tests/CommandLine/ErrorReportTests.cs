using Quickq.Spool;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Tests.CommandLine;

/// <summary>Every trouble has its code, and is told in one line.</summary>
public sealed class ErrorReportTests
{
    [Theory]
    [InlineData(SpoolFault.InvalidMessage, 65)]
    [InlineData(SpoolFault.IdConflict, 65)]
    [InlineData(SpoolFault.NotASpool, 65)]
    [InlineData(SpoolFault.NotFound, 66)]
    [InlineData(SpoolFault.UnknownServer, 66)]
    [InlineData(SpoolFault.CannotCreate, 73)]
    [InlineData(SpoolFault.InputOutput, 74)]
    [InlineData(SpoolFault.Damaged, 74)]
    [InlineData(SpoolFault.Full, 75)]
    [InlineData(SpoolFault.Busy, 75)]
    [InlineData(SpoolFault.Unanswered, 75)]
    [InlineData(SpoolFault.PermissionDenied, 77)]
    [InlineData(SpoolFault.NewerFormat, 78)]
    [InlineData(SpoolFault.UnsuitableFileSystem, 78)]
    public void A_fault_of_the_spool_has_the_code_of_the_contract(SpoolFault fault, int code)
    {
        var error = new StringWriter();

        var given = ErrorReport.Print(new SpoolException(fault, "/s", "what happened", "what to do"), error);

        Assert.Equal(code, (int)given);
        Assert.Equal("quickq-spool: what happened; what to do\n", error.ToString());
    }

    [Fact]
    public void Every_fault_is_in_the_table_above() =>
        Assert.Equal(14, Enum.GetValues<SpoolFault>().Length);

    [Fact]
    public void What_was_typed_cannot_break_the_line_or_steer_the_terminal()
    {
        var error = new StringWriter();

        ErrorReport.Print(CommandException.BadData("a\nb\e[2Jc", hint: null), error);

        Assert.Equal("quickq-spool: a\\nb\\u001b[2Jc\n", error.ToString());
    }
}
