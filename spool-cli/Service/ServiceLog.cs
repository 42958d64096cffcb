using System.Globalization;
using Quickq.Spool;

namespace Quickq.SpoolCli.Service;

/// <summary>What the service logs: state changes, and each change that an operator makes. One line each, to standard error.</summary>
/// <param name="output">Never makes the caller wait.</param>
/// <param name="forJournal">Whether each line begins with its level as systemd reads it (<c>&lt;6&gt;</c>), instead of the time.</param>
/// <param name="clock">The clock.</param>
internal sealed class ServiceLog(TextWriter output, bool forJournal, TimeProvider clock)
{
    private const int Error = 3, Warning = 4, Info = 6;

    public void Serves(string path, string socket) => Write(Info, $"serving the spool {path} on {socket}");

    public void Stops(string reason) => Write(Info, $"stopping: {reason}");

    public void StopsUnfinished(TimeSpan limit) => Write(Warning, $"not all requests were finished within {limit.TotalSeconds:0} s; stopping without them");

    public void CannotStore(SpoolException failure) => Write(Warning, $"refusing messages: {failure.Message}{(failure.Hint is null ? "" : "; hint: ")}{failure.Hint}");

    public void AcceptsAgain(string path) => Write(Info, $"accepting messages again: {path}");

    public void KeptWal(string kept) => Write(Warning, $"a new spool was made; {OrphanedWal.Describe(kept)}");

    public void CannotAccept(string reason) => Write(Warning, $"cannot accept connections: {reason}; retrying");

    public void Changed(uint uid, string name, IEnumerable<string> arguments, int code) =>
        Write(code == 0 ? Info : Warning, string.Create(CultureInfo.InvariantCulture, $"{AccountNames.WithNumber(uid, name)} ran: {string.Join(' ', arguments.Select(Quote))}: exit {code}"));

    public void InternalError(Exception exception) => Write(Error, $"internal error, connection closed: {exception}");

    public void WatchdogStarves(string loop) => Write(Error, $"no longer notifying the systemd watchdog: {loop} makes no progress");

    private void Write(int level, string text)
    {
        string line = SafeText.OneLine(text);
        output.Write(forJournal
            ? string.Create(CultureInfo.InvariantCulture, $"<{level}>{line}\n")
            : string.Create(CultureInfo.InvariantCulture, $"{clock.GetUtcNow():yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {(level switch { Error => "ERROR", Warning => "WARN", _ => "INFO" })} {line}\n"));
    }

    /// <summary>As a shell would need it, where it would need it.</summary>
    private static string Quote(string argument) => argument.Length > 0 && argument.All(letter => char.IsAsciiLetterOrDigit(letter) || "-_=.,:/@%+".Contains(letter, StringComparison.Ordinal))
        ? argument
        : $"'{argument.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
