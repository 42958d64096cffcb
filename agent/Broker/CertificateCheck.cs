using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Quickq.Agent.Settings;

namespace Quickq.Agent.Broker;

/// <summary>
/// The TLS side of one connection attempt: whom to trust, who we are, and, when the server's certificate does not hold,
/// why, in words. The host name is the configured one, whichever address it resolved to. Nothing is ever let through.
/// </summary>
internal sealed class CertificateCheck : IDisposable
{
    private static readonly Oid ServerAuthentication = new("1.3.6.1.5.5.7.3.1");

    /// <summary>In bytes: the authorities of a whole system are a quarter of a megabyte.</summary>
    private const int LargestFile = 4 << 20;

    private readonly string _host;
    private readonly TimeProvider _time;
    private readonly X509Certificate2Collection? _authorities;

    /// <summary>First the agent's own, with its key; then those between it and the authority, which are sent along.</summary>
    private readonly X509Certificate2Collection? _own;

    /// <exception cref="BrokerUnavailableException">A file cannot be read or holds no certificate.</exception>
    public CertificateCheck(TlsSettings settings, string host, TimeProvider time)
    {
        (_host, _time) = (host, time);
        _authorities = settings.CaFile is { } ca ? ReadAuthorities(ca) : null;
        _own = settings.CertificateFile is { } certificate ? ReadOwn(certificate, settings.KeyFile) : null;
    }

    public bool HasClientCertificate => _own is not null;

    /// <summary>What is wrong with the server's certificate; null while nothing is.</summary>
    public string? Objection { get; private set; }

    public SslClientAuthenticationOptions ToOptions() => new()
    {
        TargetHost = _host,
        ClientCertificateContext = _own is null ? null : SslStreamCertificateContext.Create(_own[0], [.. _own.Skip(1)], offline: true),
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,

        // Later there is none: it would be one on the thread that reads for others too.
        AllowRenegotiation = false,
        RemoteCertificateValidationCallback = (_, certificate, chain, errors) => IsRight(certificate as X509Certificate2, chain, errors),
    };

    public void Dispose()
    {
        foreach (var certificate in (_authorities ?? []).Concat(_own ?? []))
        {
            certificate.Dispose();
        }
    }

    private bool IsRight(X509Certificate2? certificate, X509Chain? systemChain, SslPolicyErrors errors)
    {
        if (certificate is null)
        {
            Objection = "the server shows no certificate";
            return false;
        }

        using var ownChain = _authorities is null ? null : BuildChain(certificate, systemChain);
        var status = (ownChain ?? systemChain)?.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (all, one) => all | one.Status) ?? X509ChainStatusFlags.PartialChain;
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
        {
            Objection = $"the certificate is for {NamesOf(certificate)}, not for '{_host}'";
        }
        else if (status != X509ChainStatusFlags.NoError)
        {
            Objection = Describe(certificate, status);
        }

        return Objection is null;
    }

    private X509Chain BuildChain(X509Certificate2 certificate, X509Chain? systemChain)
    {
        var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(_authorities!);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ApplicationPolicy.Add(ServerAuthentication);
        if (systemChain is not null)
        {
            // What the server sent along: the certificates between its own and the authority.
            chain.ChainPolicy.ExtraStore.AddRange(systemChain.ChainPolicy.ExtraStore);
        }

        chain.Build(certificate);
        return chain;
    }

    private string Describe(X509Certificate2 certificate, X509ChainStatusFlags status)
    {
        if (status.HasFlag(X509ChainStatusFlags.NotTimeValid))
        {
            var now = _time.GetUtcNow().UtcDateTime;
            var (ended, began) = (certificate.NotAfter.ToUniversalTime(), certificate.NotBefore.ToUniversalTime());
            return ended < now ? $"the certificate expired on {Day(ended)}"
                : began > now ? $"the certificate is valid only from {Day(began)} on; is this host's clock right?"
                : "an authority behind the certificate has expired";
        }

        // A wrong signature is what another authority of the same name leaves, such as the one before a renewal.
        const X509ChainStatusFlags untrusted = X509ChainStatusFlags.PartialChain | X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.NotSignatureValid;
        return (status & untrusted) != X509ChainStatusFlags.NoError
            ? $"the certificate comes from an authority that is not trusted ({certificate.Issuer}); name its certificate in tls.ca"
            : $"the certificate does not hold: {status}";
    }

    private static string Day(DateTime time) => time.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static string NamesOf(X509Certificate2 certificate)
    {
        var alternatives = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().FirstOrDefault();
        var names = alternatives is null ? [] : alternatives.EnumerateDnsNames().Concat(alternatives.EnumerateIPAddresses().Select(address => address.ToString())).ToList();
        return names.Count == 0 ? certificate.Subject : string.Join(", ", names);
    }

    private static string ReadPem(string file) => StrictText.Read(RegularFile.Read(file, LargestFile));

    private static X509Certificate2Collection ReadAuthorities(string file)
    {
        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPem(ReadPem(file));
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new BrokerUnavailableException($"tls.ca: {file} cannot be read: {unreadable.Message}", unreadable);
        }

        return authorities.Count > 0 ? authorities : throw new BrokerUnavailableException($"tls.ca: {file} holds no certificate");
    }

    private static X509Certificate2Collection ReadOwn(string file, string? keyFile)
    {
        var own = new X509Certificate2Collection();
        try
        {
            string certificates = ReadPem(file);
            own.ImportFromPem(certificates);
            using var bare = own.Count > 0 ? own[0] : null;
            own[0] = X509Certificate2.CreateFromPem(certificates, keyFile is null ? certificates : ReadPem(keyFile));
            return own;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new BrokerUnavailableException($"tls.cert: {file}{(keyFile is null ? "" : $" and {keyFile}")} cannot be read: {unreadable.Message}", unreadable);
        }
    }
}
