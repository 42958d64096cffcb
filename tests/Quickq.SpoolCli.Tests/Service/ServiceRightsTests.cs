using Quickq.Testing;

namespace Quickq.SpoolCli.Tests.Service;

/// <summary>Who may do what, by what the kernel says of the peer. Needs root.</summary>
public sealed class ServiceRightsTests : IDisposable
{
    private const uint Uid = 47_110, Users = 47_120, Admins = 47_130, Others = 47_140;
    private readonly TempSpool _spool = new();

    public void Dispose() => _spool.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData(Uid, Others, new uint[0], null)]
    [InlineData(Uid, Others, new[] { Users }, "use")]
    [InlineData(Uid, Users, new uint[0], "use")]
    [InlineData(Uid, Others, new[] { Admins }, "admin")]
    [InlineData(Uid, Others, new[] { Users, Admins }, "admin")]
    [InlineData(0u, Others, new uint[0], "admin")]
    public async Task Rights_follow_from_the_account_and_its_groups(uint uid, uint gid, uint[] groups, string? rights)
    {
        using var service = await ServeProcess.StartAsync(_spool, "--group", $"{Users}", "--admin-group", $"{Admins}");
        using var client = ServiceClient.ConnectAs(service.Socket, uid, gid, groups);
        if (rights is null)
        {
            var (code, text) = client.ReadError();
            Assert.Equal(77, code);
            Assert.Contains($"add the account with uid {Uid} to group {Users}, then log in again", text, StringComparison.Ordinal);
            Assert.True(client.IsAtEnd());
            return;
        }

        Assert.Equal(rights, client.Greet().GetProperty("rights").GetString());
        client.Add(("m1", "x"));
        Assert.Equal(1, client.ReadAnswer().GetProperty("stored").GetInt32());
        Assert.Equal(0, client.Run("list").ExitCode);
        if (rights is "admin")
        {
            Assert.Equal(0, client.Run("cancel", "--all", "--yes").ExitCode);
            await Eventually.Is("the change is logged", TimeSpan.FromSeconds(10),
                () => service.Child.Stderr.Contains($" {(uid == 0 ? "root (uid 0)" : $"uid {uid}")} ran: cancel --all --yes: exit 0", StringComparison.Ordinal));
            Assert.DoesNotContain($"uid {uid} (uid", service.Child.Stderr, StringComparison.Ordinal);
        }
        else
        {
            foreach (var change in (string[][])[["cancel", "--all", "--yes"], ["check", "--repair"], ["import"], ["pause", "--all"], ["purge", "--older-than=1s"]])
            {
                client.Send('r', System.Text.Json.JsonSerializer.Serialize(new { arguments = change }));
                var (code, text) = client.ReadError();
                Assert.Equal(77, code);
                Assert.Contains($"to group {Admins}", text, StringComparison.Ordinal);
                Assert.Contains($"denied: {(change[0] is "check" ? "check --repair" : change[0])} changes the spool", text, StringComparison.Ordinal);
            }
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task A_group_can_be_named_and_one_that_does_not_exist_is_a_configuration_error()
    {
        using (var service = await ServeProcess.StartAsync(_spool, "--group", "daemon"))
        using (var member = ServiceClient.ConnectAs(service.Socket, Uid, 1))
        {
            Assert.Equal("use", member.Greet().GetProperty("rights").GetString());
        }

        using var refused = ServeProcess.Start(_spool, _spool.File("s.sock"), environment: null, "--group", "no-such-group");
        Assert.Equal(78, await refused.WaitForExitAsync(TimeSpan.FromSeconds(60)));
        Assert.Contains("groupadd --system no-such-group", refused.Stderr, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task Without_groups_the_socket_is_the_owners_alone()
    {
        using var service = await ServeProcess.StartAsync(_spool);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(service.Socket));
        var refused = Assert.Throws<System.Net.Sockets.SocketException>(() => ServiceClient.ConnectAs(service.Socket, Uid, Others));
        Assert.Equal(System.Net.Sockets.SocketError.AccessDenied, refused.SocketErrorCode);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_member_of_many_groups_is_known()
    {
        using var service = await ServeProcess.StartAsync(_spool, "--group", $"{Users}");
        using var member = ServiceClient.ConnectAs(service.Socket, Uid, Others, [.. Enumerable.Range(50_000, 2_000).Select(gid => (uint)gid), Users]);
        Assert.Equal("use", member.Greet().GetProperty("rights").GetString());
    }
}
