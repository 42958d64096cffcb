using System.Collections.Concurrent;
using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Quickq.Spool.Files;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Service;

/// <summary>Tells connections when there is something to read: one thread sleeps in <c>epoll_wait(2)</c>, and is told of a socket once for each wait.</summary>
/// <remarks>
/// Not the runtime's own waiting: that is told of whatever happens to a socket for as long as it is open, which wakes two threads for each message, and two more when the
/// peer has read the answer, whether anybody waits or not. The thread lives as long as the service does.
/// </remarks>
internal sealed class ReadWatch
{
    /// <summary>A producer that publishes one by one comes again within less.</summary>
    private const int LingerMilliseconds = 5;

    private readonly ConcurrentDictionary<long, Subject> _subjects = new();
    private readonly EventPoll _poll = new();
    private long _lastNumber;
    private int _lingering;

    /// <exception cref="Win32Exception">The kernel gives no descriptor for it.</exception>
    public ReadWatch()
    {
        if (!_poll.IsOpen)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }

        new Thread(Run) { Name = "spool connections", IsBackground = true }.Start();
    }

    /// <summary>Watches a socket; to be disposed of before that is closed.</summary>
    public Subject Watch(Socket socket)
    {
        var subject = new Subject(this, (int)socket.Handle, Interlocked.Increment(ref _lastNumber));
        _subjects[subject.Number] = subject;
        return subject;
    }

    private void Run()
    {
        Span<long> ready = stackalloc long[64];
        while (true)
        {
            foreach (long number in ready[.._poll.Wait(ready, milliseconds: -1)])
            {
                if (_subjects.TryGetValue(number, out Subject? subject))
                {
                    subject.Notify();
                }
            }
        }
    }

    /// <summary>One socket. One task waits for it at a time.</summary>
    internal sealed class Subject(ReadWatch watch, int descriptor, long number) : IDisposable
    {
        private readonly Lock _gate = new();
        private TaskCompletionSource? _wanted;
        private bool _isAdded;
        private bool _isDisposed;

        public long Number => number;

        /// <summary>Returns when there is something to read, or the end of the stream, or this has been disposed of.</summary>
        /// <param name="soon">It is likely to come at once: for a moment it is then waited for on this thread, which no other need wake, unless another socket is.</param>
        public ValueTask WaitAsync(bool soon) => soon && TryLinger() ? ValueTask.CompletedTask : new ValueTask(WaitForThreadAsync());

        private Task WaitForThreadAsync()
        {
            lock (_gate)
            {
                if (_isDisposed)
                {
                    return Task.CompletedTask;
                }

                _wanted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                if (!(_isAdded ? watch._poll.TryResume(descriptor, number) : watch._poll.TryAdd(descriptor, number, once: true)))
                {
                    throw new SocketException(Marshal.GetLastPInvokeError());
                }

                _isAdded = true;
                return _wanted.Task;
            }
        }

        private unsafe bool TryLinger()
        {
            if (Interlocked.Exchange(ref watch._lingering, 1) != 0)
            {
                return false;
            }

            var entry = new Native.PollEntry { Descriptor = descriptor, Events = Native.PollIn };
            bool arrived = Native.Poll(&entry, 1, LingerMilliseconds) > 0;
            Volatile.Write(ref watch._lingering, 0);
            return arrived;
        }

        public void Notify()
        {
            lock (_gate)
            {
                _wanted?.TrySetResult();
            }
        }

        /// <summary>Ends the watch and the wait. Any thread, any number of times.</summary>
        public void Dispose()
        {
            lock (_gate)
            {
                if (_isDisposed)
                {
                    return;
                }

                _isDisposed = true;
                watch._subjects.TryRemove(number, out _);
                if (_isAdded)
                {
                    watch._poll.Remove(descriptor);
                }

                _wanted?.TrySetResult();
            }
        }
    }
}
