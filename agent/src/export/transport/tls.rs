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
#[derive(Default)]
struct Pem {
    authorities: Option<(Vec<u8>, Vec<CertificateDer<'static>>)>,
    client: Option<(Vec<u8>, Vec<CertificateDer<'static>>, Vec<u8>, PrivateKeyDer<'static>)>,
}

impl Pem {
    fn load(config: &TlsConfig) -> Result<Self, TransportError> {
        let authorities = match &config.ca_file {
            Some(path) => {
                let pem = read("the CA file", path)?;
                let certificates = certificates("the CA file", path, &pem)?;
                Some((pem, certificates))
            }
            None => None,
        };
        let client = match (&config.certificate_file, &config.key_file) {
            (Some(certificate), Some(key_path)) => {
                let pem = read("the client certificate", certificate)?;
                let chain = certificates("the client certificate", certificate, &pem)?;
                let key_pem = read("the client key", key_path)?;
                let key = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|error| {
                    // The parser's words describe the structure, never the key.
                    file_error(
                        "the client key",
                        key_path,
                        format!("no usable PEM private key in it ({error})"),
                    )
                })?;
                Some((pem, chain, key_pem, key))
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

fn certificates(
    what: &'static str,
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let list: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| file_error(what, path, format!("not PEM ({error})")))?;
    if list.is_empty() {
        return Err(file_error(what, path, "no PEM certificate in it".to_owned()));
    }
    Ok(list)
}

/// TLS for the HTTP client.
pub(super) fn for_http(destination: &Destination) -> Result<ClientConfig, TransportError> {
    let pem = Pem::load(&destination.tls)?;
    let setup = |error: &dyn std::error::Error| TransportError::Setup {
        endpoint: destination.endpoint.to_string(),
        problem: error.to_string(),
    };
    let mut roots = RootCertStore::empty();
    match &pem.authorities {
        Some((_, certificates)) => {
            for certificate in certificates {
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
    match pem.client {
        Some((_, chain, _, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| setup(&error)),
        None => Ok(builder.with_no_client_auth()),
    }
}

/// TLS for the gRPC client, checked by the same rules.
pub(super) fn for_grpc(destination: &Destination) -> Result<ClientTlsConfig, TransportError> {
    // Says clearly what is wrong with the files or the roots before tonic sees them.
    for_http(destination)?;
    let pem = Pem::load(&destination.tls)?;
    let mut config = ClientTlsConfig::new();
    config = match pem.authorities {
        Some((pem, _)) => config.ca_certificate(Certificate::from_pem(pem)),
        None => config.with_native_roots(),
    };
    if let Some((certificate, _, key, _)) = pem.client {
        config = config.identity(Identity::from_pem(certificate, key));
    }
    Ok(config)
}
