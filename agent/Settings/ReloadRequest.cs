using System.Runtime.InteropServices;
using Quickq.Agent.Forwarding;
using Quickq.Agent.Timing;

namespace Quickq.Agent.Settings;

/// <summary>That the configuration is to be read again: by SIGHUP, from the first moment on, or by whoever sets it.</summary>
/// <remarks>Made first of all: the default action of SIGHUP would end a process that has hardly begun. What comes before anybody looks is kept.</remarks>
internal sealed class ReloadRequest : IDisposable
{
    private readonly AsyncSignal _wanted = new();
    private readonly PosixSignalRegistration _signal;

    public ReloadRequest() => _signal = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
    {
        context.Cancel = true; // else the process would end
        Set();
    });

    /// <summary>Completes at the next request, or at once when there was one since <see cref="Reset"/>.</summary>
    public Task Next => _wanted.Next;

    /// <summary>Any number of requests count as one. Any thread.</summary>
    public void Set() => _wanted.Set();

    /// <summary>Whoever reads the file calls it first.</summary>
    public void Reset() => _wanted.Reset();

    public void Dispose() => _signal.Dispose();
}
