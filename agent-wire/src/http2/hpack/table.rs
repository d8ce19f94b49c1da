//! HPACK's tables (RFC 7541 sections 2.3 and 4, appendix A).
//!
//! Entries are counted from the newest, and only the oldest are ever dropped. So an entry that was seen to be added keeps its right
//! index whatever happened before, and everything behind the oldest known entry is unknown: older than the capture, or than a loss.

use std::collections::VecDeque;

/// Size of a dynamic table until its encoder says otherwise (RFC 9113 section 6.5.2).
const DEFAULT_SIZE: usize = 4096;

/// Most that is kept of one table, in the bytes of section 4.1. Also taken for the size of a table whose size is unknown: a larger one
/// than the encoder's never gives a wrong entry, because the encoder does not refer to entries that it has dropped.
const MAX_SIZE: usize = 64 << 10;

/// What section 4.1 adds to the octets of name and value.
const OVERHEAD: usize = 32;

/// The static table; the first entry has index 1.
static STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// An entry of the dynamic table.
struct Entry {
    /// `None`: the name was a reference to an unknown entry.
    name: Option<Box<str>>,
    value: Box<str>,
    size: usize,
}

/// Static and dynamic table of one direction.
pub(super) struct Table {
    /// Newest first.
    entries: VecDeque<Entry>,
    size: usize,
    max: usize,
}

impl Table {
    /// The table of a connection seen from its beginning.
    pub(super) fn new() -> Self {
        Self { entries: VecDeque::new(), size: 0, max: DEFAULT_SIZE }
    }

    /// Nothing is known of what the table holds, nor of its size.
    pub(super) fn forget(&mut self) {
        *self = Self { entries: VecDeque::new(), size: 0, max: MAX_SIZE };
    }

    /// Name and value at an index from 1. `None`: unknown.
    pub(super) fn get(&self, index: usize) -> Option<(&str, &str)> {
        let at = index.checked_sub(1)?;
        if let Some((name, value)) = STATIC.get(at) {
            return Some((name, value));
        }
        let entry = self.entries.get(at - STATIC.len())?;
        Some((entry.name.as_deref()?, &entry.value))
    }

    /// Adds an entry. The lengths are those of the bytes that were sent.
    pub(super) fn add(&mut self, name: Option<&str>, value: &str, lengths: (usize, usize)) {
        let size = lengths.0.saturating_add(lengths.1).saturating_add(OVERHEAD);
        if size > self.max {
            // Section 4.4: such an entry empties the table.
            self.entries.clear();
            self.size = 0;
            return;
        }
        self.shrink(self.max - size);
        self.size += size;
        self.entries.push_front(Entry { name: name.map(Into::into), value: value.into(), size });
    }

    /// The encoder changed the size of its table.
    pub(super) fn resize(&mut self, max: usize) {
        self.max = max.min(MAX_SIZE);
        self.shrink(self.max);
    }

    fn shrink(&mut self, to: usize) {
        while self.size > to
            && let Some(oldest) = self.entries.pop_back()
        {
            self.size = self.size.saturating_sub(oldest.size);
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.size
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.size
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
