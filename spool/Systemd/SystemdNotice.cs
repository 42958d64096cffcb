using System.Globalization;
using System.Text;

namespace Quickq.Spool.Systemd;

/// <summary>Tells systemd how a service is (sd_notify), where systemd asked for it by NOTIFY_SOCKET; else says nothing to nobody.</summary>
/// <remarks>
/// Never waits. What systemd did not take is kept and goes with the next notice, and once a second until it is taken; only a fed
/// watchdog is not made up for. Any thread.
/// </remarks>
internal sealed class SystemdNotice : IDisposable
{
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly DatagramSocket? _socket;
    private readonly TimeProvider _clock;
    private readonly ITimer _again;
    private readonly List<(string Name, string Assignments)> _owed = [];
    private volatile bool _stopping;

    /// <param name="socket">What NOTIFY_SOCKET says.</param>
    /// <param name="watchdogPeriod">How often systemd wants to hear, at the least; null when it has no watchdog for this process.</param>
    /// <param name="clock">The clock.</param>
    public SystemdNotice(string? socket, TimeSpan? watchdogPeriod, TimeProvider clock)
    {
        _socket = string.IsNullOrEmpty(socket) ? null : new DatagramSocket(socket);
        WatchdogPeriod = _socket is null ? null : watchdogPeriod;
        _clock = clock;
        _again = clock.CreateTimer(_ => Send("", ""), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public TimeSpan? WatchdogPeriod { get; }

    /// <summary>Whether anybody listens: nobody need put a status into words otherwise.</summary>
    public bool IsHeard => _socket is not null;

    /// <summary>As the environment has it. WATCHDOG_PID names the process that is meant, if it is there.</summary>
    public static SystemdNotice FromEnvironment(TimeProvider clock)
    {
        string? pid = Environment.GetEnvironmentVariable("WATCHDOG_PID");
        bool meant = string.IsNullOrEmpty(pid) || string.Equals(pid, Environment.ProcessId.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
        TimeSpan? period = meant && long.TryParse(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), CultureInfo.InvariantCulture, out long microseconds) && microseconds > 0
            ? TimeSpan.FromMicroseconds(microseconds)
            : null;
        return new SystemdNotice(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"), period, clock);
    }

    public void Ready() => Send("STATE", "READY=1");

    /// <summary>The configuration is being read again; <see cref="Ready"/> follows.</summary>
    public void Reloading() => Send("STATE", string.Create(CultureInfo.InvariantCulture,
        $"RELOADING=1\nMONOTONIC_USEC={(long)_clock.GetElapsedTime(0).TotalMicroseconds}"));

    /// <summary>The last word but for the status: what ends is not ready again.</summary>
    public void Stopping()
    {
        Send("STATE", "STOPPING=1");
        _stopping = true;
    }

    /// <summary>One line for <c>systemctl status</c>.</summary>
    public void Status(string text) => Send("STATUS", "STATUS=" + SafeText.OneLine(text));

    /// <summary>All is well; nothing where systemd has no watchdog for this process.</summary>
    public void FeedWatchdog() => Send("", WatchdogPeriod is null ? "" : "WATCHDOG=1");

    public void Dispose()
    {
        _again.Dispose();
        _socket?.Dispose();
    }

    /// <summary>Sends what is owed and this; of two notices with the same name the older is obsolete. One without a name is never owed.</summary>
    private void Send(string name, string assignments)
    {
        if (_socket is null || (_stopping && name is "STATE"))
        {
            return;
        }

        lock (_gate)
        {
            _owed.RemoveAll(older => string.Equals(older.Name, name, StringComparison.Ordinal));
            string datagram = string.Join('\n', _owed.Select(older => older.Assignments).Append(assignments).Where(some => some.Length > 0));
            if (datagram.Length == 0 || _socket.Send(Encoding.UTF8.GetBytes(datagram)) == DatagramFate.Taken)
            {
                _owed.Clear();
                return;
            }

            if (name.Length > 0)
            {
                _owed.Add((name, assignments));
            }

            if (_owed.Count > 0)
            {
                _again.Change(Again, Timeout.InfiniteTimeSpan);
            }
        }
    }
}
