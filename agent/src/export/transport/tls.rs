//! TLS of a destination: the system's authorities or the user's, and a client certificate.

use std::{fs::File, io::Read, path::Path, sync::Arc};

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::TransportError;
use crate::export::{Destination, TlsConfig};

/// Most bytes of a PEM file.
const MAX_FILE: u64 = 4 << 20;

/// The PEM files of a destination, read and found to hold what they should.
struct Pem {
    authorities: Option<Certificates>,
    client: Option<(Certificates, PrivateKey)>,
}

/// Certificates as they were read (tonic wants that) and parsed.
struct Certificates {
    pem: Vec<u8>,
    parsed: Vec<CertificateDer<'static>>,
}

/// The client's key, likewise.
struct PrivateKey {
    pem: Vec<u8>,
    parsed: PrivateKeyDer<'static>,
}

impl Pem {
    fn load(config: &TlsConfig) -> Result<Self, TransportError> {
        let authorities =
            config.ca_file.as_deref().map(|path| certificates("the CA file", path)).transpose()?;
        let client = match (&config.certificate_file, &config.key_file) {
            (Some(chain), Some(key)) => {
                Some((certificates("the client certificate", chain)?, private_key(key)?))
            }
            _ => None,
        };
        Ok(Self { authorities, client })
    }
}

fn file_error(what: &'static str, path: &Path, problem: String) -> TransportError {
    TransportError::File { what, path: path.display().to_string(), problem }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TransportError> {
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE).read_to_end(&mut content))
        .map_err(|error| file_error(what, path, error.to_string()))?;
    Ok(content)
}

fn certificates(what: &'static str, path: &Path) -> Result<Certificates, TransportError> {
    let pem = read(what, path)?;
    let parsed: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| file_error(what, path, format!("not PEM ({error})")))?;
    if parsed.is_empty() {
        return Err(file_error(what, path, "no PEM certificate in it".to_owned()));
    }
    Ok(Certificates { pem, parsed })
}

fn private_key(path: &Path) -> Result<PrivateKey, TransportError> {
    const WHAT: &str = "the client key";
    let pem = read(WHAT, path)?;
    // Only the kind of the problem: the parser's words could quote the file.
    let parsed = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| file_error(WHAT, path, "no usable PEM private key in it".to_owned()))?;
    Ok(PrivateKey { pem, parsed })
}

/// TLS for the HTTP client.
pub(super) fn for_http(destination: &Destination) -> Result<ClientConfig, TransportError> {
    client_config(destination, &Pem::load(&destination.tls)?)
}

fn client_config(destination: &Destination, pem: &Pem) -> Result<ClientConfig, TransportError> {
    let setup = |error: &rustls::Error| TransportError::Setup {
        endpoint: destination.endpoint.to_string(),
        problem: error.to_string(),
    };
    let mut roots = RootCertStore::empty();
    match &pem.authorities {
        Some(certificates) => {
            for certificate in &certificates.parsed {
                roots.add(certificate.clone()).map_err(|error| setup(&error))?;
            }
        }
        None if destination.endpoint.is_tls() => {
            let native = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(native.certs);
            if roots.is_empty() {
                let problem =
                    native.errors.first().map_or_else(|| "none installed".to_owned(), ToString::to_string);
                return Err(TransportError::NoRoots { endpoint: destination.endpoint.to_string(), problem });
            }
        }
        None => {}
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(&error))?
        .with_root_certificates(roots);
    match &pem.client {
        Some((chain, key)) => builder
            .with_client_auth_cert(chain.parsed.clone(), key.parsed.clone_key())
            .map_err(|error| setup(&error)),
        None => Ok(builder.with_no_client_auth()),
    }
}

/// TLS for the gRPC client, checked by the same rules.
pub(super) fn for_grpc(destination: &Destination) -> Result<ClientTlsConfig, TransportError> {
    let pem = Pem::load(&destination.tls)?;
    // Says clearly what is wrong with the certificates, the key or the roots before tonic sees them.
    client_config(destination, &pem)?;
    let mut config = match pem.authorities {
        Some(certificates) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(certificates.pem)),
        None => ClientTlsConfig::new().with_native_roots(),
    };
    if let Some((chain, key)) = pem.client {
        config = config.identity(Identity::from_pem(chain.pem, key.pem));
    }
    Ok(config)
}
