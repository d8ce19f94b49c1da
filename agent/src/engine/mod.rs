//! Capture events to Records. Pure: no clock and no I/O, so that a replayed capture file gives the same Records.

mod connection;
mod content;
pub(crate) mod exchanges;
mod processes;
mod settings;
mod shed;
mod stats;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use agent_capture::{CaptureEvent, ConnectionId, ProcessInfo, StreamChunk, Verdict};
use agent_genai::{Call, Correlator, Record, SpanIds, build_record, record::Attributes};
use agent_wire::{Direction, ExchangeId, Nanos, Role};

use connection::{Tracked, Turn};
pub use processes::Resources;
use processes::{Known, Processes};
use settings::Made;
pub use settings::{Bounds, Settings, UPROBE};
pub use stats::EngineStats;

/// How long after a process's exit its connections are ended, in nanoseconds of kernel time: its last bytes may come by another
/// ring after the news of its exit.
const EXIT_GRACE: u64 = 500_000_000;
/// Shortest time between two looks for idle exchanges, in nanoseconds.
const IDLE_SCAN: u64 = 1_000_000_000;

/// A call that has ended.
#[derive(Debug, Clone)]
pub struct EngineOutput {
    /// Connection that it came over.
    pub connection: ConnectionId,
    /// Its number there.
    pub exchange: ExchangeId,
    /// The call.
    pub call: Call,
    /// Its span.
    pub record: Record,
}

/// What the kernel should do with the rest of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerdictChange {
    /// Connection.
    pub connection: ConnectionId,
    /// What to do.
    pub verdict: Verdict,
    /// Bytes seen of the direction that carries requests when this was decided: a later request is not meant.
    pub seen: u64,
}

/// Turns capture events into Records.
pub struct Engine {
    settings: Settings,
    made: Made,
    bounds: Bounds,
    resources: Box<dyn Resources>,
    boot_id: String,
    clock_offset: i64,
    connections: BTreeMap<ConnectionId, (Tracked, (u64, u64))>,
    /// Connections given up at a ceiling, of which something may still come.
    shed: BTreeSet<ConnectionId>,
    processes: Processes,
    /// Halves of remote procedure calls, by process and its start.
    correlator: Correlator<(u32, u64), Place>,
    exits: VecDeque<(u64, u32, u64)>,
    now: u64,
    last_idle_scan: u64,
    held: usize,
    outputs: VecDeque<EngineOutput>,
    verdicts: Vec<VerdictChange>,
    stats: EngineStats,
}

impl Engine {
    /// An engine without connections. `clock_offset` is Unix time minus `CLOCK_MONOTONIC` in nanoseconds; `boot_id` goes into the
    /// ids, so that no two boots share any.
    #[must_use]
    pub fn new(
        settings: Settings,
        bounds: Bounds,
        resources: Box<dyn Resources>,
        boot_id: String,
        clock_offset: i64,
    ) -> Self {
        Self {
            made: Made::new(&settings),
            settings,
            bounds,
            resources,
            boot_id,
            clock_offset,
            connections: BTreeMap::new(),
            shed: BTreeSet::new(),
            processes: Processes::default(),
            correlator: Correlator::default(),
            exits: VecDeque::new(),
            now: 0,
            last_idle_scan: 0,
            held: 0,
            outputs: VecDeque::new(),
            verdicts: Vec::new(),
            stats: EngineStats::default(),
        }
    }

    /// The clocks have drifted apart.
    pub fn set_clock_offset(&mut self, clock_offset: i64) {
        self.clock_offset = clock_offset;
    }

    /// Replaces the settings and the resource attributes; exchanges in flight keep the decoder that they began with.
    pub fn reconfigure(&mut self, settings: Settings, resources: Box<dyn Resources>) {
        self.made = Made::new(&settings);
        self.processes.for_each(|known| {
            known.resource = Arc::new(resources.attributes(&known.info));
            known.content = content::is_kept(&settings.content, &known.info, &known.resource);
        });
        self.settings = settings;
        self.resources = resources;
    }

    /// Takes one event.
    pub fn event(&mut self, event: CaptureEvent) {
        match event {
            CaptureEvent::Process(info) => self.process(*info),
            CaptureEvent::Chunk(chunk) => self.chunk(&chunk),
            CaptureEvent::Shutdown { connection, ktime } => {
                let at = self.unix(ktime);
                if let Some((tracked, _)) = self.connections.get_mut(&connection) {
                    let ended = tracked.shutdown(self.made.decoder(tracked.content), at);
                    self.settle(connection, ended);
                }
                self.advance(ktime);
            }
            CaptureEvent::Peer { connection, peer, ktime } => {
                if let Some((tracked, _)) = self.connections.get_mut(&connection) {
                    tracked.peer = peer;
                }
                self.advance(ktime);
            }
            CaptureEvent::Closed { connection, egress_end, ingress_end, ktime } => {
                self.close(connection, Some((egress_end, ingress_end)), ktime);
                self.advance(ktime);
            }
            CaptureEvent::Exited { pid, ktime } => {
                let start_time = self.processes.get(pid, 0).map_or(0, |known| known.info.start_time);
                self.exits.push_back((ktime, pid, start_time));
                self.advance(ktime);
            }
        }
    }

    /// Time passed: `ktime` is `CLOCK_MONOTONIC` in nanoseconds. Ends what waited too long.
    pub fn tick(&mut self, ktime: u64) {
        self.advance(ktime);
    }

    /// Nothing more comes: ends everything that is in flight.
    pub fn flush(&mut self, ktime: u64) {
        self.advance(ktime);
        let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for connection in all {
            self.close(connection, None, self.now);
        }
        let unanswered = self.correlator.flush();
        self.record_all(unanswered);
        self.exits.clear();
    }

    /// Takes the calls that have ended since the last time, oldest first.
    pub fn outputs(&mut self) -> impl Iterator<Item = EngineOutput> {
        self.outputs.drain(..)
    }

    /// Takes what the kernel should be told.
    pub fn verdicts(&mut self) -> impl Iterator<Item = VerdictChange> {
        self.verdicts.drain(..)
    }

    /// Counters and gauges.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        EngineStats {
            connections: self.connections.len() as u64,
            processes: self.processes.len() as u64,
            held_bytes: (self.held + self.correlator.held_bytes()) as u64,
            ..self.stats
        }
    }

    fn unix(&self, ktime: u64) -> Nanos {
        ktime.saturating_add_signed(self.clock_offset)
    }

    fn process(&mut self, info: ProcessInfo) {
        let resource = self.resources.attributes(&info);
        let content = content::is_kept(&self.settings.content, &info, &resource);
        self.processes.insert(Known { info, resource: Arc::new(resource), content });
    }

    fn chunk(&mut self, chunk: &StreamChunk) {
        let StreamChunk { connection: id, direction, offset, ktime, bytes } = chunk;
        if self.shed.contains(id) {
            self.stats.shed_bytes += bytes.len() as u64;
            self.advance(*ktime);
            return;
        }
        let at = self.unix(*ktime);
        let (tracked, seen) = self.connections.entry(*id).or_insert_with(|| {
            let known = self.processes.get(id.tgid, id.start_time);
            let content = known.map_or(self.settings.content.enabled, |known| known.content);
            self.stats.connections_seen += 1;
            (
                Tracked::new(
                    self.bounds.limits,
                    id.transport(),
                    known.map(|known| Arc::clone(&known.resource)),
                    content,
                ),
                (0, 0),
            )
        });
        tracked.last = (*ktime).max(tracked.last);
        tracked.recent = tracked.recent.saturating_add(bytes.len() as u64);
        let end = offset.saturating_add(bytes.len() as u64);
        let direction = match direction {
            agent_capture::Direction::Egress => {
                seen.0 = seen.0.max(end);
                Direction::Egress
            }
            agent_capture::Direction::Ingress => {
                seen.1 = seen.1.max(end);
                Direction::Ingress
            }
        };
        let ended = tracked.push(self.made.decoder(tracked.content), direction, *offset, at, bytes);
        self.settle(*id, ended);
        if self.connections.len() > self.bounds.connections {
            self.evict();
        }
        self.advance(*ktime);
    }

    /// After each step on a connection: emits what ended, tells the kernel, keeps the memory within bounds.
    fn settle(&mut self, id: ConnectionId, ended: Vec<(ExchangeId, Call)>) {
        let calls = ended.len();
        for (exchange, call) in ended {
            self.emit(id, exchange, call);
        }
        let Some((tracked, seen)) = self.connections.get_mut(&id) else { return };
        let seen = if tracked.role() == Some(Role::Server) { seen.1 } else { seen.0 };
        self.stats.http2_connections += u64::from(tracked.take_http2());
        let turn = tracked.turn();
        self.stats.other_exchanges += tracked.exchanges.take_others();
        let (before, now) = tracked.recount();
        self.held = self.held.saturating_sub(before).saturating_add(now);
        let verdict = match turn {
            Turn::Same if tracked.take_calls(calls) => Some(Verdict::Capture),
            Turn::Same => None,
            Turn::HeadsOnly => Some(Verdict::HeadsOnly),
            Turn::NotHttp => {
                self.stats.not_http_connections += 1;
                Some(Verdict::Ignore)
            }
            Turn::Over => Some(Verdict::Ignore),
        };
        if let Some(verdict) = verdict {
            self.verdicts.push(VerdictChange { connection: id, verdict, seen });
        }
        while self.held > self.bounds.memory {
            if !self.make_room() {
                break;
            }
        }
    }

    /// Ends the largest exchange of the connection that holds most memory.
    fn make_room(&mut self) -> bool {
        let largest = self.connections.iter().max_by_key(|(_, (tracked, _))| tracked.held).map(|(id, _)| *id);
        let Some(id) = largest else { return false };
        let at = self.unix(self.now);
        let Some((tracked, _)) = self.connections.get_mut(&id) else { return false };
        if let Some((exchange, calls)) = tracked.exchanges.end_largest(at) {
            self.stats.memory_exchanges += 1;
            let (before, now) = tracked.recount();
            self.held = self.held.saturating_sub(before).saturating_add(now);
            for call in calls {
                self.emit(id, exchange, call);
            }
            if now < before {
                return true;
            }
        }
        // What is left is held below the exchanges: give the connection up.
        self.stats.evicted_connections += 1;
        self.close(id, None, self.now);
        true
    }

    /// Gives up the connection that was silent longest.
    fn evict(&mut self) {
        let silent = self.connections.iter().min_by_key(|(_, (tracked, _))| tracked.last).map(|(id, _)| *id);
        if let Some(id) = silent {
            self.stats.evicted_connections += 1;
            self.close(id, None, self.now);
        }
    }

    fn close(&mut self, id: ConnectionId, ends: Option<(u64, u64)>, ktime: u64) {
        self.shed.remove(&id);
        let at = self.unix(ktime);
        let Some((tracked, _)) = self.connections.get_mut(&id) else { return };
        let ended = tracked.close(self.made.decoder(tracked.content), ends, at);
        for (exchange, call) in ended {
            self.emit(id, exchange, call);
        }
        if let Some((mut tracked, _)) = self.connections.remove(&id) {
            self.held = self.held.saturating_sub(tracked.held);
            self.stats.other_exchanges += tracked.exchanges.take_others();
        }
    }

    /// Moves the time on, and ends what is due: connections of processes that are gone, exchanges that are idle.
    fn advance(&mut self, ktime: u64) {
        self.now = self.now.max(ktime);
        while let Some((at, pid, start_time)) = self.exits.front().copied() {
            if self.now < at.saturating_add(EXIT_GRACE) {
                break;
            }
            self.exits.pop_front();
            let first = ConnectionId { tgid: pid, start_time: 0, handle: 0, generation: 0 };
            let last =
                ConnectionId { tgid: pid, start_time: u64::MAX, handle: u64::MAX, generation: u64::MAX };
            let over: Vec<ConnectionId> = self
                .connections
                .range(first..=last)
                .map(|(id, _)| *id)
                .filter(|id| id.generation <= at)
                .collect();
            for id in over {
                self.close(id, None, at);
            }
            let unanswered = self.correlator.end(&(pid, start_time));
            self.record_all(unanswered);
            self.processes.remove(pid, start_time);
        }
        if self.now.saturating_sub(self.last_idle_scan) < IDLE_SCAN {
            return;
        }
        self.last_idle_scan = self.now;
        let silent = self.unix(self.now.saturating_sub(self.bounds.idle));
        let unanswered = self.correlator.expire(silent);
        self.record_all(unanswered);
        let idle: Vec<ConnectionId> = self
            .connections
            .iter()
            .filter(|(_, (tracked, _))| {
                self.now.saturating_sub(tracked.last) > self.bounds.idle && tracked.exchanges.is_folding()
            })
            .map(|(id, _)| *id)
            .collect();
        for id in idle {
            let Some((tracked, _)) = self.connections.get_mut(&id) else { continue };
            let at = tracked.last.saturating_add_signed(self.clock_offset);
            let ended = tracked.exchanges.end_all(at);
            self.stats.idle_exchanges += ended.len() as u64;
            self.settle(id, ended);
        }
    }

    fn emit(&mut self, id: ConnectionId, exchange: ExchangeId, mut call: Call) {
        let tracked = self.connections.get(&id).map(|(tracked, _)| tracked);
        if let Some(remote) = tracked.and_then(|tracked| tracked.peer.remote) {
            call.http.peer = Some(remote);
            if call.role == Role::Client && call.http.server_address.is_none() {
                call.http.server_address = Some(remote.ip().to_string());
                call.http.server_port = Some(remote.port());
            }
        }
        let content = tracked.is_some_and(|tracked| tracked.content);
        let resource: Arc<Attributes> = match self.processes.get(id.tgid, id.start_time) {
            Some(known) => Arc::clone(&known.resource),
            None => tracked.and_then(|tracked| tracked.resource.clone()).unwrap_or_else(|| {
                let gone = ProcessInfo { pid: id.tgid, start_time: id.start_time, ..ProcessInfo::default() };
                Arc::new(self.resources.attributes(&gone))
            }),
        };
        let place = Place { connection: id, exchange, content, resource };
        let whole = self.correlator.offer((id.tgid, id.start_time), place, call);
        self.record_all(whole);
    }

    fn record_all(&mut self, calls: Vec<(Place, Call)>) {
        for (place, call) in calls {
            let Place { connection, exchange, content, resource } = place;
            let ids = SpanIds::derive(
                &seed(&self.boot_id, connection, exchange, call.part),
                call.request.traceparent.as_deref(),
            );
            let cost = self.settings.prices.cost(&call);
            let options = self.made.record(content, connection.transport());
            let record = build_record(&call, &ids, &resource, cost, &options);
            self.stats.calls += 1;
            self.stats.incomplete_calls += u64::from(!record.capture.complete);
            self.stats.undecodable_calls += u64::from(record.capture.undecodable.is_some());
            self.stats.lost_bytes += record.capture.lost_bytes;
            self.outputs.push_back(EngineOutput { connection, exchange, call, record });
        }
    }
}

/// Where a call was made, and what its span needs to know of that.
#[derive(Debug)]
struct Place {
    connection: ConnectionId,
    exchange: ExchangeId,
    content: bool,
    resource: Arc<Attributes>,
}

/// What the ids of a call are derived from: the boot, the connection, the exchange's number on it, and the call's in the exchange.
fn seed(boot_id: &str, id: ConnectionId, exchange: ExchangeId, part: u32) -> Vec<u8> {
    let ConnectionId { tgid, start_time, handle, generation } = id;
    let mut seed = Vec::with_capacity(boot_id.len() + 40);
    seed.extend_from_slice(boot_id.as_bytes());
    seed.push(0);
    seed.extend_from_slice(&tgid.to_le_bytes());
    for number in [start_time, handle, generation, exchange.0] {
        seed.extend_from_slice(&number.to_le_bytes());
    }
    if part > 0 {
        seed.extend_from_slice(&part.to_le_bytes());
    }
    seed
}

#[cfg(test)]
mod tests;
