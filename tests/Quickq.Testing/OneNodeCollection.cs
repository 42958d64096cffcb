using Xunit;

namespace Quickq.Testing;

/// <summary>Test classes that share one node: mark them <c>[Collection&lt;OneNodeCollection&gt;]</c>.</summary>
[CollectionDefinition]
public sealed class OneNodeCollection : ICollectionFixture<OneNode>;
