using System.Globalization;
using System.Text;

namespace Quickq.Spool.Files;

/// <summary>The account that this process acts for, and the names of others.</summary>
internal static class UserAccount
{
    /// <summary>The effective user id: what the kernel checks permissions against.</summary>
    public static uint EffectiveId => Libc.EffectiveUserId();

    /// <summary>The name of an account, or its number where it has none.</summary>
    public static string Describe(uint id) => FindName(id) ?? id.ToString(CultureInfo.InvariantCulture);

    /// <summary>The command that runs a program as the account, to be typed into a shell.</summary>
    public static string CommandAs(uint id, string program = "quickq-spool") =>
        $"sudo -u {FindName(id) ?? $"'#{id.ToString(CultureInfo.InvariantCulture)}'"} {program} ...";

    /// <summary>The name of an account, or null where it has none. May take as long as a name service does.</summary>
    public static unsafe string? FindName(uint id)
    {
        // struct passwd begins with the pointer to the name; it has 48 bytes.
        byte* entry = stackalloc byte[64];
        byte[] texts = new byte[16 * 1024];
        nint found = 0;
        fixed (byte* buffer = texts)
        {
            if (Libc.FindUser(id, entry, buffer, (nuint)texts.Length, &found) != 0 || found == 0)
            {
                return null;
            }

            byte* name = *(byte**)entry;
            int length = 0;
            while (name[length] != 0)
            {
                length++;
            }

            return Encoding.UTF8.GetString(name, length);
        }
    }
}
