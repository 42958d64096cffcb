namespace Quickq.SpoolCli;

/// <summary>What the program tells the shell; the numbers are those of <c>sysexits.h</c>. This is the only list of codes.</summary>
internal enum ExitCode
{
    /// <summary>Done: for <c>add</c>, stored and safe; for <c>wait</c>, delivered to every server.</summary>
    Done = 0,

    /// <summary>Wrong use: an unknown option, a missing or surplus argument, a value that cannot be read.</summary>
    WrongUse = 64,

    /// <summary>Bad data: not JSON, key over 255 bytes, template without a value, same id with other content, not a spool.</summary>
    BadData = 65,

    /// <summary>No such input file, message, server or spool.</summary>
    NoInput = 66,

    /// <summary>A wait ended with a rejection: some server will not get the message.</summary>
    Rejected = 69,

    /// <summary>The spool cannot be created.</summary>
    CannotCreate = 73,

    /// <summary>Input/output error, a damaged spool included.</summary>
    InputOutput = 74,

    /// <summary>Try later: spool full, disk full, locked too long, wait timed out.</summary>
    TryLater = 75,

    /// <summary>No permission.</summary>
    NoPermission = 77,

    /// <summary>Configuration: a spool of a newer format, a file system that cannot carry a spool.</summary>
    Configuration = 78,
}
