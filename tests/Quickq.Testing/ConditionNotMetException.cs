namespace Quickq.Testing;

/// <summary>A named condition that did not come true within its limit.</summary>
public sealed class ConditionNotMetException : Exception
{
    public ConditionNotMetException()
    {
    }

    public ConditionNotMetException(string message)
        : base(message)
    {
    }

    public ConditionNotMetException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
