using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Quickq.Agent.Broker;

/// <summary>The socket under TLS. A handshake computes, and may look at files: until it is done what is read goes on in the pool, not on the thread that reads for others too (<see cref="SocketThreads"/>).</summary>
internal sealed class HandshakeStream(Socket socket) : NetworkStream(socket, ownsSocket: false)
{
    /// <summary>The handshake is done. Set by the one who reads.</summary>
    public bool IsShaken { get; set; }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await base.ReadAsync(buffer, cancellationToken);
        }
        finally
        {
            if (!IsShaken)
            {
                await Task.Yield();
            }
        }
    }
}
