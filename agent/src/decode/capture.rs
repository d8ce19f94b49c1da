//! Replays a raw capture file through the engine.

use std::io::{self, Read};

use super::{Outcome, Receiver};
use crate::{
    capture_file::{CaptureFileError, Frame, Header, Reader},
    config::ServiceNameRule,
    engine::{Bounds, Engine, Settings},
    live::{ProcessResources, host_from_header},
};

/// What a replay needs beside the file.
pub struct Replay {
    /// Settings of the engine.
    pub settings: Settings,
    /// Bounds of the engine.
    pub bounds: Bounds,
    /// Names for processes.
    pub service_names: Vec<ServiceNameRule>,
}

impl Replay {
    fn engine(&self, header: &Header) -> Engine {
        let (host, service_name) = host_from_header(&header.host);
        let resources = Box::new(ProcessResources::new(host, service_name, self.service_names.clone()));
        Engine::new(
            self.settings.clone(),
            self.bounds,
            resources,
            header.boot_id.clone(),
            header.clock_offset,
        )
    }
}

/// Reads a capture file to its end, or to where it is cut.
pub(super) fn read(
    name: &str,
    input: impl Read,
    replay: &Replay,
    receiver: &mut dyn Receiver,
) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut reader = match Reader::new(io::BufReader::with_capacity(256 << 10, input)) {
        Ok(reader) => reader,
        Err(CaptureFileError::Io(error)) => return Err(error),
        Err(error) => {
            outcome.errors += 1;
            receiver.problem(&format!("{name}: {error}"));
            return Ok(outcome);
        }
    };
    let mut engine = replay.engine(reader.header());
    loop {
        match reader.next_frame() {
            Ok(Some(Frame::Event(event))) => engine.event(event),
            Ok(Some(Frame::Clock(offset))) => engine.set_clock_offset(offset),
            Ok(Some(Frame::Tick(ktime))) => engine.tick(ktime),
            Ok(Some(Frame::Totals { lost_bytes, .. })) => {
                if lost_bytes > 0 {
                    receiver.problem(&format!("{name}: {lost_bytes} bytes were lost when this was captured"));
                }
            }
            Ok(None) => break,
            Err(CaptureFileError::Io(error)) => return Err(error),
            Err(error) => {
                outcome.errors += 1;
                receiver.problem(&format!("{name}: {error}"));
                if matches!(error, CaptureFileError::Lost { .. }) {
                    break;
                }
            }
        }
        drain(&mut engine, &mut outcome, receiver)?;
    }
    engine.flush(0);
    drain(&mut engine, &mut outcome, receiver)?;
    outcome.others = engine.stats().other_exchanges;
    if let Some(offset) = reader.cut_at() {
        receiver.problem(&format!(
            "{name}: the file ends inside the frame at byte {offset}: its writer was stopped"
        ));
    }
    Ok(outcome)
}

fn drain(engine: &mut Engine, outcome: &mut Outcome, receiver: &mut dyn Receiver) -> io::Result<()> {
    engine.verdicts().for_each(drop);
    let outputs: Vec<_> = engine.outputs().collect();
    for output in outputs {
        let mut record = output.record;
        let id = output.connection;
        record.exchange =
            Some(format!("{}-{:x}-{}#{}", id.tgid, id.handle, id.generation, output.exchange.0));
        outcome.records += 1;
        receiver.record(record)?;
    }
    Ok(())
}
