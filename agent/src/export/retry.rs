//! When to try again: exponential backoff with jitter, and what servers ask for.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    time::Duration,
};

use jiff::Timestamp;
use prost::Message;

use super::settings::RetryPolicy;

/// The waits of one batch.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: RetryPolicy,
    next: Duration,
    random: u64,
}

impl Backoff {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        // The standard library's hasher keys are random: enough to spread the attempts of many agents.
        Self { policy, next: policy.initial_delay, random: RandomState::new().build_hasher().finish() | 1 }
    }

    /// The next wait: what the server asked for, else the backoff, from half of it to all of it at random.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let delay = self.next;
        self.next = (delay * 2).min(self.policy.max_delay);
        let jittered = delay / 2 + (delay / 2).mul_f64(self.fraction());
        // Sooner than the server asked would be refused again.
        asked.map_or(jittered, |asked| asked.max(Duration::from_millis(1)))
    }

    /// From 0 to 1, by xorshift64 (Marsaglia 2003).
    fn fraction(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        f64::from(u32::try_from(self.random >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.
pub(crate) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// `google.rpc.Status`, the body of OTLP errors.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<RpcAny>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RpcAny {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(crate) retry_delay: Option<RpcDuration>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct RpcDuration {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

/// The wait in the `RetryInfo` of an encoded `google.rpc.Status`, if it has one.
pub(crate) fn retry_info(status: &[u8]) -> Option<Duration> {
    let status = RpcStatus::decode(status).ok()?;
    let info = status.details.iter().find(|detail| detail.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay.unwrap_or_default();
    Some(Duration::new(
        u64::try_from(delay.seconds).unwrap_or(0),
        u32::try_from(delay.nanos).ok().filter(|n| *n < 1_000_000_000).unwrap_or(0),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        initial_delay: Duration::from_millis(100),
        max_delay: Duration::from_secs(1),
        give_up_after: Duration::from_secs(60),
    };

    #[test]
    fn waits_double_up_to_the_limit_with_jitter() {
        let mut backoff = Backoff::new(POLICY);
        for full in [100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.next(None);
            assert!(
                wait >= Duration::from_millis(full / 2) && wait <= Duration::from_millis(full),
                "{wait:?} of {full}"
            );
        }
    }

    #[test]
    fn what_the_server_asks_for_wins() {
        let mut backoff = Backoff::new(POLICY);
        assert_eq!(backoff.next(Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert!(backoff.next(Some(Duration::ZERO)) > Duration::ZERO, "never a busy loop");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2015-10-21T07:27:00Z".parse().unwrap();
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("-1", now), None);
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn retry_info_is_found_in_the_details() {
        let info = RetryInfo { retry_delay: Some(RpcDuration { seconds: 2, nanos: 500_000_000 }) };
        let detail = |type_url: &str| RpcAny { type_url: type_url.to_owned(), value: info.encode_to_vec() };
        let status =
            |details| RpcStatus { code: 8, message: "slow down".to_owned(), details }.encode_to_vec();
        let with = status(vec![
            detail("type.googleapis.com/google.rpc.Help"),
            detail("type.googleapis.com/google.rpc.RetryInfo"),
        ]);
        assert_eq!(retry_info(&with), Some(Duration::from_millis(2500)));
        assert_eq!(retry_info(&status(Vec::new())), None);
        assert_eq!(retry_info(b"\xff\xff"), None);
    }
}
