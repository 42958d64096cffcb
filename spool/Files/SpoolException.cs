namespace Quickq.Spool;

/// <summary>What kind of trouble a <see cref="SpoolException"/> reports; programs decide by this, people read the message.</summary>
public enum SpoolFault
{
    /// <summary>The message breaks a limit of AMQP or of the spool; nothing was stored.</summary>
    InvalidMessage,

    /// <summary>The id is already in the spool with other content; nothing was stored.</summary>
    IdConflict,

    /// <summary>The file exists, but is not a Quickq spool; it was not touched.</summary>
    NotASpool,

    /// <summary>There is no spool at the path, or nothing in it has the id or the name that was asked for.</summary>
    NotFound,

    /// <summary>A new spool could not be made.</summary>
    CannotCreate,

    /// <summary>Reading or writing failed; the transaction was not stored.</summary>
    InputOutput,

    /// <summary>The spool or its disk is full; try later.</summary>
    Full,

    /// <summary>Another process held the lock until the deadline; try later.</summary>
    Busy,

    /// <summary>This user may not use the spool.</summary>
    PermissionDenied,

    /// <summary>The spool was made by a newer version that this program must not write to.</summary>
    NewerFormat,

    /// <summary>The file system cannot hold a spool (a network file system, for instance).</summary>
    UnsuitableFileSystem,

    /// <summary>The file is damaged.</summary>
    Damaged,

    /// <summary>The spool service gave no answer: the messages may have been stored. Repeat with the same ids; what is stored already is not stored twice.</summary>
    Unanswered,

    /// <summary>The message names a server that the spool never knew; nothing was stored.</summary>
    UnknownServer,
}

/// <summary>
/// The one exception of the spool. <see cref="Exception.Message"/> is one line that says what happened,
/// <see cref="Hint"/> what to do. When an append throws it, nothing of that append was stored, except with <see cref="SpoolFault.Unanswered"/>.
/// </summary>
public sealed class SpoolException : Exception
{
    /// <summary>Makes an exception for the spool at <paramref name="path"/>.</summary>
    public SpoolException(SpoolFault fault, string path, string message, string? hint = null, Exception? inner = null)
        : base(message, inner)
    {
        Fault = fault;
        Path = path;
        Hint = hint;
    }

    /// <summary>The kind of trouble.</summary>
    public SpoolFault Fault { get; }

    /// <summary>The spool concerned.</summary>
    public string Path { get; }

    /// <summary>What the user can do about it, or null where nothing can be said.</summary>
    public string? Hint { get; }

    /// <summary>With <see cref="SpoolFault.PermissionDenied"/>: the account that the spool belongs to, where it is another's.</summary>
    internal uint? Owner { get; init; }

    /// <summary>With <see cref="SpoolFault.Unanswered"/>: the ids of all messages of that append, to repeat it with. Else empty.</summary>
    public IReadOnlyList<string> MessageIds { get; init; } = [];
}
