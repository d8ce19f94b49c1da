//! A consumer of a BPF ring buffer that maps the data once.
//!
//! Layout (kernel/bpf/ringbuf.c): one page with the consumer's position, one with the producer's, then the data, each a whole number of pages.
//! The kernel offers the data a second time behind itself so that records that wrap can be read in one piece. That second mapping would
//! count twice in this process's resident memory, so it is left out here, and a record is a pair of slices.

use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use aya::maps::MapData;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::CaptureError;

/// The record is still being written (`BPF_RINGBUF_BUSY_BIT`).
const BUSY: u32 = 1 << 31;
/// The record was given up (`BPF_RINGBUF_DISCARD_BIT`).
const DISCARD: u32 = 1 << 30;
/// Bytes before each record (`BPF_RINGBUF_HDR_SZ`).
const RECORD_HEADER: u64 = 8;

/// A shared mapping.
struct Mapping {
    address: NonNull<u8>,
    length: usize,
}

impl Mapping {
    fn new(
        fd: BorrowedFd<'_>,
        length: usize,
        protection: ProtFlags,
        offset: u64,
    ) -> Result<Self, CaptureError> {
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that is in use.
        let address = unsafe { mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, fd, offset) };
        let address = address.map_err(|error| CaptureError::system("mapping a ring buffer", error))?;
        let address = NonNull::new(address.cast()).ok_or_else(|| {
            CaptureError::system(
                "mapping a ring buffer",
                std::io::Error::from(std::io::ErrorKind::OutOfMemory),
            )
        })?;
        Ok(Self { address, length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is this mapping's own, and every borrow of it ends with `self`.
        let unmapped = unsafe { munmap(self.address.as_ptr().cast(), self.length) };
        if let Err(error) = unmapped {
            tracing::warn!(%error, "unmapping a ring buffer failed");
        }
    }
}

// SAFETY: the mapping is memory shared with the kernel; nothing in it belongs to a thread.
unsafe impl Send for Mapping {}

/// Reads a ring buffer. There must be one reader only.
pub(crate) struct Ring {
    map: MapData,
    consumer: Mapping,
    producer: Mapping,
    page: usize,
    size: u64,
    position: u64,
}

/// What the ring had next.
pub(crate) enum Next<'a> {
    /// A record, which may wrap around the end of the data: the second slice follows the first.
    Record(&'a [u8], &'a [u8]),
    /// The next record is still being written.
    Busy,
    /// Nothing.
    Empty,
}

impl Ring {
    /// Bytes that it holds.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Maps the ring.
    pub(crate) fn new(map: MapData) -> Result<Self, CaptureError> {
        let page = rustix::param::page_size();
        let info = map.info().map_err(|error| crate::kernel::map_error("ring", &error))?;
        let size = u64::from(info.max_entries());
        let length = usize::try_from(size).ok().and_then(|size| size.checked_add(page)).ok_or_else(|| {
            CaptureError::Setting {
                setting: "ring_bytes",
                detail: format!("{size} does not fit into memory"),
            }
        })?;
        let fd = map.fd().as_fd();
        let consumer = Mapping::new(fd, page, ProtFlags::READ | ProtFlags::WRITE, 0)?;
        let producer = Mapping::new(fd, length, ProtFlags::READ, page as u64)?;
        let mut ring = Self { map, consumer, producer, page, size, position: 0 };
        ring.position = ring.consumer_position().load(Ordering::Acquire);
        Ok(ring)
    }

    /// To wait on: readable when there are records (and, for records submitted without wake-up, never reported in time).
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.map.fd().as_fd()
    }

    /// Where the next record will be written.
    pub(crate) fn end(&self) -> u64 {
        self.producer_position().load(Ordering::Acquire)
    }

    /// Where the next record will be read.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Hands the next record to `take`, then frees it. Skips those that were given up.
    pub(crate) fn next<R>(&mut self, take: impl FnOnce(Next<'_>) -> R) -> R {
        loop {
            if self.position >= self.end() {
                return take(Next::Empty);
            }
            let word = self.length_word(self.position).load(Ordering::Acquire);
            if word & BUSY != 0 {
                return take(Next::Busy);
            }
            let length = u64::from(word & !(BUSY | DISCARD));
            let after = self.position + (RECORD_HEADER + length).next_multiple_of(8);
            if word & DISCARD != 0 {
                self.free_to(after);
                continue;
            }
            let (head, tail) = self.slices(self.position + RECORD_HEADER, length);
            let result = take(Next::Record(head, tail));
            self.free_to(after);
            return result;
        }
    }

    fn free_to(&mut self, position: u64) {
        self.position = position;
        // Release: the kernel must not write to the record before it has been read here.
        self.consumer_position().store(position, Ordering::Release);
    }

    fn consumer_position(&self) -> &AtomicU64 {
        // SAFETY: the page begins with the position, aligned, and lives as long as `self`; both sides use it atomically.
        unsafe { self.consumer.address.cast().as_ref() }
    }

    fn producer_position(&self) -> &AtomicU64 {
        // SAFETY: as above; it is only read here.
        unsafe { self.producer.address.cast().as_ref() }
    }

    fn data(&self, position: u64) -> NonNull<u8> {
        let offset = usize::try_from(position & (self.size - 1)).unwrap_or_default();
        // SAFETY: the masked offset is below the size of the data, which follow the page of the position.
        unsafe { self.producer.address.add(self.page + offset) }
    }

    fn length_word(&self, position: u64) -> &AtomicU32 {
        // SAFETY: records are aligned to eight bytes, so their header does not wrap; the kernel writes the word atomically.
        unsafe { self.data(position).cast().as_ref() }
    }

    /// The bytes of a committed record. The kernel does not touch them until they are freed, which takes `&mut self`.
    fn slices(&self, position: u64, length: u64) -> (&[u8], &[u8]) {
        let length = length.min(self.size);
        let offset = position & (self.size - 1);
        let first = length.min(self.size - offset);
        let to_length = |length: u64| usize::try_from(length).unwrap_or_default();
        // SAFETY: from the offset to the end of the data there are at least `first` bytes.
        let head = unsafe { std::slice::from_raw_parts(self.data(position).as_ptr(), to_length(first)) };
        // SAFETY: the rest begins at the start of the data, and is no longer than the data.
        let tail = unsafe { std::slice::from_raw_parts(self.data(0).as_ptr(), to_length(length - first)) };
        (head, tail)
    }
}
