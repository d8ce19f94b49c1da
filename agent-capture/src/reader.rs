//! Reads the data ring and puts its records in order with process events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent_common::{ConnectionKey, CounterIndex};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::abi::Abi;
use crate::heartbeat::Heartbeat;
use crate::record::{Kind, Record};
use crate::ring::{Next, Ring};
use crate::shared::{Message, Shared, monotonic, reset};
use crate::table::{Open, Table};
use crate::{CaptureEvent, ConnectionId, ProcessInfo, StreamChunk, Transport, procfs};

/// First sleep after data stopped flowing; each further one is twice as long, up to the drain interval and, when it has been quiet for
/// [`QUIET`], up to [`idle_interval`].
const SHORTEST_SLEEP: Duration = Duration::from_micros(250);
/// After so long without data nothing is under way.
const QUIET: Duration = Duration::from_secs(1);
/// Longest sleep then.
const LONGEST_SLEEP: Duration = Duration::from_millis(40);
/// Bytes a second that a burst out of the quiet may bring before the next drain.
const BURST: u64 = 1 << 30;
/// How often the connections are compared with the kernel's table after an event was lost.
const RECONCILE: Duration = Duration::from_secs(1);
/// How long the last drain waits for a record that is being written.
const BUSY_PATIENCE: Duration = Duration::from_millis(200);

/// Takes events.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(CaptureEvent);

/// The reading side.
pub(crate) struct Reader {
    shared: Arc<Shared>,
    ring: Ring,
    drain_interval: Duration,
    idle_interval: Duration,
    sleep: Duration,
    /// When data came last.
    active: Instant,
    heartbeat: Heartbeat,
    /// The last wait ended because there are messages.
    signalled: bool,
    /// It is the end: lost events are looked for at once.
    draining: bool,
    table: Table,
    /// Execs and exits that wait until the data from before them have been handed over.
    pending: VecDeque<Message>,
    reconciled: (u64, Instant),
    /// Connections (process, handle, generation) that the kernel's table no longer holds, while the ring may still hold data of them.
    gone: Vec<(u32, u64, u64)>,
    pub(crate) chunks: u64,
    pub(crate) bytes: u64,
}

/// What one turn did.
struct Turn {
    events: usize,
    /// Everything that was there at its beginning has been handed over.
    complete: bool,
}

/// The longest sleep after a while without data: no longer than the ring takes in what may come meanwhile.
fn idle_interval(ring_bytes: u64, drain_interval: Duration) -> Duration {
    let filled = Duration::from_micros(ring_bytes.saturating_mul(1_000_000) / BURST);
    LONGEST_SLEEP.min(filled).max(drain_interval).max(SHORTEST_SLEEP)
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, ring: Ring, drain_interval: Duration, watchdog: Duration) -> Self {
        Self {
            shared,
            drain_interval: drain_interval.max(SHORTEST_SLEEP),
            idle_interval: idle_interval(ring.size(), drain_interval),
            ring,
            sleep: SHORTEST_SLEEP,
            active: Instant::now(),
            heartbeat: Heartbeat::new(watchdog),
            signalled: false,
            draining: false,
            table: Table::default(),
            pending: VecDeque::new(),
            reconciled: (0, Instant::now()),
            gone: Vec::new(),
            chunks: 0,
            bytes: 0,
        }
    }

    pub(crate) fn processes(&self) -> usize {
        self.table.len()
    }

    /// Hands over what there is; waits for it up to `timeout`. Returns the number of events.
    pub(crate) fn poll(&mut self, timeout: Duration, sink: Sink<'_>) -> usize {
        let deadline = Instant::now() + timeout;
        loop {
            let turn = self.turn(sink);
            if turn.events > 0 {
                self.sleep = SHORTEST_SLEEP;
                self.active = Instant::now();
                return turn.events;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return 0;
            }
            self.wait(self.sleep.min(left));
            let quiet = self.active.elapsed() >= QUIET;
            let longest = if quiet { self.idle_interval } else { self.drain_interval };
            self.sleep = (self.sleep * 2).min(longest);
        }
    }

    /// Hands over everything that was in the ring when it was called.
    pub(crate) fn drain(&mut self, sink: Sink<'_>) -> usize {
        self.draining = true;
        let events = self.drain_all(sink);
        self.draining = false;
        events
    }

    fn drain_all(&mut self, sink: Sink<'_>) -> usize {
        let mut events = 0;
        let mut deadline = Instant::now() + BUSY_PATIENCE;
        loop {
            let turn = self.turn(sink);
            events += turn.events;
            if turn.events > 0 {
                deadline = Instant::now() + BUSY_PATIENCE;
            } else if turn.complete || Instant::now() >= deadline {
                return events;
            } else {
                self.wait(SHORTEST_SLEEP);
            }
        }
    }

    fn wait(&mut self, longest: Duration) {
        let timeout = Timespec {
            tv_sec: i64::try_from(longest.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(longest.subsec_nanos()),
        };
        // An interrupted wait is a short one.
        let ready = poll(&mut [PollFd::new(self.shared.reader(), PollFlags::IN)], Some(&timeout));
        self.signalled = ready.is_ok_and(|count| count > 0);
    }

    fn turn(&mut self, sink: Sink<'_>) -> Turn {
        self.heartbeat.beat(&self.shared);
        if std::mem::take(&mut self.signalled) {
            reset(self.shared.reader());
        }
        let mut events = 0;
        let mut counted = |event| {
            events += 1;
            sink(event);
        };
        for message in self.shared.receive() {
            match message {
                // Nothing of it can have come before.
                Message::Process { info, .. } if !self.table.knows(info.pid) => {
                    self.introduce(info, &mut counted);
                }
                message => self.pending.push_back(message),
            }
        }
        // What happened before these messages is in the ring by now.
        let end = self.ring.end();
        let mut complete = true;
        while self.ring.position() < end {
            let parsed = self.ring.next(|next| match next {
                Next::Record(head, tail) => Some(Record::parse(head, tail)),
                Next::Busy | Next::Empty => None,
            });
            match parsed {
                Some(Some(record)) => {
                    self.deliver(record, &mut counted);
                    // A turn may be long, and the ring is being emptied.
                    self.heartbeat.beat(&self.shared);
                }
                Some(None) => tracing::error!("a record of the data ring could not be parsed"),
                None => {
                    // Either it is being written, or only given-up records were left.
                    complete = self.ring.position() >= end;
                    break;
                }
            }
        }
        if complete {
            for message in std::mem::take(&mut self.pending) {
                self.apply(message, &mut counted);
            }
            self.reconcile_if_due(&mut counted);
        }
        Turn { events, complete }
    }

    fn introduce(&mut self, info: Box<ProcessInfo>, sink: Sink<'_>) {
        self.table.insert(&info);
        sink(CaptureEvent::Process(info));
    }

    fn deliver(&mut self, record: Record, sink: Sink<'_>) {
        let Record { tgid, handle, generation, ktime, kind } = record;
        self.apply_before(tgid, generation, sink);
        if !self.table.knows(tgid) {
            let gone = || ProcessInfo { pid: tgid, namespace_pid: tgid, ..ProcessInfo::default() };
            self.introduce(Box::new(procfs::info(tgid).unwrap_or_else(gone)), sink);
        }
        let Some(tracked) = self.table.get_mut(tgid) else { return };
        let id = tracked.id(tgid, handle, generation);
        if id.transport() == Transport::Plain && !self.shared.plain.takes(&tracked.command) {
            self.shared.plain.silence(&self.shared.maps, &id);
            return;
        }
        let open =
            tracked.connections.entry(handle).or_insert(Open { generation, egress_end: 0, ingress_end: 0 });
        if open.generation != generation {
            // The end of the one before was lost.
            let before = std::mem::replace(open, Open { generation, egress_end: 0, ingress_end: 0 });
            let connection = ConnectionId { generation: before.generation, ..id };
            let Open { egress_end, ingress_end, .. } = before;
            sink(CaptureEvent::Closed { connection, egress_end, ingress_end, ktime });
        }
        match kind {
            Kind::Chunk { direction, offset, bytes } => {
                open.extend(direction, offset + bytes.len() as u64);
                self.chunks += 1;
                self.bytes += bytes.len() as u64;
                sink(CaptureEvent::Chunk(StreamChunk { connection: id, direction, offset, ktime, bytes }));
            }
            Kind::Peer(peer) => sink(CaptureEvent::Peer { connection: id, peer, ktime }),
            Kind::Shutdown => sink(CaptureEvent::Shutdown { connection: id, ktime }),
            Kind::Closed { egress_end, ingress_end } => {
                tracked.connections.remove(&handle);
                sink(CaptureEvent::Closed { connection: id, egress_end, ingress_end, ktime });
            }
        }
    }

    /// Applies what happened to a process before `generation`: data of the new image must not be taken for data of the old.
    fn apply_before(&mut self, tgid: u32, generation: u64, sink: Sink<'_>) {
        if self.pending.is_empty() {
            return;
        }
        let (now, later) = std::mem::take(&mut self.pending).into_iter().partition(|message| match message {
            Message::Process { info, ktime } => info.pid == tgid && *ktime <= generation,
            Message::Exited { pid, ktime } => *pid == tgid && *ktime <= generation,
            // Harmless if late: it names its generation.
            Message::Evicted { .. } => false,
        });
        self.pending = later;
        let now: VecDeque<Message> = now;
        for message in now {
            self.apply(message, sink);
        }
    }

    fn apply(&mut self, message: Message, sink: Sink<'_>) {
        match message {
            Message::Process { info, ktime } => {
                // The handles of the image before are gone.
                let before = self.table.get_mut(info.pid).map(|tracked| {
                    let old =
                        tracked.connections.extract_if(|_, open| open.generation < ktime).collect::<Vec<_>>();
                    old.into_iter()
                        .map(|(handle, open)| (tracked.id(info.pid, handle, open.generation), open))
                        .collect()
                });
                let before: Vec<(ConnectionId, Open)> = before.unwrap_or_default();
                for (connection, open) in before {
                    self.close(connection, open, ktime, sink);
                }
                self.introduce(info, sink);
            }
            Message::Evicted { tgid, handle, generation, ends: [egress_end, ingress_end], ktime } => {
                let Some(tracked) = self.table.get_mut(tgid) else { return };
                if tracked.connections.get(&handle).is_some_and(|open| open.generation == generation) {
                    tracked.connections.remove(&handle);
                    let connection = tracked.id(tgid, handle, generation);
                    sink(CaptureEvent::Closed { connection, egress_end, ingress_end, ktime });
                }
            }
            Message::Exited { pid, ktime } => {
                let Some(tracked) = self.table.remove(pid) else { return };
                for (handle, open) in &tracked.connections {
                    self.close(tracked.id(pid, *handle, open.generation), *open, ktime, sink);
                }
                sink(CaptureEvent::Exited { pid, ktime });
            }
        }
    }

    /// Ends a connection that the process did not end. The kernel's table knows how far it got.
    fn close(&self, connection: ConnectionId, open: Open, ktime: u64, sink: Sink<'_>) {
        let key = Abi(ConnectionKey { tgid: connection.tgid, reserved: 0, handle: connection.handle });
        let mut egress_end = open.egress_end;
        let mut ingress_end = open.ingress_end;
        let mut connections = self.shared.maps.connections();
        if let Ok(Abi(known)) = connections.get(&key, 0)
            && known.generation == connection.generation
        {
            [egress_end, ingress_end] = known.offsets;
            if connections.remove(&key).is_ok() {
                self.shared.connections_removed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
        drop(connections);
        sink(CaptureEvent::Closed { connection, egress_end, ingress_end, ktime });
    }

    /// After a lost event: what the kernel's table does not hold any more has been closed. It ends here with the next turn, which has
    /// handed over what was in the ring when the table was looked at.
    fn reconcile_if_due(&mut self, sink: Sink<'_>) {
        for (tgid, handle, generation) in std::mem::take(&mut self.gone) {
            let Some(tracked) = self.table.get_mut(tgid) else { continue };
            // Its end may have been in the ring after all.
            if tracked.connections.get(&handle).is_none_or(|open| open.generation != generation) {
                continue;
            }
            let Some(Open { egress_end, ingress_end, .. }) = tracked.connections.remove(&handle) else {
                continue;
            };
            let connection = tracked.id(tgid, handle, generation);
            sink(CaptureEvent::Closed { connection, egress_end, ingress_end, ktime: monotonic() });
        }
        let (known, last) = self.reconciled;
        if !self.draining && last.elapsed() < RECONCILE {
            return;
        }
        // A system call, which a turn that finds nothing is to do without.
        let lost = self.shared.maps.counter(CounterIndex::ControlEvents);
        self.reconciled = (lost, Instant::now());
        if lost == known {
            return;
        }
        for (tgid, tracked) in self.table.iter() {
            for (handle, open) in &tracked.connections {
                let key = Abi(ConnectionKey { tgid, reserved: 0, handle: *handle });
                let now = self.shared.maps.connections().get(&key, 0).map(|known| known.0.generation);
                if now.is_ok_and(|generation| generation == open.generation) {
                    continue;
                }
                self.gone.push((tgid, *handle, open.generation));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_reader_sleeps_no_longer_than_the_ring_allows() {
        let interval = |ring, drain| idle_interval(ring, Duration::from_millis(drain)).as_micros();
        assert_eq!(interval(32 << 20, 10), 31_250);
        assert_eq!(interval(1 << 30, 10), 40_000);
        assert_eq!(interval(256 << 10, 10), 10_000);
        assert_eq!(interval(256 << 10, 0), 250);
        assert_eq!(interval(32 << 20, 1_000), 1_000_000);
    }
}
