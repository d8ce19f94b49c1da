//! Fetches one document over HTTPS. Plain HTTP only from this host: what comes over it could be anybody's.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header::USER_AGENT};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, pem::PemObject};

/// Longest time for all of it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The document at `url`, of at most `most` bytes. Redirects are not followed.
///
/// # Errors
/// When the address is not allowed, the server cannot be reached or trusted, or does not answer with a whole document.
pub(crate) async fn get(url: &str, ca_file: Option<&Path>, most: usize) -> anyhow::Result<Vec<u8>> {
    let uri: Uri = url.parse().context("this is no address")?;
    let local = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if local => {}
        _ => bail!("only https:// addresses are fetched"),
    }
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls(ca_file)?)
        .https_or_http()
        .enable_all_versions()
        .build();
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let request = Request::get(uri)
        .header(USER_AGENT, concat!("wirespan/", env!("CARGO_PKG_VERSION")))
        .body(Empty::new())
        .context("this is no address")?;
    let whole = async {
        let response = client.request(request).await.context("no answer")?;
        let status = response.status();
        ensure!(!status.is_redirection(), "the server sends us elsewhere ({status}): give the final address");
        ensure!(status == StatusCode::OK, "the server answered {status}");
        let body = Limited::new(response.into_body(), most).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("{error} (at most {most} bytes are read)"))?;
        Ok(body.to_bytes().to_vec())
    };
    tokio::time::timeout(TIMEOUT, whole).await.context("it took too long")?
}

fn tls(ca_file: Option<&Path>) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let name = path.display();
            for certificate in
                CertificateDer::pem_file_iter(path).with_context(|| format!("cannot read {name}"))?
            {
                roots.add(certificate.with_context(|| format!("{name} is not PEM"))?)?;
            }
            ensure!(!roots.is_empty(), "no PEM certificate is in {name}");
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::{ServerConfig, ServerConnection, Stream};
    use rustls_pki_types::PrivateKeyDer;

    use super::*;

    /// Answers one request with these bytes, over TLS when there is a configuration.
    fn serve(answer: &'static str, tls: Option<ServerConfig>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            match tls {
                None => {
                    let _ = socket.read(&mut buffer);
                    let _ = socket.write_all(answer.as_bytes());
                }
                Some(config) => {
                    let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
                    let mut stream = Stream::new(&mut connection, &mut socket);
                    let _ = stream.read(&mut buffer);
                    let _ = stream.write_all(answer.as_bytes());
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            }
        });
        port
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";

    #[tokio::test]
    async fn over_tls_by_authorities_that_are_trusted_only() {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let config = || {
            let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
            ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![cert.der().clone()], key)
                .unwrap()
        };
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, cert.pem()).unwrap();
        let url = |port| format!("https://localhost:{port}/prices.json");
        assert_eq!(get(&url(serve(OK, Some(config()))), Some(&ca), 100).await.unwrap(), b"hello");
        assert!(get(&url(serve(OK, Some(config()))), None, 100).await.is_err());
    }

    #[tokio::test]
    async fn says_why_not() {
        let error =
            |url: String, most| async move { format!("{:#}", get(&url, None, most).await.unwrap_err()) };
        assert!(error("http://example.com/".to_owned(), 9).await.contains("only https://"));
        assert!(error("ftp://localhost/".to_owned(), 9).await.contains("only https://"));
        let local = |answer| format!("http://127.0.0.1:{}/", serve(answer, None));
        assert_eq!(get(&local(OK), None, 9).await.unwrap(), b"hello");
        assert!(error(local(OK), 4).await.contains("at most 4 bytes"));
        let gone = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        assert!(error(local(gone), 9).await.contains("404"));
        let moved = "HTTP/1.1 302 Found\r\nlocation: https://x/\r\ncontent-length: 0\r\n\r\n";
        assert!(error(local(moved), 9).await.contains("elsewhere"));
    }
}
