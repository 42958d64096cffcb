using Quickq.Agent.Observability;

namespace Quickq.Agent.Settings;

/// <summary>All errors of a configuration, in the order found; each is one line, <c>path.of.setting: what is wrong; what to do</c>.</summary>
internal sealed class ConfigErrors
{
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines => _lines;

    /// <summary>The only error is that this user may not read the file.</summary>
    public bool IsForbidden { get; set; }

    /// <summary>Also the path may be a whole address with its password: somebody took it for a server's name.</summary>
    public void Add(string path, string whatIsWrong) => _lines.Add(EventText.Safe($"{path}: {whatIsWrong}"));
}
