using System.Net.Sockets;

namespace Quickq.SpoolCli.Service;

/// <summary>The answers of one connection: sent in the order of the requests, whenever each is ready, by whoever has it. Nobody waits for the peer to read.</summary>
/// <remarks>Any thread. The kernel's buffer takes an answer at once as a rule; what it does not take is sent by a task of its own.</remarks>
internal sealed class AnswerQueue(Socket socket, Action<Exception> broken, TimeProvider clock)
{
    /// <summary>Requests without an answer, and bytes of answers that are not sent; beyond either the peer is not read.</summary>
    public const int MaxWaiting = 256, MaxUnsentBytes = 64 * 1024;

    private readonly Lock _gate = new();
    private readonly Queue<Answer> _waiting = new();
    private bool _isSending, _isAbandoned;
    private long _unsent;
    private long _sendingSince;
    private TaskCompletionSource? _wanted;
    private bool _wantsAll;

    /// <summary>Since when bytes are ready that the peer does not read, by the clock's timestamp; 0 while there are none.</summary>
    public long UnreadSince => Volatile.Read(ref _sendingSince);

    /// <summary>Whether a request is without an answer, or an answer is not sent.</summary>
    public bool IsBusy
    {
        get
        {
            lock (_gate)
            {
                return _isSending || _waiting.Count > 0;
            }
        }
    }

    /// <summary>The place of the next answer.</summary>
    public Answer Reserve()
    {
        var answer = new Answer(this);
        lock (_gate)
        {
            _waiting.Enqueue(answer);
        }

        return answer;
    }

    /// <summary>Sends a frame behind all answers so far; returns when the kernel has taken it.</summary>
    public Task SendAsync(byte[] frame)
    {
        Answer answer = Reserve();
        Task sent = answer.Sent();
        answer.Complete(frame);
        return sent;
    }

    /// <summary>Returns when another request may be read.</summary>
    public Task HasRoomAsync() => WaitAsync(all: false);

    /// <summary>Returns when every request has its answer and every answer is sent.</summary>
    public Task EmptyAsync() => WaitAsync(all: true);

    private Task WaitAsync(bool all)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isAbandoned, this);
            if (HasRoom_NeedsLock(all))
            {
                return Task.CompletedTask;
            }

            (_wanted, _wantsAll) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), all);
            return _wanted.Task;
        }
    }

    private bool HasRoom_NeedsLock(bool all) => all ? !_isSending && _waiting.Count == 0 : _waiting.Count < MaxWaiting && _unsent < MaxUnsentBytes;

    private void Ready(Answer answer, byte[] frame, IDisposable? held)
    {
        lock (_gate)
        {
            if (_isAbandoned)
            {
                held?.Dispose();
                return;
            }

            (answer.Frame, answer.Held) = (frame, held);
            _unsent += frame.Length;
            if (_isSending || !ReferenceEquals(_waiting.Peek(), answer))
            {
                return;
            }

            _isSending = true;
        }

        Send();
    }

    /// <summary>Sends what is ready; on return nothing is, or a task goes on with it.</summary>
    private void Send()
    {
        while (TakeReady() is { Count: > 0 } ready)
        {
            byte[] bytes = ready is [{ Frame: { } only }] ? only : [.. ready.SelectMany(answer => answer.Frame!)];
            SocketError error;
            int sent;
            try
            {
                sent = socket.Send(bytes, SocketFlags.None, out error);
            }
            catch (ObjectDisposedException exception)
            {
                Drop(ready, exception); // the connection is closed already
                return;
            }

            if (error is not (SocketError.Success or SocketError.WouldBlock))
            {
                Drop(ready, new SocketException((int)error));
                return;
            }

            if (sent < bytes.Length)
            {
                _ = SendRestAsync(ready, bytes.AsMemory(error == SocketError.Success ? sent : 0));
                return;
            }

            Finish(ready);
        }
    }

    private async Task SendRestAsync(List<Answer> ready, ReadOnlyMemory<byte> rest)
    {
        Volatile.Write(ref _sendingSince, clock.GetTimestamp());
        try
        {
            while (!rest.IsEmpty)
            {
                rest = rest[await socket.SendAsync(rest, SocketFlags.None)..];
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            Drop(ready, exception);
            return;
        }

        Volatile.Write(ref _sendingSince, 0);
        Finish(ready);
        Send();
    }

    private List<Answer> TakeReady()
    {
        var ready = new List<Answer>(1);
        TaskCompletionSource? empty = null;
        lock (_gate)
        {
            for (long bytes = 0; bytes < MaxUnsentBytes && _waiting.TryPeek(out Answer? next) && next.Frame is { } frame; bytes += frame.Length)
            {
                ready.Add(_waiting.Dequeue());
            }

            if (ready.Count == 0)
            {
                _isSending = false;
                empty = TakeWanted_NeedsLock();
            }
        }

        empty?.TrySetResult();
        return ready;
    }

    private void Finish(List<Answer> ready)
    {
        TaskCompletionSource? wanted;
        lock (_gate)
        {
            foreach (Answer answer in ready)
            {
                _unsent -= answer.Frame!.Length;
                answer.Held?.Dispose();
            }

            wanted = TakeWanted_NeedsLock();
        }

        wanted?.TrySetResult();
        ready.ForEach(answer => answer.Tell());
    }

    private TaskCompletionSource? TakeWanted_NeedsLock()
    {
        TaskCompletionSource? wanted = _wanted is not null && HasRoom_NeedsLock(_wantsAll) ? _wanted : null;
        if (wanted is not null)
        {
            _wanted = null;
        }

        return wanted;
    }

    /// <summary>Gives back what unsent answers hold and ends every wait: the connection is closed.</summary>
    public void Abandon(Exception reason)
    {
        List<Answer> left;
        TaskCompletionSource? wanted;
        lock (_gate)
        {
            left = [.. _waiting];
            _waiting.Clear();
            _isAbandoned = true;
            (wanted, _wanted) = (_wanted, null);
        }

        wanted?.TrySetException(reason);
        left.ForEach(answer => answer.Fail(reason));
    }

    private void Drop(List<Answer> unsent, Exception reason)
    {
        unsent.ForEach(answer => answer.Fail(reason));
        broken(reason);
    }

    /// <summary>The place of one answer, and then the answer.</summary>
    public sealed class Answer(AnswerQueue queue)
    {
        private TaskCompletionSource? _sent;

        internal byte[]? Frame { get; set; }

        internal IDisposable? Held { get; set; }

        /// <summary>The answer is ready.</summary>
        /// <param name="frame">The whole frame.</param>
        /// <param name="held">Disposed of when the answer is sent.</param>
        public void Complete(byte[] frame, IDisposable? held = null) => queue.Ready(this, frame, held);

        internal Task Sent() => (_sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

        internal void Tell() => _sent?.TrySetResult();

        internal void Fail(Exception reason)
        {
            Held?.Dispose();
            _sent?.TrySetException(reason);
        }
    }
}
