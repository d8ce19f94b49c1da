//! Collectors that refuse, stall, die and come back: bounded, counted, never blocking.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tonic::{Code, Status};
use wirespan::{
    config::{ByteSize, Span},
    export::{Protocol, Secret},
};

use super::{
    LONG, PROTOCOLS, accepted_ids, assert_balanced,
    collector::{Answer, Collector, Port},
    destination, numbered, only, start,
};

/// `google.rpc.Status` with a `RetryInfo`, as far as this test needs it.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

fn status_with_retry_info(seconds: u8) -> Vec<u8> {
    // RetryInfo { retry_delay: Duration { seconds } }
    let detail = Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
        value: vec![0x0a, 0x02, 0x08, seconds],
    };
    RpcStatus { code: 8, message: "slow down".to_owned(), details: vec![detail] }.encode_to_vec()
}

fn http(status: u16) -> Answer {
    Answer::Http(status, Vec::new(), b"because".to_vec())
}

#[tokio::test]
async fn what_may_succeed_later_is_sent_again() {
    let unavailable = [
        Code::Unavailable,
        Code::Aborted,
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::OutOfRange,
        Code::DataLoss,
    ];
    let grpc = unavailable.map(|code| Answer::Grpc(Status::new(code, "later")));
    let cases = [
        (Protocol::Grpc, grpc.to_vec()),
        (Protocol::HttpProtobuf, [429, 502, 503, 504].map(http).to_vec()),
        (Protocol::HttpProtobuf, vec![Answer::Http(503, vec![("retry-after", "0".to_owned())], Vec::new())]),
    ];
    for (protocol, script) in cases {
        let failures = script.len() as u64;
        let collector = Collector::start(script);
        let exporter = start(destination(&collector.url(), protocol));
        exporter.push(&numbered(0));
        let stats = exporter.shutdown(LONG).await;
        let stats = only(&stats);
        assert_eq!((stats.sent, stats.retries, stats.attempts), (1, failures, failures + 1), "{stats:?}");
        assert_eq!(stats.lost(), 0);
        let received = collector.received();
        assert!(
            received.iter().all(|request| request.traces == received[0].traces),
            "the same bytes each time"
        );
    }
}

#[tokio::test]
async fn what_is_refused_for_good_is_not_sent_again_but_counted() {
    let cases = [
        (Protocol::HttpProtobuf, http(400), "HTTP 400 Bad Request: because"),
        (Protocol::HttpProtobuf, http(401), "HTTP 401 Unauthorized: because"),
        (Protocol::HttpProtobuf, http(500), "HTTP 500 Internal Server Error: because"),
        (
            Protocol::HttpProtobuf,
            Answer::Http(301, vec![("location", "/x".to_owned())], Vec::new()),
            "HTTP 301 Moved Permanently",
        ),
        (
            Protocol::HttpProtobuf,
            Answer::Http(
                400,
                vec![("content-type", "application/x-protobuf".to_owned())],
                RpcStatus { message: "bad span".to_owned(), ..RpcStatus::default() }.encode_to_vec(),
            ),
            "HTTP 400 Bad Request: bad span",
        ),
        (Protocol::Grpc, Answer::Grpc(Status::invalid_argument("because")), "InvalidArgument: because"),
        (Protocol::Grpc, Answer::Grpc(Status::unauthenticated("who")), "Unauthenticated: who"),
        (
            Protocol::Grpc,
            Answer::Grpc(Status::resource_exhausted("too large")),
            "ResourceExhausted: too large",
        ),
        (Protocol::Grpc, Answer::Grpc(Status::unknown("whatever")), "Unknown: whatever"),
    ];
    for (protocol, answer, message) in cases {
        let collector = Collector::start([answer]);
        let exporter = start(destination(&collector.url(), protocol));
        exporter.push(&numbered(0));
        exporter.push(&numbered(1));
        let stats = exporter.shutdown(LONG).await;
        let stats = only(&stats);
        assert_eq!((stats.failed_permanent, stats.attempts, stats.sent), (2, 1, 0), "{stats:?}");
        assert_eq!(stats.last_error.as_deref(), Some(message));
        assert_balanced(stats);
    }
}

#[tokio::test]
async fn the_wait_that_a_collector_asks_for_is_kept() {
    // Longer than the batch may take: asking again sooner would be a second attempt, waiting is giving up at once.
    let exhausted =
        Status::with_details(Code::ResourceExhausted, "slow down", Bytes::from(status_with_retry_info(100)));
    let cases = [
        (Protocol::HttpProtobuf, Answer::Http(429, vec![("retry-after", "100".to_owned())], Vec::new())),
        (
            Protocol::HttpProtobuf,
            Answer::Http(503, vec![("retry-after", "Fri, 01 Jan 2100 00:00:00 GMT".to_owned())], Vec::new()),
        ),
        (Protocol::Grpc, Answer::Grpc(exhausted)),
    ];
    for (protocol, answer) in cases {
        let collector = Collector::start([answer]);
        let mut config = destination(&collector.url(), protocol);
        config.retry.give_up_after = Span::secs(60);
        let exporter = start(config);
        exporter.push(&numbered(0));
        let stats = exporter.shutdown(LONG).await;
        let stats = only(&stats);
        assert_eq!((stats.failed_retries, stats.attempts, stats.retries), (1, 1, 0), "{stats:?}");
    }
    let soon =
        Status::with_details(Code::ResourceExhausted, "slow down", Bytes::from(status_with_retry_info(0)));
    let collector = Collector::start([Answer::Grpc(soon)]);
    let exporter = start(destination(&collector.url(), Protocol::Grpc));
    exporter.push(&numbered(0));
    assert_eq!(only(&exporter.shutdown(LONG).await).sent, 1);
}

#[tokio::test]
async fn a_partial_success_counts_the_rejected() {
    for protocol in PROTOCOLS {
        let collector =
            Collector::start([Answer::Partial(2, "too old"), Answer::Partial(0, "only a warning")]);
        let mut config = destination(&collector.url(), protocol);
        config.batch.max_spans = 5;
        let exporter = start(config);
        for number in 0..6 {
            exporter.push(&numbered(number));
        }
        let stats = exporter.shutdown(LONG).await;
        let stats = only(&stats);
        assert_eq!((stats.sent, stats.rejected, stats.attempts), (4, 2, 2), "{stats:?}");
        assert_eq!(stats.last_error.as_deref(), Some("too old"));
        assert_balanced(stats);
    }
}

#[tokio::test]
async fn a_collector_that_echoes_credentials_does_not_bring_them_into_messages() {
    let echo = "bad token Bearer hush-hush and hush-hush";
    let cases = [
        (Protocol::HttpProtobuf, Answer::Http(403, Vec::new(), echo.into())),
        (Protocol::Grpc, Answer::Grpc(Status::permission_denied(echo))),
    ];
    for (protocol, answer) in cases {
        let collector = Collector::start([answer]);
        let mut config = destination(&collector.url(), protocol);
        config.headers.insert("authorization".to_owned(), Secret::new("Bearer hush-hush"));
        let exporter = start(config);
        assert!(!format!("{exporter:?}").contains("hush"));
        exporter.push(&numbered(0));
        let stats = exporter.shutdown(LONG).await;
        assert!(!format!("{stats:?} {stats}").contains("hush"), "{stats:?}");
        assert!(stats.to_string().contains("bad token [redacted]"));
    }
}

#[tokio::test]
async fn a_dead_collector_costs_bounded_memory_and_every_span_is_accounted_for() {
    for protocol in PROTOCOLS {
        let port = Port::reserve();
        let mut config = destination(&port.url(), protocol);
        config.queue_size = ByteSize(64 << 10);
        let exporter = start(config);
        for number in 0..5000 {
            exporter.push(&numbered(number));
            if number % 500 == 0 {
                tokio::task::yield_now().await;
                assert!(only(&exporter.stats()).queued_bytes <= 64 << 10);
            }
        }
        let stats = exporter.stats();
        let stats = only(&stats);
        assert!(stats.dropped_queue_full > 0 && stats.queued > 0, "{stats:?}");
        assert_balanced(stats);
        let stats = exporter.shutdown(Duration::from_millis(20)).await;
        let stats = only(&stats);
        assert_eq!((stats.sent, stats.queued, stats.lost()), (0, 0, 5000), "{stats:?}");
        assert!(stats.dropped_shutdown > 0);
    }
}

#[tokio::test]
async fn what_waits_is_sent_when_the_collector_comes_back() {
    for protocol in PROTOCOLS {
        let port = Port::reserve();
        let collector = port.listen([Answer::Silence]);
        let mut config = destination(&port.url(), protocol);
        config.batch.max_spans = 10;
        let exporter = start(config);
        for number in 0..25 {
            exporter.push(&numbered(number));
        }
        collector.wait_for(1).await;
        // It dies with a request in hand, stays away for a while, and another one takes its place.
        drop(collector);
        while exporter.stats().destinations[0].attempts < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let collector = port.listen([]);
        let stats = exporter.shutdown(LONG).await;
        let stats = only(&stats);
        assert_eq!((stats.sent, stats.lost()), (25, 0), "{stats:?}");
        assert!(stats.retries >= 2);
        assert_eq!(accepted_ids(&collector), (0..25).collect::<Vec<u64>>());
    }
}

#[tokio::test]
async fn a_collector_that_does_not_answer_is_asked_again_after_the_timeout() {
    for protocol in PROTOCOLS {
        let collector = Collector::start([Answer::Silence]);
        let mut config = destination(&collector.url(), protocol);
        config.timeout = Span::millis(200);
        let exporter = start(config);
        exporter.push(&numbered(0));
        let stats = exporter.shutdown(LONG).await;
        assert_eq!(only(&stats).sent, 1, "{stats:?}");
        assert!(only(&stats).retries >= 1);
    }
}

#[tokio::test]
async fn a_shutdown_ends_at_its_deadline_and_counts_what_was_in_flight() {
    for protocol in PROTOCOLS {
        let collector = Collector::start([Answer::Silence]);
        let mut config = destination(&collector.url(), protocol);
        config.timeout = Span::secs(0);
        config.batch.max_spans = 2;
        let exporter = start(config);
        for number in 0..5 {
            exporter.push(&numbered(number));
        }
        collector.wait_for(1).await;
        let stats = exporter.shutdown(Duration::from_millis(20)).await;
        let stats = only(&stats);
        assert_eq!(
            (stats.sent, stats.dropped_shutdown, stats.queued, stats.queued_bytes),
            (0, 5, 0, 0),
            "{stats:?}"
        );
        assert_balanced(stats);
    }
}

#[tokio::test]
async fn a_batch_that_never_gets_through_is_given_up_and_the_next_one_tried() {
    let script = vec![http(503); 1000];
    let collector = Collector::start(script);
    let mut config = destination(&collector.url(), Protocol::HttpProtobuf);
    config.retry.give_up_after = Span::millis(20);
    config.batch.max_spans = 1;
    let exporter = start(config);
    exporter.push(&numbered(0));
    exporter.push(&numbered(1));
    let stats = exporter.shutdown(LONG).await;
    let stats = only(&stats);
    assert_eq!((stats.failed_retries, stats.sent), (2, 0), "{stats:?}");
    assert!(stats.to_string().contains("unreachable 2"));
    assert_balanced(stats);
}

#[tokio::test]
async fn a_span_that_otlp_cannot_express_is_counted_and_harms_no_other() {
    let collector = Collector::start([]);
    let exporter = start(destination(&collector.url(), Protocol::HttpProtobuf));
    let mut broken = numbered(0);
    broken.trace_id = "none".to_owned();
    exporter.push(&broken);
    exporter.push(&numbered(1));
    let stats = exporter.shutdown(LONG).await;
    assert_eq!((only(&stats).dropped_invalid, only(&stats).sent), (1, 1));
    assert_balanced(only(&stats));
}

#[tokio::test]
async fn a_span_larger_than_the_queue_is_counted_as_such() {
    let collector = Collector::start([]);
    let mut config = destination(&collector.url(), Protocol::HttpProtobuf);
    config.queue_size = ByteSize(8 << 10);
    let exporter = start(config);
    let mut large = numbered(0);
    large.name = "n".repeat(10_000);
    exporter.push(&large);
    exporter.push(&numbered(1));
    let stats = exporter.shutdown(LONG).await;
    assert_eq!((only(&stats).dropped_oversize, only(&stats).sent), (1, 1));
    assert_balanced(only(&stats));
}

#[tokio::test]
async fn an_exporter_that_is_dropped_still_sends_what_waits() {
    let collector = Collector::start([]);
    let exporter = start(destination(&collector.url(), Protocol::Grpc));
    exporter.push(&numbered(3));
    drop(exporter);
    collector.wait_for(1).await;
    assert_eq!(accepted_ids(&collector), [3]);
}
