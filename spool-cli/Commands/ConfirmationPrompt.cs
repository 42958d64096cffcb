using Quickq.Spool;
using Quickq.SpoolCli.Streams;

namespace Quickq.SpoolCli.Commands;

/// <summary>Asks a person on a terminal before something large is done; only a yes is a yes.</summary>
internal static class ConfirmationPrompt
{
    /// <summary>False, with a word on standard error, when the answer is anything but yes.</summary>
    public static bool IsAnsweredYes(StandardStreams streams, string question)
    {
        streams.Error.Write($"quickq-spool: {SafeText.OneLine(question)} [y/N] ");
        if (streams.ReadAnswer() is "y" or "Y" or "yes" or "YES" or "Yes")
        {
            return true;
        }

        streams.Error.WriteLine("quickq-spool: nothing was changed");
        return false;
    }
}
