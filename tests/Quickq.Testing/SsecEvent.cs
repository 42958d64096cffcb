namespace Quickq.Testing;

/// <summary>One captured event: the topic it was published under, and its line byte for byte.</summary>
public sealed record SsecEvent(string Topic, byte[] Payload);
