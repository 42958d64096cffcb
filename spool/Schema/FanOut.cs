namespace Quickq.Spool.Schema;

/// <summary>Which servers a message is for, in SQL: the rule of the trigger <c>message_fan_out</c>, for message <c>m</c> and server <c>s</c>.</summary>
internal static class FanOut
{
    /// <summary>The server takes the exchange of the message: it lists none, it lists this one, or the message names none.</summary>
    private const string Takes =
        """
        (m.exchange IS NULL OR NOT EXISTS (SELECT 1 FROM server_exchange AS x WHERE x.server = s.id)
            OR EXISTS (SELECT 1 FROM server_exchange AS x WHERE x.server = s.id AND x.exchange = m.exchange))
        """;

    /// <summary>The producer named it, whatever it takes and whether it is configured; or named none, and it is configured and takes the exchange.</summary>
    public const string IsFor = $"(CASE WHEN m.servers IS NULL THEN s.active = 1 AND {Takes} ELSE instr(m.servers, ' ' || s.name || ' ') > 0 END)";

    /// <summary>As <see cref="IsFor"/>, whether the server is configured or not: for an operator who names it.</summary>
    public const string IsMeantFor = $"(CASE WHEN m.servers IS NULL THEN {Takes} ELSE instr(m.servers, ' ' || s.name || ' ') > 0 END)";
}
