using System.Globalization;
using Quickq.Agent.Broker;
using Quickq.Testing;

namespace Quickq.Broker.Tests;

/// <summary>Writes down everything that a publisher tells its listener, in order.</summary>
internal sealed class ConfirmRecorder : IConfirmListener
{
    private readonly Lock _gate = new();
    private readonly List<string> _words = [];

    public int MultipleCount { get; private set; }

    /// <summary>Every message up to it, or not: all that were confirmed.</summary>
    public ulong ConfirmedTo { get; private set; }

    public IReadOnlyList<string> Words
    {
        get
        {
            lock (_gate)
            {
                return [.. _words];
            }
        }
    }

    public void Confirmed(ulong tag, bool multiple)
    {
        lock (_gate)
        {
            MultipleCount += multiple ? 1 : 0;
            ConfirmedTo = Math.Max(ConfirmedTo, tag);
            _words.Add(string.Create(CultureInfo.InvariantCulture, $"confirmed {tag}"));
        }
    }

    public void Nacked(ulong tag, bool multiple) => Add(string.Create(CultureInfo.InvariantCulture, $"nacked {tag}"));

    public void Returned(string messageId, ushort code, string text) => Add(string.Create(CultureInfo.InvariantCulture, $"returned {messageId} {code} {text}"));

    public void ChannelClosed(ushort code, string text) => Add(string.Create(CultureInfo.InvariantCulture, $"closed {code} {text}"));

    public Task AwaitAsync(string word) => Eventually.Is($"the listener hears '{word}'", TimeSpan.FromSeconds(20), () => Words.Any(heard => heard.StartsWith(word, StringComparison.Ordinal)));

    private void Add(string word)
    {
        lock (_gate)
        {
            _words.Add(word);
        }
    }
}
