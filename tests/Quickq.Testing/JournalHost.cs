using System.Text.Json;

namespace Quickq.Testing;

/// <summary>A real systemd-journald of its own, in a mount namespace with an empty /run: what runs within it logs there and nowhere else. Needs root.</summary>
public sealed class JournalHost : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly ChildProcess _journal;

    private JournalHost(ChildProcess journal) => _journal = journal;

    public static bool IsPossible => Environment.UserName is "root" && File.Exists("/lib/systemd/systemd-journald");

    /// <summary>What starts a program with standard error connected to the journal, as systemd does it for a service.</summary>
    public string[] AsService =>
    [
        .. Inside, "systemd-cat", "sh", "-c", "JOURNAL_STREAM=$(stat -L -c %d:%i /dev/stderr) exec \"$@\"", "sh",
    ];

    /// <summary>What starts a program beside this journal, with its own standard error.</summary>
    public string[] Inside => ["nsenter", "-t", _journal.Pid.ToString(), "-m", "--"];

    public static async Task<JournalHost> StartAsync()
    {
        var journal = ChildProcess.Start("unshare", ["-m", "--propagation", "private", "sh", "-c",
            "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal /run/log/journal && exec /lib/systemd/systemd-journald"]);
        var host = new JournalHost(journal);
        await Eventually.Is("the journal listens", Limit, async () => await host.TryAsync("test", "-S", "/run/systemd/journal/socket") == 0);
        return host;
    }

    /// <summary>SIGSTOP: its sockets stay and nobody reads them.</summary>
    public Task PauseAsync() => _journal.PauseAsync();

    public void Resume() => _journal.Resume();

    /// <summary>What <c>journalctl -o json</c> shows of one program, oldest first.</summary>
    public async Task<IReadOnlyList<JsonElement>> ReadAsync(params string[] matches)
    {
        using var reader = ChildProcess.Start(Inside[0], [.. Inside[1..], "journalctl", "-o", "json", "--no-pager", "--all", .. matches]);
        reader.Stdin.Close();
        var code = await reader.WaitForExitAsync(Limit);
        if (code is not (0 or 1))
        {
            throw new InvalidOperationException($"journalctl: exit {code}: {reader.Stderr}");
        }

        return [.. reader.Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line[0] == '{').Select(line => JsonDocument.Parse(line).RootElement)];
    }

    public ValueTask DisposeAsync()
    {
        _journal.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<int> TryAsync(params string[] command)
    {
        using var child = ChildProcess.Start(Inside[0], [.. Inside[1..], .. command]);
        return await child.WaitForExitAsync(Limit);
    }
}
