namespace Quickq.Spool.Service;

/// <summary>The connection to the service ended, or its answer did not come in time: what was asked may have been done or not.</summary>
internal sealed class ServiceLostException(string message) : IOException(message);
