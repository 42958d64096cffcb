using System.Runtime.InteropServices;

namespace Quickq.SpoolCli.Streams;

/// <summary>SIGTERM and SIGINT as something that can be waited for; a second one ends the process as it would without us.</summary>
internal sealed class StopSignal : IDisposable
{
    private const int CloseOnExec = 0x80000;
    private readonly Descriptor _raised;
    private readonly PosixSignalRegistration _terminate;
    private readonly PosixSignalRegistration _interrupt;
    private volatile bool _isRaised;

    public StopSignal()
    {
        _raised = new Descriptor(Native.EventFd(0, CloseOnExec), "stop signal");
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Raise);
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Raise);
    }

    public bool IsRaised => _isRaised;

    /// <summary>The number of the first signal that came.</summary>
    public int Number { get; private set; }

    /// <summary>Becomes readable with the signal.</summary>
    public Descriptor Raised => _raised;

    /// <summary>Waits for the signal; true when it came.</summary>
    public bool Wait(TimeSpan atMost) => _raised.WaitReadable(_raised, (int)Math.Min(atMost.TotalMilliseconds, int.MaxValue)) || _isRaised;

    public void Dispose()
    {
        _terminate.Dispose();
        _interrupt.Dispose();
    }

    private void Raise(PosixSignalContext context)
    {
        context.Cancel = !_isRaised;
        Number = _isRaised ? Number : context.Signal == PosixSignal.SIGINT ? Native.Interrupt : Native.Terminate;
        _isRaised = true;
        _raised.Write(BitConverter.GetBytes(1UL));
    }
}
