//! What the reader of the data ring and the watcher of processes share.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::event::{EventfdFlags, eventfd};

use crate::attach::AttachCounts;
use crate::kernel::Maps;
use crate::sockets::Plain;
use crate::{CaptureError, ProcessInfo};

/// Process events that may wait for the reader; more are dropped and counted.
const MAX_WAITING: usize = 65_536;

/// From the watcher to the reader.
#[derive(Debug)]
pub(crate) enum Message {
    /// A process came into scope, or runs a new program since `ktime`.
    Process { info: Box<ProcessInfo>, ktime: u64 },
    /// A connection was taken out of the kernel's table for want of room.
    Evicted { tgid: u32, handle: u64, generation: u64, ends: [u64; 2], ktime: u64 },
    /// A process ended, or left the scope.
    Exited { pid: u32, ktime: u64 },
}

/// State of both threads.
pub(crate) struct Shared {
    pub(crate) maps: Maps,
    pub(crate) attached: AttachCounts,
    /// Connections that user space took out of the kernel's table.
    pub(crate) connections_removed: AtomicU64,
    /// Processes that set up io_uring.
    pub(crate) io_uring: AtomicU64,
    /// Processes that hand TLS to the kernel.
    pub(crate) kernel_tls: AtomicU64,
    /// What is captured without TLS.
    pub(crate) plain: Plain,
    /// Of them, those that went for want of room.
    pub(crate) evicted_connections: AtomicU64,
    /// Calls in progress that were given up for want of room.
    pub(crate) evicted_calls: AtomicU64,
    lost_messages: AtomicU64,
    messages: Mutex<VecDeque<Message>>,
    reader: OwnedFd,
    watcher: OwnedFd,
}

impl Shared {
    pub(crate) fn new(maps: Maps, plain: Plain) -> Result<Self, CaptureError> {
        let event = || {
            eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
                .map_err(|error| CaptureError::system("creating an event descriptor", error))
        };
        Ok(Self {
            maps,
            attached: AttachCounts::default(),
            connections_removed: AtomicU64::new(0),
            io_uring: AtomicU64::new(0),
            kernel_tls: AtomicU64::new(0),
            plain,
            evicted_connections: AtomicU64::new(0),
            evicted_calls: AtomicU64::new(0),
            lost_messages: AtomicU64::new(0),
            messages: Mutex::new(VecDeque::new()),
            reader: event()?,
            watcher: event()?,
        })
    }

    /// Hands a message to the reader and wakes it.
    pub(crate) fn send(&self, message: Message) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if messages.len() >= MAX_WAITING {
            self.lost_messages.fetch_add(1, Ordering::Relaxed);
            return;
        }
        messages.push_back(message);
        drop(messages);
        signal(&self.reader);
    }

    /// All messages that wait.
    pub(crate) fn receive(&self) -> VecDeque<Message> {
        std::mem::take(&mut *self.messages.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn lost_messages(&self) -> u64 {
        self.lost_messages.load(Ordering::Relaxed)
    }

    /// Readable when messages wait.
    pub(crate) fn reader(&self) -> &OwnedFd {
        &self.reader
    }

    /// Readable when the watcher is called.
    pub(crate) fn watcher(&self) -> &OwnedFd {
        &self.watcher
    }

    pub(crate) fn wake_watcher(&self) {
        signal(&self.watcher);
    }
}

fn signal(event: &OwnedFd) {
    // It fails only when the counter is full, and then it is readable already.
    let _ = rustix::io::write(event, &1u64.to_ne_bytes());
}

/// Makes an event descriptor unreadable again.
pub(crate) fn reset(event: &OwnedFd) {
    let mut value = [0; 8];
    // It fails only when nothing was signalled.
    let _ = rustix::io::read(event, &mut value);
}

/// `CLOCK_MONOTONIC` in nanoseconds, the clock of the kernel programs.
pub(crate) fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default()
}
