//! What Amazon's web services say beside their bodies: the region, the kind of a failure, token counts in headers.

use agent_wire::{Headers, RequestHead, ResponseHead};
use serde_json::Value;

use super::json::{array_at, str_at, u64_at};
use super::usage::settle;
use crate::call::{Call, CallError, Usage};

/// The region that the host names, else the one in the scope of the signature (Signature Version 4), which is there with any host.
pub(crate) fn region(head: &RequestHead) -> Option<String> {
    let host = head.authority().map(|host| crate::providers::split_authority(host).0.to_ascii_lowercase());
    let named = host
        .filter(|host| {
            [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|end| host.ends_with(end))
        })
        .and_then(|host| host.split('.').find(|label| is_region(label)).map(str::to_owned));
    named.or_else(|| {
        let scope = head.headers.get("authorization")?.strip_prefix("AWS4-HMAC-SHA256")?;
        let (_, credential) = scope.split_once("Credential=")?;
        // Key id, date, region, service.
        credential.split('/').nth(2).filter(|region| is_region(region)).map(str::to_owned)
    })
}

/// `us-east-1`, `us-gov-west-1`, `ap-southeast-2`.
fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let area =
        parts.next().is_some_and(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_lowercase()));
    let number = parts
        .next_back()
        .is_some_and(|part| !part.is_empty() && part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit()));
    let words: Vec<&str> = parts.collect();
    let worded = words.iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()));
    area && number && worded && (1..=3).contains(&words.len()) && text.len() <= 32
}

/// Token counts as Bedrock reports them: input, cache reads and cache writes apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
}

impl Counts {
    /// Of the response headers. For the oldest models they are the only ones.
    fn of_headers(headers: &Headers) -> Self {
        let count = |name: &str| headers.get(name).and_then(|text| text.trim().parse().ok());
        Self {
            input: count("x-amzn-bedrock-input-token-count"),
            output: count("x-amzn-bedrock-output-token-count"),
            cache_read: count("x-amzn-bedrock-cache-read-input-token-count"),
            cache_write: count("x-amzn-bedrock-cache-write-input-token-count"),
            ..Self::default()
        }
    }

    /// Of `amazon-bedrock-invocationMetrics`, which the last object of a stream carries.
    pub(super) fn of_metrics(metrics: &Value) -> Self {
        Self {
            input: u64_at(metrics, &["inputTokenCount"]),
            output: u64_at(metrics, &["outputTokenCount"]),
            cache_read: u64_at(metrics, &["cacheReadInputTokenCount"]),
            cache_write: u64_at(metrics, &["cacheWriteInputTokenCount"]),
            ..Self::default()
        }
    }

    /// Counts given apart from each other, without caches.
    pub(super) fn plain(input: Option<u64>, output: Option<u64>) -> Self {
        Self { input, output, ..Self::default() }
    }

    /// Of a usage object of Converse. Cache counts stand there under two names at once and are counted once.
    pub(super) fn of_usage(usage: &Value) -> Self {
        let either = |a: &str, b: &str| u64_at(usage, &[a]).or_else(|| u64_at(usage, &[b]));
        let mut counts = Self {
            input: u64_at(usage, &["inputTokens"]),
            output: u64_at(usage, &["outputTokens"]),
            cache_read: either("cacheReadInputTokens", "cacheReadInputTokenCount"),
            cache_write: either("cacheWriteInputTokens", "cacheWriteInputTokenCount"),
            ..Self::default()
        };
        for detail in array_at(usage, &["cacheDetails"]) {
            let field = match str_at(detail, &["ttl"]) {
                Some("5m") => &mut counts.cache_write_5m,
                Some("1h") => &mut counts.cache_write_1h,
                _ => continue,
            };
            *field = sum(*field, u64_at(detail, &["inputTokens"]));
        }
        counts
    }

    /// Fills in what is not known yet.
    pub(super) fn or(&mut self, other: &Self) {
        fill(&mut self.input, other.input);
        fill(&mut self.output, other.output);
        fill(&mut self.cache_read, other.cache_read);
        fill(&mut self.cache_write, other.cache_write);
        fill(&mut self.cache_write_5m, other.cache_write_5m);
        fill(&mut self.cache_write_1h, other.cache_write_1h);
    }

    /// Overwrites what `newer` knows.
    pub(super) fn update(&mut self, newer: Self) {
        let older = std::mem::replace(self, newer);
        self.or(&older);
    }

    /// Adds the counts of another inference.
    pub(super) fn add(&mut self, other: &Self) {
        self.input = sum(self.input, other.input);
        self.output = sum(self.output, other.output);
        self.cache_read = sum(self.cache_read, other.cache_read);
        self.cache_write = sum(self.cache_write, other.cache_write);
        self.cache_write_5m = sum(self.cache_write_5m, other.cache_write_5m);
        self.cache_write_1h = sum(self.cache_write_1h, other.cache_write_1h);
    }

    /// Writes the counts in the conventions' meaning where the body told none: input with what was read from and written to the cache.
    pub(super) fn settle_into(&self, usage: &mut Usage) {
        let written = self.cache_write.or_else(|| sum(self.cache_write_5m, self.cache_write_1h));
        if usage.input.is_none() {
            usage.input = [self.input, self.cache_read, written].into_iter().fold(None, sum);
            fill(&mut usage.cache_read, self.cache_read);
            fill(&mut usage.cache_write, written);
            fill(&mut usage.cache_write_5m, self.cache_write_5m);
            fill(&mut usage.cache_write_1h, self.cache_write_1h);
        }
        fill(&mut usage.output, self.output);
        settle(usage);
    }
}

fn fill(field: &mut Option<u64>, value: Option<u64>) {
    if field.is_none() {
        *field = value;
    }
}

/// The sum of what is known; unknown when neither is.
fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (known, None) | (None, known) => known,
    }
}

/// What a response's head says.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    error: Option<String>,
    /// Token counts.
    pub(super) counts: Counts,
}

impl Told {
    /// Reads the head. `x-amzn-errortype` is `ThrottlingException`, with a namespace before a `#` or an address behind a colon.
    pub(super) fn new(head: &ResponseHead) -> Self {
        let error = head.headers.get("x-amzn-errortype").and_then(|text| {
            let word = text.split(':').next().unwrap_or_default();
            word.rsplit('#').next().map(str::trim).filter(|word| !word.is_empty() && word.len() <= 96)
        });
        Self { error: error.map(str::to_owned), counts: Counts::of_headers(&head.headers) }
    }

    /// Names the failure; the words of it, if there are any, came with the body.
    pub(super) fn name_error(&mut self, call: &mut Call) {
        if let Some(kind) = self.error.take() {
            let message = call.error.take().map(|error| error.message).unwrap_or_default();
            call.error = Some(CallError { kind, message });
        }
    }
}

#[cfg(test)]
mod tests {
    use agent_wire::Version;
    use serde_json::json;

    use super::*;

    fn region_of(host: &str, authorization: &str) -> Option<String> {
        let headers = [("host", host), ("authorization", authorization)].into_iter().collect();
        region(&RequestHead { method: "POST".into(), target: "/".into(), version: Version::Http11, headers })
    }

    #[test]
    fn regions_of_hosts_and_signatures() {
        assert_eq!(region_of("bedrock-runtime.us-east-1.amazonaws.com", "").as_deref(), Some("us-east-1"));
        assert_eq!(
            region_of("bedrock-runtime-fips.us-gov-west-1.amazonaws.com:443", "").as_deref(),
            Some("us-gov-west-1")
        );
        assert_eq!(region_of("bedrock-mantle.eu-west-2.api.aws", "").as_deref(), Some("eu-west-2"));
        assert_eq!(region_of("us-east-1.example.com", ""), None);
        let signed = "AWS4-HMAC-SHA256 Credential=AKID/20260101/ap-southeast-2/bedrock/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(region_of("localhost:8080", signed).as_deref(), Some("ap-southeast-2"));
        assert_eq!(region_of("localhost", "Bearer a/b/us-east-1"), None);
        assert_eq!(region_of("localhost", "AWS4-HMAC-SHA256 Credential=<ID>/<DATE>/<REGION>/x"), None);
    }

    #[test]
    fn counts_of_headers_fill_what_the_body_left_open() {
        let headers: Headers = [
            ("X-Amzn-Bedrock-Input-Token-Count", "10"),
            ("X-Amzn-Bedrock-Output-Token-Count", "4"),
            ("X-Amzn-Bedrock-Cache-Read-Input-Token-Count", "5"),
        ]
        .into_iter()
        .collect();
        let counts = Counts::of_headers(&headers);
        let mut usage = Usage::default();
        counts.settle_into(&mut usage);
        assert_eq!((usage.input, usage.output, usage.cache_read), (Some(15), Some(4), Some(5)));
        let mut usage = Usage { input: Some(7), ..Usage::default() };
        counts.settle_into(&mut usage);
        assert_eq!((usage.input, usage.output, usage.cache_read), (Some(7), Some(4), None));
    }

    #[test]
    fn cache_counts_under_two_names_count_once() {
        let usage = json!({"inputTokens": 3, "outputTokens": 2, "cacheReadInputTokens": 10, "cacheReadInputTokenCount": 10,
            "cacheWriteInputTokens": 8, "cacheWriteInputTokenCount": 8,
            "cacheDetails": [{"ttl": "5m", "inputTokens": 6}, {"ttl": "1h", "inputTokens": 2}]});
        let mut found = Usage::default();
        Counts::of_usage(&usage).settle_into(&mut found);
        assert_eq!((found.input, found.output), (Some(21), Some(2)));
        assert_eq!((found.cache_read, found.cache_write), (Some(10), Some(8)));
        assert_eq!((found.cache_write_5m, found.cache_write_1h), (Some(6), Some(2)));
    }

    #[test]
    fn kinds_of_failures() {
        for text in
            ["ThrottlingException:http://internal/x", "ThrottlingException", "a.b#ThrottlingException"]
        {
            let headers = [("X-Amzn-ErrorType", text)].into_iter().collect();
            let head = ResponseHead { status: 429, version: Version::Http11, headers };
            let mut call = crate::codec::fixture::call(crate::call::Api::BedrockConverse);
            Told::new(&head).name_error(&mut call);
            assert_eq!(call.error.map(|error| error.kind).as_deref(), Some("ThrottlingException"), "{text}");
        }
    }
}
