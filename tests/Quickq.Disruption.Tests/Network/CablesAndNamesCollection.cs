namespace Quickq.Disruption.Tests;

/// <summary>Tests that cut cables, and those that wait for names: mark them <c>[Collection&lt;CablesAndNamesCollection&gt;]</c>.</summary>
[CollectionDefinition]
public sealed class CablesAndNamesCollection : ICollectionFixture<CablesAndNames>;
