using Xunit;

namespace Quickq.Testing;

/// <summary>Test classes that share two nodes: mark them <c>[Collection&lt;TwoNodesCollection&gt;]</c>.</summary>
[CollectionDefinition]
public sealed class TwoNodesCollection : ICollectionFixture<TwoNodes>;
