//! Any bytes as a capture file, with and without a good beginning: reading ends, and what is read can be written and read again.
//!
//! The modules are included by path, because the capture crate cannot be built without the compiled kernel programs.
#![no_main]

extern crate self as agent_capture;

use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "only the format is used here")]
#[path = "../../agent/src/capture_file/mod.rs"]
mod capture_file;
#[expect(dead_code, reason = "only what the format holds is used here")]
#[path = "../../agent-capture/src/event.rs"]
mod event;

pub use event::{CaptureEvent, ConnectionId, Direction, ProcessInfo, StreamChunk};

use capture_file::{CaptureFileError, Frame, Header, Reader, Recorder};

fn read(bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let Ok(mut reader) = Reader::new(bytes) else { return frames };
    loop {
        match reader.next_frame() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return frames,
            Err(CaptureFileError::Frame { .. }) => {}
            Err(_) => return frames,
        }
    }
}

fn write(frames: &[Frame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let path = std::path::Path::new("fuzz");
    let mut recorder = Recorder::new(&mut bytes, path, &Header::default()).expect("memory takes everything");
    frames.iter().for_each(|frame| recorder.frame(frame));
    assert_eq!(recorder.lost_frames(), 0);
    drop(recorder);
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    let mut good = write(&[Frame::Tick(1)]);
    good.extend_from_slice(bytes);
    let frames = read(&good);
    assert_eq!(read(&write(&frames)), frames);
});
