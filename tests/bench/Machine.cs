using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Quickq.Bench;

/// <summary>Date, machine and versions, as they belong under a table of figures.</summary>
internal static class Machine
{
    public static string Describe()
    {
        string system = File.ReadLines("/etc/os-release").First(line => line.StartsWith("PRETTY_NAME=", StringComparison.Ordinal)).Split('"')[1];
        string day = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        string broker = Directory.EnumerateDirectories("/usr/lib/rabbitmq/lib", "rabbitmq_server-*").Select(Path.GetFileName).FirstOrDefault() ?? "no RabbitMQ";
        string client = FileVersionInfo.GetVersionInfo(typeof(RabbitMQ.Client.IConnection).Assembly.Location).ProductVersion!.Split('+')[0];
        return $"{day}, {system}, {Environment.ProcessorCount} cores, {RuntimeInformation.FrameworkDescription}, {broker.Replace("rabbitmq_server-", "RabbitMQ ", StringComparison.Ordinal)}, RabbitMQ.Client {client}";
    }
}

/// <summary>How much of the machine others used while a comparison ran.</summary>
internal sealed class LoadWatch
{
    private readonly string _before = Average();

    private LoadWatch()
    {
    }

    public static LoadWatch Start() => new();

    public string Describe() => $"load average {_before} before, {Average()} after";

    private static string Average() => File.ReadAllText("/proc/loadavg").Split(' ')[0];
}
