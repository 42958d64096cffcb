namespace Quickq.Spool;

/// <summary>What an operator may do to messages: from which states to which.</summary>
public sealed record AdminOperation
{
    private AdminOperation(string name, string to, params string[] from)
    {
        Name = name;
        To = to;
        From = from;
    }

    /// <summary>Deferred, rejected and expired messages are due again, as if never tried; an expired one without its time to live.</summary>
    public static AdminOperation Retry { get; } = new("retry", DeliveryState.Pending, DeliveryState.Deferred, DeliveryState.Rejected, DeliveryState.Expired);

    /// <summary>Undelivered messages wait until they are released.</summary>
    public static AdminOperation Hold { get; } = new("hold", DeliveryState.Held, DeliveryState.Pending, DeliveryState.Deferred, DeliveryState.Rejected);

    /// <summary>Held messages are due again.</summary>
    public static AdminOperation Release { get; } = new("release", DeliveryState.Pending, DeliveryState.Held);

    /// <summary>Undelivered messages are given up.</summary>
    public static AdminOperation Cancel { get; } = new("cancel", DeliveryState.Cancelled, DeliveryState.Pending, DeliveryState.Deferred, DeliveryState.Held, DeliveryState.Rejected);

    /// <summary>The word for it on the command line.</summary>
    public string Name { get; }

    /// <summary>The state that the rows have afterwards.</summary>
    public string To { get; }

    /// <summary>The states that it changes; rows in others are left and reported.</summary>
    public IReadOnlyList<string> From { get; }
}

/// <summary>What an act did, or would do.</summary>
/// <param name="Messages">Messages with at least one changed row.</param>
/// <param name="Changed">Rows (message and server) changed.</param>
/// <param name="Probed">Rows that wait only because their exchange is suspended: it is probed at once.</param>
/// <param name="Unassigned">Messages without a row: no server was known when they were accepted.</param>
/// <param name="Left">Rows left as they are, by state; not told for a filter without a state, which means the rows that the act can change.</param>
public sealed record OperatorReport(int Messages, int Changed, int Probed, int Unassigned, IReadOnlyDictionary<string, int> Left);

/// <summary>What a replay did, or would do, at its server.</summary>
/// <param name="Again">Messages that it has had and gets again.</param>
/// <param name="Created">Messages that it never had and gets now.</param>
/// <param name="Expired">Messages left out because their time to live is over.</param>
public sealed record ReplayReport(int Again, int Created, int Expired);

/// <summary>What a purge did, or would do.</summary>
/// <param name="Messages">Messages removed.</param>
/// <param name="GivenBackBytes">Bytes by which the file became smaller.</param>
public sealed record PurgeReport(long Messages, long GivenBackBytes);
