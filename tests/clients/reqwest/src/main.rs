//! Chat completions with reqwest, as Rust programs are built: rustls or OpenSSL inside, threads of tokio.
//!
//! `wirespan-client URL AUTHORITY CALLS [OPTION…]` makes CALLS calls at the same time and prints a line of JSON.
//!
//! - `http1`, `http2`: speak only this; else what the server prefers.
//! - `size=BYTES`: length of each prompt.
//! - `rounds=N`: so many times, one after the other.
//! - `wait=FILE`: before that, one call after the other until FILE exists.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Client, Version};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

struct Options {
    url: String,
    authority: PathBuf,
    calls: usize,
    version: Option<Version>,
    size: usize,
    rounds: usize,
    wait: Option<PathBuf>,
}

fn options() -> Result<Options> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: wirespan-client URL AUTHORITY CALLS [OPTION…]");
    let (url, authority, calls) = (next()?, next()?.into(), next()?.parse()?);
    let mut options = Options { url, authority, calls, version: None, size: 0, rounds: 1, wait: None };
    for argument in arguments {
        match argument.split_once('=').unwrap_or((argument.as_str(), "")) {
            ("http1", _) => options.version = Some(Version::HTTP_11),
            ("http2", _) => options.version = Some(Version::HTTP_2),
            ("size", bytes) => options.size = bytes.parse()?,
            ("rounds", count) => options.rounds = count.parse()?,
            ("wait", file) => options.wait = Some(file.into()),
            _ => return Err(format!("unknown option {argument}").into()),
        }
    }
    Ok(options)
}

fn client(options: &Options) -> Result<Client> {
    #[cfg(feature = "aws-lc")]
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    #[cfg(all(feature = "ring", not(feature = "aws-lc")))]
    drop(rustls::crypto::ring::default_provider().install_default());
    let authority = Certificate::from_pem(&std::fs::read(&options.authority)?)?;
    let builder = Client::builder().tls_certs_only([authority]).timeout(Duration::from_secs(120));
    Ok(match options.version {
        Some(Version::HTTP_2) => builder.http2_prior_knowledge(),
        Some(_) => builder.http1_only(),
        None => builder,
    }
    .build()?)
}

/// Every second call is streamed.
async fn call(client: &Client, options: &Options, number: usize) -> Result<()> {
    let stream = number.is_multiple_of(2);
    let text = format!("rust {number}: {}", "äöü 日本 ".repeat(options.size / 13 + number));
    let body = format!(
        r#"{{"model":"gpt-4o-mini","stream":{stream},"messages":[{{"role":"user","content":"{text}"}}]}}"#
    );
    let request = client
        .post(format!("{}/v1/chat/completions", options.url))
        .header("content-type", "application/json")
        .body(body);
    let response = request.send().await?;
    let (version, status) = (response.version(), response.status());
    let got = response.bytes().await?;
    let done = got.windows(6).any(|window| window == b"[DONE]");
    if !status.is_success() || done != stream || options.version.is_some_and(|wanted| wanted != version) {
        return Err(format!("{version:?} {status}: {} bytes", got.len()).into());
    }
    Ok(())
}

async fn run(options: Options) -> Result<()> {
    let client = client(&options)?;
    let options = Arc::new(options);
    let mut before = 0;
    if let Some(file) = &options.wait {
        while before == 0 || !file.exists() {
            call(&client, &options, before).await?;
            before += 1;
            println!("call {before}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    for _ in 0..options.rounds {
        let calls: Vec<_> = (0..options.calls)
            .map(|number| {
                let (client, options) = (client.clone(), Arc::clone(&options));
                tokio::spawn(async move { call(&client, &options, number).await })
            })
            .collect();
        for call in calls {
            call.await??;
        }
    }
    println!(r#"{{"ok": {}, "before": {before}}}"#, options.calls * options.rounds);
    Ok(())
}

fn main() -> Result<()> {
    let options = options()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(options))
}
