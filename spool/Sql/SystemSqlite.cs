using System.Reflection;
using System.Runtime.InteropServices;
using SQLitePCL;

namespace Quickq.Spool;

/// <summary>
/// Binds SQLite's calls to the system's libsqlite3 in builds for hosts whose C library is too old for the SQLite that comes along.
/// </summary>
/// <remarks>
/// The build sets the switch (<c>packaging/build.sh --portable</c>). A function that the system's library lacks fails when it is called, not
/// before: Quickq calls none that is younger than 3.26.
/// </remarks>
internal static class SystemSqlite
{
    private const string Switch = "Quickq.SystemSqlite";

    /// <summary>As distributions name it; the bare name belongs to the development package.</summary>
    private const string Library = "libsqlite3.so.0";

    /// <summary>To be called once, before the first connection is made.</summary>
    public static void BindIfAsked()
    {
        if (AppContext.TryGetSwitch(Switch, out bool asked) && asked)
        {
            NativeLibrary.SetDllImportResolver(typeof(SQLite3Provider_e_sqlite3).Assembly, Resolve);
        }
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath) =>
        name is "e_sqlite3" ? NativeLibrary.Load(Library) : 0;
}
