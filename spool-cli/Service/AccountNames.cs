using System.Globalization;
using System.Runtime.InteropServices;
using Quickq.Spool.Files;
using Quickq.SpoolCli.CommandLine;

namespace Quickq.SpoolCli.Service;

/// <summary>Names of accounts and groups. A name service may be slow or dead: names are for texts only, and nobody waits for one longer than a second.</summary>
internal sealed class AccountNames(TimeProvider clock)
{
    private const int BufferLength = 64 * 1024, NotFound = 2, MaxLookups = 4, MaxKept = 1024;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1), KeptFor = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<uint, (Task<string?> Name, long Since)> _known = [];
    private int _lookups;

    /// <summary>The group that an option names: a name, or a number, which needs no name service. Looked up once, when the service starts.</summary>
    /// <exception cref="CommandException">There is no such group.</exception>
    public static unsafe ServiceGroup? Group(string option, string? text)
    {
        if (text is null)
        {
            return null;
        }

        if (uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint id))
        {
            return new ServiceGroup(text, id);
        }

        ServiceNative.Group group;
        ServiceNative.Group* found;
        fixed (byte* buffer = new byte[BufferLength])
        {
            int error = ServiceNative.FindGroup(text, &group, buffer, BufferLength, &found);
            return error is not (0 or NotFound)
                ? throw new CommandException(ExitCode.Configuration, $"{option}: cannot look up group '{text}': {Marshal.GetPInvokeErrorMessage(error)}", "give the group's number")
                : found is null ? throw new CommandException(ExitCode.Configuration, $"{option}: there is no group '{text}'", $"sudo groupadd --system {text}")
                : new ServiceGroup(text, found->Id);
        }
    }

    /// <summary>The account's name, or <c>uid 1234</c> where there is none or the answer takes longer than a second.</summary>
    public async Task<string> DescribeAsync(uint uid)
    {
        try
        {
            return await Find(uid).WaitAsync(Deadline, clock) ?? Number(uid);
        }
        catch (TimeoutException)
        {
            return Number(uid);
        }
    }

    /// <summary>The name that <see cref="DescribeAsync"/> gave, and the number, once where that is all there is.</summary>
    public static string WithNumber(uint uid, string described) =>
        string.Equals(described, Number(uid), StringComparison.Ordinal) ? described : $"{described} ({Number(uid)})";

    private Task<string?> Find(uint uid)
    {
        lock (_gate)
        {
            if (_known.TryGetValue(uid, out var known) && clock.GetElapsedTime(known.Since) < KeptFor)
            {
                return known.Name;
            }

            if (_lookups == MaxLookups)
            {
                return Task.FromResult<string?>(null); // they hang: there is no answer to be had now
            }

            if (_known.Count >= MaxKept)
            {
                _known.Clear();
            }

            _lookups++;
            var name = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
            _known[uid] = (name.Task, clock.GetTimestamp());
            new Thread(() => LookUp(uid, name), 256 * 1024) { IsBackground = true, Name = "account name" }.Start();
            return name.Task;
        }
    }

    private void LookUp(uint uid, TaskCompletionSource<string?> name)
    {
        name.SetResult(UserAccount.FindName(uid));
        lock (_gate)
        {
            _lookups--;
        }
    }

    private static string Number(uint uid) => string.Create(CultureInfo.InvariantCulture, $"uid {uid}");
}
