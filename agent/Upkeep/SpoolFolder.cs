using Microsoft.Extensions.Logging;
using Quickq.Agent.Observability;
using Quickq.Spool;
using Quickq.Spool.Files;

namespace Quickq.Agent.Upkeep;

/// <summary>Looks whether others may write the spool's folder by now. At the start that is refused; later delivery goes on, with a warning.</summary>
internal sealed class SpoolFolder(string spoolPath, ILogger log)
{
    private readonly string _path = SpoolPath.FollowLinks(spoolPath);
    private bool _isLoose;

    /// <summary>Warns once, and logs when it is over.</summary>
    public Task<UpkeepProgress> StepAsync()
    {
        try
        {
            SpoolOwnership.RequireFolder(_path);
            if (_isLoose)
            {
                log.FolderTight(Path.GetDirectoryName(_path)!);
            }

            _isLoose = false;
        }
        catch (SpoolException loose) when (loose.Fault is SpoolFault.PermissionDenied)
        {
            if (!_isLoose)
            {
                log.FolderLoose(loose.Message, loose.Hint);
            }

            _isLoose = true;
        }

        return Task.FromResult(UpkeepProgress.NothingLeft);
    }
}
