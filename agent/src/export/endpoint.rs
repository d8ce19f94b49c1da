//! Endpoints: the rules of the OTLP exporter specification for URLs, paths and schemes.

use std::fmt;

use http::{
    Uri,
    uri::{PathAndQuery, Scheme},
};

use super::{Protocol, Signal};

/// A checked address of one signal at one destination.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    uri: Uri,
}

/// Why an endpoint cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct EndpointError {
    /// Where it was given: a variable or a configuration key.
    pub variable: String,
    /// What is wrong and what to write.
    pub problem: String,
}

/// How an endpoint was given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    /// The text.
    pub(crate) text: &'a str,
    /// Where it was given, for messages.
    pub(crate) variable: &'a str,
    /// For one signal: the path is used as it is. Else the signal's path is appended.
    pub(crate) for_signal: bool,
    /// Plain text when no scheme says otherwise (gRPC only).
    pub(crate) insecure: bool,
}

impl Endpoint {
    /// Resolves an endpoint for a signal: over HTTP the path `v1/traces` or `v1/metrics` is appended to one that was given
    /// for all signals, and one given for a signal is used unchanged; over gRPC only scheme, host and port count.
    pub(crate) fn resolve(
        given: Given<'_>,
        protocol: Protocol,
        signal: Signal,
    ) -> Result<Self, EndpointError> {
        let fail = |problem: &str| {
            Err(EndpointError { variable: given.variable.to_owned(), problem: problem.to_owned() })
        };
        let text = given.text.trim();
        let with_scheme = match (text.contains("://"), protocol, given.insecure) {
            (true, ..) => text.to_owned(),
            (false, Protocol::Grpc, true) => format!("http://{text}"),
            (false, Protocol::Grpc, false) => format!("https://{text}"),
            (false, Protocol::HttpProtobuf, _) => {
                return fail("the URL needs a scheme: write http://HOST:PORT or https://HOST:PORT");
            }
        };
        // The text is not repeated in messages: it may hold a key in its query or its user part.
        let Ok(uri) = with_scheme.parse::<Uri>() else {
            return fail("this is not a URL: write http://HOST:PORT or https://HOST:PORT");
        };
        if uri.scheme() != Some(&Scheme::HTTP) && uri.scheme() != Some(&Scheme::HTTPS) {
            return fail("the scheme must be http or https");
        }
        if uri.host().is_none_or(str::is_empty) {
            return fail("the URL has no host");
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return fail(
                "a user or password in the URL is not supported: send it as a header (authorization=Basic ...)",
            );
        }
        // A port that is no 16-bit number is no port to the parser of URLs, and would silently become the default one.
        let port = uri.authority().zip(uri.host()).and_then(|(all, host)| all.as_str().strip_prefix(host));
        if !port.is_none_or(|port| {
            port.is_empty() || matches!(port.strip_prefix(':').map(str::parse::<u16>), Some(Ok(1..)))
        }) {
            return fail("the port must be from 1 to 65535");
        }
        let path = match protocol {
            Protocol::Grpc => "/".to_owned(),
            Protocol::HttpProtobuf if given.for_signal => {
                uri.path_and_query().map_or_else(|| "/".to_owned(), |path| path.as_str().to_owned())
            }
            Protocol::HttpProtobuf => {
                let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
                format!("{}/v1/{}{query}", uri.path().trim_end_matches('/'), signal.name())
            }
        };
        let mut parts = uri.into_parts();
        parts.path_and_query = PathAndQuery::try_from(path).ok();
        match Uri::from_parts(parts) {
            Ok(uri) => Ok(Self { uri }),
            Err(_) => fail("this is not a URL: write http://HOST:PORT or https://HOST:PORT"),
        }
    }

    /// The whole URL. Its query may hold a secret: print the endpoint itself instead.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Whether TLS is used.
    pub(crate) fn is_tls(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }

    /// Host and port, as a name for the destination.
    pub(crate) fn authority(&self) -> String {
        self.uri.authority().map_or_else(String::new, ToString::to_string)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or("http");
        write!(f, "{scheme}://{}{}", self.authority(), self.uri.path())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resolve(text: &str, protocol: Protocol, for_signal: bool) -> Result<String, String> {
        let given = Given { text, variable: "VARIABLE", for_signal, insecure: false };
        Endpoint::resolve(given, protocol, Signal::Traces)
            .map(|endpoint| endpoint.uri().to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn http_appends_the_signal_path_to_a_common_endpoint() {
        let http = |text| resolve(text, Protocol::HttpProtobuf, false).unwrap();
        assert_eq!(http("http://collector:4318"), "http://collector:4318/v1/traces");
        assert_eq!(http("http://collector:4318/"), "http://collector:4318/v1/traces");
        assert_eq!(http("https://host/api/public/otel"), "https://host/api/public/otel/v1/traces");
        assert_eq!(http("https://host/otlp/?key=1"), "https://host/otlp/v1/traces?key=1");
        assert_eq!(http("http://[::1]:4318"), "http://[::1]:4318/v1/traces");
    }

    #[test]
    fn http_uses_a_signal_endpoint_as_it_is() {
        let http = |text| resolve(text, Protocol::HttpProtobuf, true).unwrap();
        assert_eq!(http("http://collector:4318"), "http://collector:4318/");
        assert_eq!(http("http://collector:4318/custom/path"), "http://collector:4318/custom/path");
    }

    #[test]
    fn grpc_takes_tls_from_the_scheme() {
        assert_eq!(
            resolve("http://collector:4317", Protocol::Grpc, false).unwrap(),
            "http://collector:4317/"
        );
        assert_eq!(
            resolve("https://collector:4317/x", Protocol::Grpc, true).unwrap(),
            "https://collector:4317/"
        );
        assert_eq!(resolve("collector:4317", Protocol::Grpc, false).unwrap(), "https://collector:4317/");
        let given = Given { text: "collector:4317", variable: "V", for_signal: false, insecure: true };
        let endpoint = Endpoint::resolve(given, Protocol::Grpc, Signal::Metrics).unwrap();
        assert!(!endpoint.is_tls());
    }

    #[test]
    fn what_cannot_work_is_refused_without_being_repeated() {
        for text in [
            "",
            "collector:4318",
            "ftp://host",
            "http://",
            "http://u:hush@host",
            "http://a b",
            "http://host:99999",
        ] {
            let error = resolve(text, Protocol::HttpProtobuf, false).unwrap_err();
            assert!(error.starts_with("VARIABLE: "), "{error}");
            assert!(!error.contains("hush"));
        }
    }

    #[test]
    fn the_query_does_not_show() {
        let given =
            Given { text: "https://host/x?key=hush", variable: "V", for_signal: true, insecure: false };
        let endpoint = Endpoint::resolve(given, Protocol::HttpProtobuf, Signal::Traces).unwrap();
        assert_eq!(format!("{endpoint} {endpoint:?}"), "https://host/x https://host/x");
        assert_eq!(endpoint.uri().query(), Some("key=hush"));
    }

    proptest! {
        #[test]
        fn any_text_is_resolved_or_refused(text in ".*", for_signal: bool, insecure: bool) {
            for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
                let given = Given { text: &text, variable: "V", for_signal, insecure };
                if let Ok(endpoint) = Endpoint::resolve(given, protocol, Signal::Traces) {
                    prop_assert!(endpoint.uri().host().is_some_and(|host| !host.is_empty()));
                }
            }
        }
    }
}
