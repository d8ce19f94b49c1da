//! Bounds and batches, on a paused clock.

use std::{sync::Arc, time::Duration};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use prost::Message;

use super::*;

fn item(size: usize) -> Item {
    Item::Span(EncodedSpan { resource: Arc::from(&b""[..]), span: Bytes::from(vec![0; size]) })
}

fn queue(max_bytes: usize, batch_items: usize, batch_bytes: usize) -> Queue {
    Queue::new(
        QueueLimits { max_bytes, max_items: None },
        BatchLimits { max_bytes: batch_bytes, max_items: batch_items, delay: Duration::from_secs(5) },
    )
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_the_newest_and_counts_what_is_being_sent() {
    let queue = queue(3 * (OVERHEAD + 100), 2, usize::MAX);
    for _ in 0..3 {
        assert_eq!(queue.push(item(100)), Ok(()));
    }
    assert_eq!(queue.push(item(0)), Err(Refused::Full));
    assert_eq!(queue.next().await.unwrap().count, 2);
    assert_eq!(queue.push(item(0)), Err(Refused::Full), "what is being sent is still held");
    queue.done();
    assert_eq!(queue.push(item(0)), Ok(()));
    assert_eq!(queue.held(), (2, (2 * OVERHEAD + 100) as u64));
}

#[tokio::test(start_paused = true)]
async fn an_item_larger_than_the_queue_is_refused_as_such() {
    let queue = queue(1000, 10, usize::MAX);
    assert_eq!(queue.push(item(1000)), Err(Refused::Oversize));
    assert_eq!(queue.push(item(1000 - OVERHEAD)), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn the_number_of_items_may_be_bounded_too() {
    let queue = Queue::new(
        QueueLimits { max_bytes: usize::MAX, max_items: Some(1) },
        BatchLimits { max_bytes: 1, max_items: 1, delay: Duration::ZERO },
    );
    assert_eq!(queue.push(item(1)), Ok(()));
    assert_eq!(queue.push(item(1)), Err(Refused::Full));
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_due_by_number_by_bytes_and_by_age() {
    let start = Instant::now();
    let by_number = queue(usize::MAX, 2, usize::MAX);
    by_number.push(item(1)).unwrap();
    by_number.push(item(1)).unwrap();
    by_number.push(item(1)).unwrap();
    assert_eq!(by_number.next().await.unwrap().count, 2);
    assert_eq!(Instant::now(), start);
    by_number.done();
    assert_eq!(by_number.next().await.unwrap().count, 1);
    assert_eq!(Instant::now() - start, Duration::from_secs(5));

    let start = Instant::now();
    let by_bytes = queue(usize::MAX, 100, 1000);
    for _ in 0..3 {
        by_bytes.push(item(400)).unwrap();
    }
    assert_eq!(by_bytes.next().await.unwrap().count, 1, "two of them would be more than a batch holds");
    by_bytes.done();
    by_bytes.push(item(5000)).unwrap();
    assert_eq!(by_bytes.next().await.unwrap().count, 1);
    assert_eq!(Instant::now(), start);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_consumer_is_woken() {
    let queue = Arc::new(queue(usize::MAX, 100, usize::MAX));
    let consumer = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { queue.next().await.map(|batch| batch.count) }
    });
    tokio::task::yield_now().await;
    queue.push(item(1)).unwrap();
    assert_eq!(consumer.await.unwrap(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_closed_queue_gives_out_the_rest_at_once() {
    let start = Instant::now();
    let queue = queue(usize::MAX, 2, usize::MAX);
    for _ in 0..3 {
        queue.push(item(1)).unwrap();
    }
    queue.close();
    assert_eq!(queue.push(item(1)), Err(Refused::Closed));
    assert_eq!(queue.next().await.unwrap().count, 2);
    queue.done();
    assert_eq!(queue.next().await.unwrap().count, 1);
    queue.done();
    assert!(queue.next().await.is_none());
    assert_eq!(Instant::now(), start);
}

#[tokio::test(start_paused = true)]
async fn clearing_counts_what_waits_and_what_is_being_sent() {
    let queue = queue(usize::MAX, 2, usize::MAX);
    for _ in 0..5 {
        queue.push(item(1)).unwrap();
    }
    queue.next().await.unwrap();
    assert_eq!(queue.clear(), 5);
    assert_eq!(queue.held(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn metric_requests_go_alone() {
    let queue = queue(usize::MAX, 10, usize::MAX);
    queue.push(Item::Metrics(Bytes::from_static(b"one"), 7)).unwrap();
    queue.push(Item::Metrics(Bytes::from_static(b"two"), 8)).unwrap();
    let batch = queue.next().await.unwrap();
    assert_eq!((batch.body.as_ref(), batch.count), (&b"one"[..], 7));
    queue.done();
    assert_eq!(queue.next().await.unwrap().body.as_ref(), b"two");
}

proptest! {
    #[test]
    fn whatever_is_taken_is_bounded_and_comes_out_once(sizes in prop::collection::vec(0_usize..3000, 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let queue = queue(20_000, 7, 4000);
            let mut taken = 0;
            for size in &sizes {
                taken += u64::from(queue.push(item(*size)).is_ok());
                assert!(queue.held().1 <= 20_000);
            }
            queue.close();
            let mut out = 0;
            while let Some(batch) = queue.next().await {
                assert!(batch.count <= 7);
                // The fixture's spans are zero bytes, so only the framing can be checked.
                assert!(batch.count > 0 && !batch.body.is_empty());
                let _ = ExportTraceServiceRequest::decode(batch.body);
                out += batch.count;
                queue.done();
            }
            assert_eq!(out, taken);
            assert_eq!(queue.held(), (0, 0));
        });
    }
}
