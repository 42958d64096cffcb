namespace Quickq.Agent.Broker;

/// <summary>How .NET works off what the kernel tells of sockets.</summary>
internal static class SocketThreads
{
    /// <summary>
    /// What follows from an event of a socket runs on the thread that waits for them, not in the pool: at the load that people have each confirm woke two more threads.
    /// To be called before the first socket. Whatever may take more than a moment must leave that thread by itself (<see cref="BrokerStream"/>).
    /// </summary>
    /// <remarks>The runtime knows these settings as variables of the environment only; two threads, whatever the number of processors.</remarks>
    public static void WorkOffAtOnce()
    {
        Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
        Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_THREAD_COUNT", "2");
    }
}
