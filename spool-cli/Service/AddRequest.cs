using Quickq.Spool;

namespace Quickq.SpoolCli.Service;

/// <summary>One <c>a</c> frame on its way to the disk. Whoever takes it out of the queue answers it.</summary>
internal sealed class AddRequest(AppendRequest content, long arrivedAt, AnswerQueue.Answer answer, IDisposable held)
{
    private readonly TaskCompletionSource _answered = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public AppendRequest Content { get; } = content;

    /// <summary>When it was there as a whole, by the clock's timestamp.</summary>
    public long ArrivedAt { get; } = arrivedAt;

    /// <summary>Bytes of the bodies.</summary>
    public long Bytes { get; } = content.Messages.Sum(message => (long)message.Body.Length);

    /// <summary>Completed with the answer: what was stored can be seen then.</summary>
    public Task Answered => _answered.Task;

    /// <summary>Answers; the memory of the request is given back first.</summary>
    public void Complete(byte[] frame)
    {
        held.Dispose();
        answer.Complete(frame);
        _answered.SetResult();
    }
}
