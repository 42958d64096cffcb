namespace Quickq.Agent.Settings;

/// <summary>All mistakes of a configuration, in the order found; each is one line, <c>path.of.setting: what is wrong; what to do</c>.</summary>
internal sealed class MistakeList
{
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines => _lines;

    public void Add(string path, string whatIsWrong) => _lines.Add($"{path}: {whatIsWrong}");
}
