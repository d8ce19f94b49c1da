//! A session over a stand-in for the kernel: events in, calls out, everything flushed at the end, the recording replayable.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use agent_capture::{CaptureEvent, CaptureStats, ConnectionId, Direction, ProcessInfo, StreamChunk};
use agent_genai::{Compat, PriceTable, Record, record::Attributes};

use super::*;
use crate::{
    capture_file::{Frame, Header, Reader, Recorder},
    config::ContentSection,
    engine::{Bounds, Engine, Settings},
};

const ASK: &str = "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: application/json\r\n\
                   Content-Length: 79\r\n\r\n{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"a longer question\"}]}";

struct Scripted {
    events: VecDeque<CaptureEvent>,
    /// These come only when the session drains.
    rest: Vec<CaptureEvent>,
    breaks: bool,
}

impl Source for Scripted {
    fn poll(&mut self, _: Duration, each: &mut dyn FnMut(CaptureEvent)) -> usize {
        self.events.pop_front().map(each).iter().count()
    }

    fn drain(&mut self, each: &mut dyn FnMut(CaptureEvent)) -> anyhow::Result<()> {
        self.events.drain(..).chain(self.rest.drain(..)).for_each(each);
        if self.breaks { Err(anyhow::anyhow!("broken")) } else { Ok(()) }
    }

    fn judge(&self) -> Judge {
        Box::new(|_| {})
    }

    fn shed_new(&mut self, _: bool) -> anyhow::Result<()> {
        Ok(())
    }

    fn stats(&self) -> CaptureStats {
        CaptureStats { lost_fault_bytes: 3, ..CaptureStats::default() }
    }
}

fn engine() -> Engine {
    let settings = Settings {
        content: ContentSection::default(),
        max_body: 1 << 20,
        hosts: Vec::new(),
        compat: Compat::default(),
        prices: PriceTable::embedded(),
        source: "uprobe",
    };
    Engine::new(settings, Bounds::default(), Box::new(|_: &ProcessInfo| Attributes::new()), "b".into(), 7)
}

fn chunk(handle: u64, bytes: &str) -> CaptureEvent {
    CaptureEvent::Chunk(StreamChunk {
        connection: ConnectionId { tgid: 1, start_time: 2, handle, generation: 3 },
        direction: Direction::Egress,
        offset: 0,
        ktime: 1_000,
        bytes: bytes.as_bytes().to_vec(),
    })
}

fn ask() -> String {
    let body = ASK.split("\r\n\r\n").nth(1).expect("a body");
    ASK.replace("Content-Length: 79", &format!("Content-Length: {}", body.len()))
}

#[test]
fn everything_is_taken_ended_and_recorded_before_the_session_is_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r");
    let recorder =
        Recorder::create(&path, &Header { clock_offset: 7, ..Header::default() }).expect("creates");
    let records = Arc::new(Mutex::new(Vec::<Record>::new()));
    let taken = Arc::clone(&records);
    let source = Scripted { events: [chunk(1, &ask())].into(), rest: vec![chunk(2, &ask())], breaks: false };
    let options = SessionOptions {
        poll: Duration::from_millis(1),
        recorder: Some(recorder),
        clock_offset: 7,
        ceilings: Ceilings::default(),
    };
    let session = Session::start(
        Box::new(source),
        engine(),
        options,
        Box::new(move |output| taken.lock().expect("not poisoned").push(output.record)),
    )
    .expect("starts");
    let stats = session.stop().expect("ends well");
    assert_eq!(stats.engine.calls, 2);
    assert_eq!(stats.drops().capture_bytes, 3);
    let records = records.lock().expect("not poisoned");
    assert_eq!(records.len(), 2, "also the one that came while draining");
    assert!(records.iter().all(|record| !record.capture.complete));

    let bytes = std::fs::read(&path).expect("reads");
    let mut reader = Reader::new(bytes.as_slice()).expect("a capture file");
    let mut events = 0;
    let mut totals = None;
    while let Some(frame) = reader.next_frame().expect("good frames") {
        match frame {
            Frame::Event(_) => events += 1,
            Frame::Totals { lost_bytes, .. } => totals = Some(lost_bytes),
            Frame::Clock(_) | Frame::Tick(_) => {}
        }
    }
    assert_eq!((events, totals), (2, Some(3)));
}

#[test]
fn a_capture_that_breaks_is_an_error_and_loses_no_call() {
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    let source = Scripted { events: [chunk(1, &ask())].into(), rest: vec![], breaks: true };
    let options = SessionOptions {
        poll: Duration::from_millis(1),
        recorder: None,
        clock_offset: 7,
        ceilings: Ceilings::default(),
    };
    let session = Session::start(
        Box::new(source),
        engine(),
        options,
        Box::new(move |_| *counted.lock().expect("not poisoned") += 1),
    )
    .expect("starts");
    assert!(session.stop().is_err());
    assert_eq!(*count.lock().expect("not poisoned"), 1);
}
