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

    private static nint _library;
    private static bool _isMissing;

    /// <summary>To be called once, before the first connection is made.</summary>
    public static void BindIfAsked()
    {
        if (AppContext.TryGetSwitch(Switch, out bool asked) && asked)
        {
            _isMissing = !NativeLibrary.TryLoad(Library, out _library);
            NativeLibrary.SetDllImportResolver(typeof(SQLite3Provider_e_sqlite3).Assembly, Resolve);
        }
    }

    /// <summary>To be called before a connection is made: the provider itself would end the program.</summary>
    /// <exception cref="SpoolException">The system has no SQLite. The packages depend on it; a wheel of pip cannot.</exception>
    public static void RequireFound(string path)
    {
        if (_isMissing)
        {
            throw new SpoolException(
                SpoolFault.InputOutput, path, $"the system has no SQLite: {Library} cannot be loaded", "install SQLite 3.26 or newer: dnf install sqlite-libs, or apt-get install libsqlite3-0");
        }
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath) => name is "e_sqlite3" ? _library : 0;
}
