using Xunit;

namespace Quickq.Testing.Network;

/// <summary>Test classes that share two nodes in networks of their own: mark them <c>[Collection&lt;OwnNetworkCollection&gt;]</c>.</summary>
[CollectionDefinition]
public sealed class OwnNetworkCollection : ICollectionFixture<OwnNetwork>;
