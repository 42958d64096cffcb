using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Quickq.Testing;

/// <summary>A certificate authority for one test, with the PEM files that brokers and agents read.</summary>
public sealed class TestAuthority : IDisposable
{
    private static readonly DateTimeOffset Began = TimeProvider.System.GetUtcNow().AddDays(-10);
    private readonly TempFolder _folder = new("authority");
    private readonly X509Certificate2 _certificate;
    private readonly bool _isRoot;

    /// <summary>A root: who trusts <see cref="AuthorityFile"/> trusts all that it and those under it issue.</summary>
    public TestAuthority()
        : this(root: null)
    {
    }

    private TestAuthority(TestAuthority? root)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(root is null ? "CN=Quickq test authority" : "CN=Quickq test authority in between", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        _isRoot = root is null;
        using var issued = root is null ? null : request.Create(root._certificate, Began, Began.AddDays(200), RandomNumberGenerator.GetBytes(16));
        _certificate = issued?.CopyWithPrivateKey(key) ?? request.CreateSelfSigned(Began, Began.AddYears(1));
        File.WriteAllText(AuthorityFile, _certificate.ExportCertificatePem());
    }

    public string AuthorityFile => _folder.File("ca.pem");

    /// <summary>An authority that this one vouches for. What it issues carries its certificate along.</summary>
    public TestAuthority Appoint() => new(this);

    /// <summary>Issues a certificate and gives the paths of it and of its key.</summary>
    public (string Certificate, string Key) Issue(string name, TimeSpan? life = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(name, out var address))
        {
            names.AddIpAddress(address);
        }
        else
        {
            names.AddDnsName(name);
        }

        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], critical: false));
        using var issued = request.Create(_certificate, Began, Began + (life ?? TimeSpan.FromDays(100)), RandomNumberGenerator.GetBytes(16));
        var (certificateFile, keyFile) = (_folder.File($"{name}.pem"), _folder.File($"{name}.key"));
        File.WriteAllText(certificateFile, issued.ExportCertificatePem() + (_isRoot ? "" : $"\n{_certificate.ExportCertificatePem()}"));
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
        return (certificateFile, keyFile);
    }

    public void Dispose()
    {
        _certificate.Dispose();
        _folder.Dispose();
    }
}
