//! TLS: an own authority, a client certificate, and what happens without the right ones.

use std::{fs, path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, crypto::ring, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use wirespan::{
    config::Span,
    export::{DestinationConfig, ExportConfig, Exporter, ExporterOptions, Protocol, Settings},
};

use super::{LONG, PROTOCOLS, collector::Collector, destination, numbered, only, start};

/// An authority with a server and a client certificate, and their PEM files.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
    server: (CertificateDer<'static>, PrivateKeyDer<'static>),
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        let issue = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let certificate =
                CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
            (certificate, key)
        };
        let (client, client_key) = issue("client");
        fs::write(folder.path().join("client.pem"), client.pem()).unwrap();
        fs::write(folder.path().join("client.key"), client_key.serialize_pem()).unwrap();
        let (server, server_key) = issue("127.0.0.1");
        let server = (server.der().clone(), PrivateKeyDer::try_from(server_key.serialize_der()).unwrap());
        Self { folder, issuer, server }
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.path().join(name))
    }

    fn acceptor(&self, mutual: bool) -> TlsAcceptor {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if mutual {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap(),
            )
        } else {
            builder.with_no_client_auth()
        };
        let mut config =
            builder.with_single_cert(vec![self.server.0.clone()], self.server.1.clone_key()).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    fn collector(&self, mutual: bool) -> Collector {
        Collector::start_with([], Some(self.acceptor(mutual)))
    }
}

fn secure(collector: &Collector, protocol: Protocol, authority: &Authority) -> DestinationConfig {
    let mut config = destination(&format!("https://{}", collector.address()), protocol);
    config.tls.ca_file = authority.file("ca.pem");
    config
}

#[tokio::test]
async fn an_own_authority_is_trusted() {
    let authority = Authority::new();
    for protocol in PROTOCOLS {
        let collector = authority.collector(false);
        let exporter = start(secure(&collector, protocol, &authority));
        exporter.push(&numbered(0));
        let stats = exporter.shutdown(LONG).await;
        assert_eq!(only(&stats).sent, 1, "{stats:?}");
        assert_eq!(collector.received().len(), 1);
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_when_there_is_one() {
    let authority = Authority::new();
    for protocol in PROTOCOLS {
        let collector = authority.collector(true);
        let mut config = secure(&collector, protocol, &authority);
        config.tls.certificate_file = authority.file("client.pem");
        config.tls.key_file = authority.file("client.key");
        let exporter = start(config);
        exporter.push(&numbered(0));
        let stats = exporter.shutdown(LONG).await;
        assert_eq!(only(&stats).sent, 1, "{stats:?}");

        let mut config = secure(&collector, protocol, &authority);
        config.retry.give_up_after = Span::millis(1);
        let exporter = start(config);
        exporter.push(&numbered(1));
        let stats = exporter.shutdown(LONG).await;
        assert_eq!((only(&stats).sent, only(&stats).failed_retries), (0, 1), "{stats:?}");
        assert_eq!(collector.received().len(), 1, "nothing without a certificate");
    }
}

#[tokio::test]
async fn an_unknown_authority_is_not_trusted_and_the_reason_shows() {
    let (authority, other) = (Authority::new(), Authority::new());
    for protocol in PROTOCOLS {
        let collector = authority.collector(false);
        let mut config = secure(&collector, protocol, &other);
        config.retry.give_up_after = Span::millis(1);
        let exporter = start(config);
        exporter.push(&numbered(0));
        let stats = exporter.shutdown(LONG).await;
        let stats = only(&stats);
        assert_eq!((stats.sent, stats.failed_retries), (0, 1), "{stats:?}");
        assert!(stats.last_error.as_ref().unwrap().contains("certificate"), "{stats:?}");
        assert!(collector.received().is_empty());
    }
}

#[tokio::test]
async fn unusable_files_are_found_at_the_start() {
    let authority = Authority::new();
    fs::write(authority.folder.path().join("empty.pem"), "nothing here").unwrap();
    for protocol in PROTOCOLS {
        let error = |change: &dyn Fn(&mut DestinationConfig)| {
            let mut config = destination("https://127.0.0.1:1", protocol);
            config.tls.ca_file = authority.file("ca.pem");
            change(&mut config);
            let config = ExportConfig { otlp: vec![config], environment: false };
            let settings = Settings::resolve(&config, &|_| None).unwrap();
            Exporter::start(settings, &ExporterOptions::default(), None).unwrap_err().to_string()
        };
        let missing = error(&|config| config.tls.ca_file = authority.file("missing.pem"));
        assert!(
            missing.starts_with("cannot read the CA file ") && missing.contains("missing.pem: "),
            "{missing}"
        );
        let empty = error(&|config| config.tls.ca_file = authority.file("empty.pem"));
        assert!(empty.ends_with("empty.pem: no PEM certificate in it"), "{empty}");
        let key = error(&|config| {
            config.tls.certificate_file = authority.file("client.pem");
            config.tls.key_file = authority.file("empty.pem");
        });
        assert!(key.ends_with("empty.pem: no usable PEM private key in it"), "{key}");
    }
}
