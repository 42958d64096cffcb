namespace Quickq.Agent.Observability;

/// <summary>The names of the values in log events; what searches and alarms rely on. Each placeholder of an event is one of these.</summary>
internal static class LogKey
{
    public const string Server = nameof(Server);
    public const string Endpoint = nameof(Endpoint);
    public const string Exchange = nameof(Exchange);
    public const string Host = nameof(Host);
    public const string RoutingKey = nameof(RoutingKey);
    public const string Reason = nameof(Reason);
    public const string Seconds = nameof(Seconds);
    public const string Delay = nameof(Delay);
    public const string Count = nameof(Count);
    public const string Spool = nameof(Spool);
    public const string Folder = nameof(Folder);
    public const string Config = nameof(Config);
    public const string Note = nameof(Note);
    public const string Version = nameof(Version);
    public const string Pid = nameof(Pid);
    public const string Signal = nameof(Signal);
    public const string MessageId = nameof(MessageId);
    public const string Kind = nameof(Kind);
    public const string Who = nameof(Who);
    public const string Doing = nameof(Doing);
    public const string Size = nameof(Size);
    public const string Direction = nameof(Direction);
    public const string Finding = nameof(Finding);
    public const string Saved = nameof(Saved);
    public const string AtLeast = nameof(AtLeast);
    public const string Lost = nameof(Lost);
    public const string Reset = nameof(Reset);
    public const string Aside = nameof(Aside);
    public const string Hint = nameof(Hint);
    public const string Budget = nameof(Budget);
}
