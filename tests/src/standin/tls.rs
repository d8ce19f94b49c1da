//! Certificates of the stand-in provider: an authority of its own, made anew for each run, and a leaf for the loopback names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

/// Server side configuration, and the authority's certificate for the clients.
#[derive(Debug)]
pub(super) struct Identity {
    /// For the acceptor.
    pub(super) config: Arc<ServerConfig>,
    folder: TempDir,
}

impl Identity {
    /// Makes keys and certificates and writes them to a temporary folder. `protocols` are offered, the first is preferred.
    pub(super) fn new(protocols: &[&str]) -> Result<Self> {
        let mut authority = CertificateParams::new(Vec::new()).context("parameters of the authority")?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "wirespan stand-in authority");
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().context("key of the authority")?)
                .context("certificate of the authority")?;

        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut leaf = CertificateParams::new(names).context("parameters of the leaf")?;
        leaf.distinguished_name.push(DnType::CommonName, "localhost");
        leaf.use_authority_key_identifier_extension = true;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().context("key of the leaf")?;
        let certificate = leaf.signed_by(&key, &authority).context("certificate of the leaf")?;

        let (certificate_pem, key_pem) = (certificate.pem(), key.serialize_pem());
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("TLS versions")?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("TLS identity of the stand-in")?;
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();

        let folder =
            TempDir::with_prefix("wirespan-standin-").context("temporary folder for the authority")?;
        // Other users must be able to trust it: some tests run clients and the agent as another user.
        readable_by_all(folder.path(), 0o755)?;
        let identity = Self { config: Arc::new(config), folder };
        std::fs::write(identity.authority(), authority.pem())
            .with_context(|| format!("could not write {}", identity.authority().display()))?;
        readable_by_all(&identity.authority(), 0o644)?;
        let leaf = [(identity.certificate(), certificate_pem), (identity.key(), key_pem)];
        for (file, content) in leaf {
            std::fs::write(&file, content).with_context(|| format!("could not write {}", file.display()))?;
        }
        Ok(identity)
    }

    /// The file with the leaf's certificate, in PEM, for servers that are other programs.
    pub(super) fn certificate(&self) -> PathBuf {
        self.folder.path().join("leaf.pem")
    }

    /// The file with the leaf's key, in PEM.
    pub(super) fn key(&self) -> PathBuf {
        self.folder.path().join("leaf.key")
    }

    /// The file with the authority's certificate, in PEM.
    pub(super) fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }
}

fn readable_by_all(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .with_context(|| format!("could not open {} to other users", path.display()))
}
