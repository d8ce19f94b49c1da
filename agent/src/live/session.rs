//! The thread between the kernel side and everything that takes calls.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, Sender, TryRecvError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use agent_capture::{CaptureEvent, CaptureStats};

use super::{
    Ceilings, Judge, Source,
    ceilings::{Decision, Governor},
    clock, usage,
};
use crate::{
    capture_file::{Frame, Recorder},
    console::Drops,
    engine::{Engine, EngineOutput, EngineStats, Resources, Settings},
};

/// How often the clocks are compared and idle exchanges are looked for.
const TICK: Duration = Duration::from_secs(1);
/// Clocks that are apart by less than this are left alone, in nanoseconds.
const CLOCK_TOLERANCE: u64 = 1_000_000;

/// Takes a call that has ended. It may block: then the ring buffer holds what comes, and what does not fit is counted.
pub type Deliver = Box<dyn FnMut(EngineOutput) + Send>;

/// What a session can be told.
pub enum Control {
    /// Take everything that has happened, end everything in flight, and stop.
    Stop,
    /// Use other settings from now on.
    Reconfigure(Box<Settings>, Box<dyn Resources>),
}

/// How a session runs.
pub struct SessionOptions {
    /// Longest wait for events before it looks at anything else.
    pub poll: Duration,
    /// Also writes every event to this file.
    pub recorder: Option<Recorder>,
    /// Unix time minus `CLOCK_MONOTONIC` in nanoseconds, the one that the engine and the file begin with.
    pub clock_offset: i64,
    /// What the session keeps to by giving up connections.
    pub ceilings: Ceilings,
}

/// Counters of a session, as of its last turn.
#[derive(Debug, Clone, Copy, Default)]
pub struct LiveStats {
    /// Of the kernel side.
    pub capture: CaptureStats,
    /// Of the engine.
    pub engine: EngineStats,
    /// Frames that could not be written to the capture file.
    pub lost_frames: u64,
    /// Connections are being given up at a ceiling.
    pub shedding: bool,
}

impl LiveStats {
    /// What was dropped on the way to the calls.
    #[must_use]
    pub fn drops(&self) -> Drops {
        Drops {
            capture_bytes: self.capture.lost_bytes(),
            control_events: self.capture.lost_control_events,
            untracked_calls: self.capture.untracked_calls,
            untracked_processes: self.capture.untracked_processes,
            memory_exchanges: self.engine.memory_exchanges,
            evicted_connections: self.engine.evicted_connections + self.capture.evicted_connections,
            record_frames: self.lost_frames,
            io_uring_processes: self.capture.io_uring_processes,
            kernel_tls_processes: self.capture.kernel_tls_processes,
            shed_connections: self.capture.shed_connections + self.engine.shed_connections,
            shed_bytes: self.capture.shed_bytes + self.engine.shed_bytes,
            ..Drops::default()
        }
    }
}

/// A running capture.
pub struct Session {
    thread: JoinHandle<anyhow::Result<()>>,
    control: Sender<Control>,
    stats: Arc<Mutex<LiveStats>>,
}

impl Session {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(
        source: Box<dyn Source>,
        engine: Engine,
        options: SessionOptions,
        deliver: Deliver,
    ) -> io::Result<Self> {
        let (control, commands) = mpsc::channel();
        let stats = Arc::new(Mutex::new(LiveStats::default()));
        let worker = Worker {
            judge: source.judge(),
            source,
            pipe: Pipe { engine, recorder: options.recorder, deliver },
            stats: Arc::clone(&stats),
            governor: Governor::new(options.ceilings),
            offset: options.clock_offset,
        };
        let poll = options.poll;
        let thread = thread::Builder::new()
            .name("wirespan-capture".to_owned())
            .spawn(move || worker.run(poll, &commands))?;
        Ok(Self { thread, control, stats })
    }

    /// Tells the session something. It is not there to hear it once it has failed; `stop` says why.
    pub fn tell(&self, control: Control) {
        let _ = self.control.send(control);
    }

    /// Counters as of the last turn.
    #[must_use]
    pub fn stats(&self) -> LiveStats {
        *lock(&self.stats)
    }

    /// A handle that reads the counters.
    #[must_use]
    pub fn stats_handle(&self) -> Arc<dyn Fn() -> LiveStats + Send + Sync> {
        let stats = Arc::clone(&self.stats);
        Arc::new(move || *lock(&stats))
    }

    /// Whether the session has ended by itself, which it does when the capture breaks.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Takes everything that is there, ends everything in flight, stops, and returns the final counters.
    ///
    /// # Errors
    /// When the capture broke.
    pub fn stop(self) -> anyhow::Result<LiveStats> {
        let _ = self.control.send(Control::Stop);
        let result =
            self.thread.join().map_err(|_| anyhow::anyhow!("the capture thread panicked: this is a bug"))?;
        let stats = *lock(&self.stats);
        result.map(|()| stats)
    }
}

fn lock(stats: &Mutex<LiveStats>) -> MutexGuard<'_, LiveStats> {
    stats.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Worker {
    source: Box<dyn Source>,
    judge: Judge,
    pipe: Pipe,
    stats: Arc<Mutex<LiveStats>>,
    governor: Option<Governor>,
    offset: i64,
}

/// What an event runs through.
struct Pipe {
    engine: Engine,
    recorder: Option<Recorder>,
    deliver: Deliver,
}

impl Pipe {
    fn event(&mut self, event: CaptureEvent, judge: &Judge) {
        if let Some(recorder) = &mut self.recorder {
            recorder.event(&event);
        }
        self.engine.event(event);
        self.engine.verdicts().for_each(judge);
        self.deliver();
    }

    fn deliver(&mut self) {
        for output in self.engine.outputs() {
            (self.deliver)(output);
        }
    }

    fn record(&mut self, frame: &Frame) {
        if let Some(recorder) = &mut self.recorder {
            recorder.frame(frame);
        }
    }

    fn flush_record(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.flush();
        }
    }
}

impl Worker {
    fn run(mut self, poll: Duration, commands: &Receiver<Control>) -> anyhow::Result<()> {
        self.pipe.engine.set_clock_offset(self.offset);
        self.govern();
        let mut last_tick = Instant::now();
        let result = loop {
            let Self { source, judge, pipe, .. } = &mut self;
            if source.poll(poll, &mut |event| pipe.event(event, judge)) > 0 {
                lock(&self.stats).engine = self.pipe.engine.stats();
            }
            if last_tick.elapsed() >= TICK {
                last_tick = Instant::now();
                self.tick();
                self.govern();
                self.publish();
            }
            match commands.try_recv() {
                Ok(Control::Reconfigure(settings, resources)) => {
                    self.pipe.engine.reconfigure(*settings, resources);
                }
                Ok(Control::Stop) | Err(TryRecvError::Disconnected) => break self.drain(),
                Err(TryRecvError::Empty) => {}
            }
        };
        // The file has the time of the end, so that a replay ends what is in flight at the same moment.
        let now = clock::monotonic();
        self.pipe.record(&Frame::Tick(now));
        self.pipe.engine.flush(now);
        self.pipe.deliver();
        let stats = self.source.stats();
        self.pipe.record(&Frame::Totals {
            chunks: stats.chunks,
            bytes: stats.bytes,
            // For a reader of the file it is all the same why they are not in it.
            lost_bytes: stats.lost_bytes() + stats.shed_bytes,
        });
        self.pipe.flush_record();
        self.publish();
        result
    }

    fn drain(&mut self) -> anyhow::Result<()> {
        let Self { source, judge, pipe, .. } = self;
        source.drain(&mut |event| pipe.event(event, judge))
    }

    fn tick(&mut self) {
        let now = clock::monotonic();
        let offset = clock::offset();
        if offset.abs_diff(self.offset) > CLOCK_TOLERANCE {
            self.offset = offset;
            self.pipe.engine.set_clock_offset(offset);
            self.pipe.record(&Frame::Clock(offset));
        }
        self.pipe.record(&Frame::Tick(now));
        self.pipe.engine.tick(now);
        self.pipe.deliver();
        self.pipe.flush_record();
    }

    /// Compares what wirespan uses with its ceilings, and gives up what is too much.
    fn govern(&mut self) {
        let Some(governor) = &mut self.governor else { return };
        let before = governor.is_shedding();
        let usage = usage::read();
        let Decision { shed_new, traffic, held, cpu } = governor.decide(usage);
        if shed_new != before {
            if let Err(error) = self.source.shed_new(shed_new) {
                tracing::error!("the kernel side cannot be told about the ceilings: {error:#}");
            }
            if !shed_new {
                self.pipe.engine.forget_shed();
            }
            let shares = format!(
                "CPU {}, resident {} MiB",
                cpu.map_or_else(|| "unknown".to_owned(), |cpu| format!("{:.1} % of a core", cpu * 100.0)),
                usage.resident >> 20
            );
            if shed_new {
                tracing::warn!("at a ceiling of `limits` ({shares}): connections are given up until below");
            } else {
                tracing::warn!("below the ceilings of `limits` again ({shares}): connections are taken on");
            }
        }
        if shed_new {
            self.pipe.engine.shed(traffic, held);
            self.pipe.engine.verdicts().for_each(&self.judge);
            self.pipe.deliver();
        }
        self.pipe.engine.age_traffic();
    }

    /// Everything, the kernel's counters included, which cost a few system calls.
    fn publish(&self) {
        *lock(&self.stats) = LiveStats {
            capture: self.source.stats(),
            engine: self.pipe.engine.stats(),
            shedding: self.governor.as_ref().is_some_and(Governor::is_shedding),
            lost_frames: self.pipe.recorder.as_ref().map_or(0, Recorder::lost_frames),
        };
    }
}
