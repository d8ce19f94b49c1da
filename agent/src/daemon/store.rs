//! The newest Records, as their JSON lines, within a bound of bytes; and the news of each for those who follow.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use agent_genai::Record;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::console::Filter;

/// Records that a follower may be behind before it misses some.
const FOLLOW_LAG: usize = 4_096;

/// A Record and its JSON line, without line end.
#[derive(Debug)]
pub struct Kept {
    /// The Record.
    pub record: Record,
    /// Its JSON.
    pub line: String,
}

/// Counters of the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoreStats {
    /// Records kept now.
    pub records: u64,
    /// Bytes kept now.
    pub bytes: u64,
    /// Records that had to go to make room.
    pub evicted: u64,
    /// Records that could not be written as JSON.
    pub unwritable: u64,
}

/// Keeps the newest Records.
#[derive(Debug)]
pub struct Store {
    inner: Mutex<Inner>,
    news: broadcast::Sender<Arc<Kept>>,
    max_bytes: u64,
    max_records: usize,
}

#[derive(Debug, Default)]
struct Inner {
    kept: VecDeque<Arc<Kept>>,
    stats: StoreStats,
}

/// Why a call is not found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No call has this id.
    #[error("no call has the id `{0}`; only the newest calls are kept")]
    Unknown(String),
    /// More than one call has an id that begins so.
    #[error("{count} calls have ids that begin with `{prefix}`: give more digits")]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// How many there are.
        count: usize,
    },
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(max_bytes: u64, max_records: usize) -> Self {
        Self { inner: Mutex::default(), news: broadcast::channel(FOLLOW_LAG).0, max_bytes, max_records }
    }

    /// Keeps a Record and tells those who follow.
    pub fn push(&self, record: Record) {
        let line = match serde_json::to_string(&record) {
            Ok(line) => line,
            Err(error) => {
                tracing::error!("cannot write call {} as JSON: {error}", record.span_id);
                self.lock().stats.unwritable += 1;
                return;
            }
        };
        let kept = Arc::new(Kept { record, line });
        let mut inner = self.lock();
        inner.stats.bytes += size(&kept);
        inner.stats.records += 1;
        inner.kept.push_back(Arc::clone(&kept));
        while inner.stats.bytes > self.max_bytes || inner.kept.len() > self.max_records {
            let Some(oldest) = inner.kept.pop_front() else { break };
            inner.stats.bytes -= size(&oldest);
            inner.stats.records -= 1;
            inner.stats.evicted += 1;
        }
        // Inside the lock, so that a follower who begins now neither misses this Record nor gets it twice.
        let _ = self.news.send(kept);
    }

    /// The newest `last` Records that the filter accepts, oldest first; all for `None`.
    #[must_use]
    pub fn newest(&self, last: Option<usize>, filter: &Filter) -> Vec<Arc<Kept>> {
        newest(&self.lock().kept, last, filter)
    }

    /// As [`Store::newest`], and everything that comes after.
    #[must_use]
    pub fn follow(
        &self,
        last: Option<usize>,
        filter: &Filter,
    ) -> (Vec<Arc<Kept>>, broadcast::Receiver<Arc<Kept>>) {
        let inner = self.lock();
        let receiver = self.news.subscribe();
        (newest(&inner.kept, last, filter), receiver)
    }

    /// The call whose span id is, or begins with, `id`.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn find(&self, id: &str) -> Result<Arc<Kept>, LookupError> {
        let inner = self.lock();
        find(inner.kept.iter().map(|kept| (kept.record.span_id.as_str(), kept)), id).cloned()
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        self.lock().stats
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn newest(kept: &VecDeque<Arc<Kept>>, last: Option<usize>, filter: &Filter) -> Vec<Arc<Kept>> {
    let mut found: Vec<_> = kept
        .iter()
        .rev()
        .filter(|kept| filter.accepts(&kept.record))
        .take(last.unwrap_or(usize::MAX))
        .cloned()
        .collect();
    found.reverse();
    found
}

/// The one item whose span id is, or begins with, `id`.
///
/// # Errors
/// When there is none, or more than one.
pub fn find<'a, T>(items: impl Iterator<Item = (&'a str, T)>, id: &str) -> Result<T, LookupError> {
    let wanted = id.trim().to_ascii_lowercase();
    let mut found = Vec::new();
    let mut ambiguous = 0;
    for (span_id, item) in items {
        if !wanted.is_empty() && span_id.starts_with(&wanted) {
            ambiguous += 1;
            if span_id == wanted {
                return Ok(item);
            }
            found.truncate(1);
            found.push(item);
        }
    }
    match (ambiguous, found.pop()) {
        (1, Some(item)) => Ok(item),
        (0, _) | (_, None) => Err(LookupError::Unknown(id.to_owned())),
        (count, Some(_)) => Err(LookupError::Ambiguous { prefix: id.to_owned(), count }),
    }
}

/// Bytes that a Record counts for: its line, and about as much again for the parsed form.
fn size(kept: &Kept) -> u64 {
    kept.line.len() as u64 * 2 + 512
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture::record;

    fn numbered(number: u32) -> Record {
        let mut record = record();
        record.span_id = format!("{number:016x}");
        record
    }

    fn ids(kept: &[Arc<Kept>]) -> Vec<String> {
        kept.iter().map(|kept| kept.record.span_id.trim_start_matches('0').to_owned()).collect()
    }

    #[test]
    fn the_oldest_go_first_and_are_counted() {
        let one = serde_json::to_string(&numbered(1)).expect("JSON").len() as u64 * 2 + 512;
        let store = Store::new(one * 3, 100);
        for number in 1..=5 {
            store.push(numbered(number));
        }
        assert_eq!(ids(&store.newest(None, &Filter::default())), ["3", "4", "5"]);
        assert_eq!(ids(&store.newest(Some(2), &Filter::default())), ["4", "5"]);
        let stats = store.stats();
        assert_eq!((stats.records, stats.evicted, stats.bytes), (3, 2, one * 3));
        let few = Store::new(u64::MAX, 2);
        (1..=3).for_each(|number| few.push(numbered(number)));
        assert_eq!(ids(&few.newest(None, &Filter::default())), ["2", "3"]);
    }

    #[test]
    fn calls_are_found_by_a_prefix_that_is_unique() {
        let store = Store::new(u64::MAX, 100);
        for id in ["abc0000000000001", "abc0000000000002", "def0000000000001"] {
            store.push(Record { span_id: id.into(), ..record() });
        }
        assert_eq!(store.find("DEF").map(|kept| kept.record.span_id.clone()), Ok("def0000000000001".into()));
        assert_eq!(
            store.find("abc0000000000002").map(|kept| kept.record.span_id.clone()),
            Ok("abc0000000000002".into())
        );
        assert!(matches!(store.find("abc"), Err(LookupError::Ambiguous { count: 2, .. })));
        assert!(matches!(store.find("f"), Err(LookupError::Unknown(_))));
        assert!(matches!(store.find(""), Err(LookupError::Unknown(_))));
    }

    #[test]
    fn followers_get_what_is_there_and_what_comes() {
        let store = Store::new(u64::MAX, 100);
        store.push(numbered(1));
        let (there, mut news) = store.follow(None, &Filter::default());
        store.push(numbered(2));
        assert_eq!(ids(&there), ["1"]);
        assert_eq!(news.try_recv().map(|kept| kept.record.span_id.clone()), Ok(numbered(2).span_id));
        assert!(news.try_recv().is_err());
    }
}
