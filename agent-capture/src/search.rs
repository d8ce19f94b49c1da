//! Searches files for TLS functions: through the cache, and large files on a thread of their own, so that nobody waits for one who does not
//! need it.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cache::Cache;
use crate::elf::ElfError;
use crate::identity::{Version, digest, key};
use crate::saved::Saved;
use crate::shared::Shared;
use crate::sites::{self, Certainty, Findings};

/// Files up to this size are searched at once, without the thread.
const SMALL: u64 = 4 << 20;
/// Findings of smaller files are kept only where there is something to verify.
const WORTH_KEEPING: u64 = 1 << 20;
/// Files that may wait for the thread.
const MAX_WAITING: usize = 4096;
/// A candidate that was refuted is tried again after this: the programs that use it may be others by then.
const REFUTED_FOR: Duration = Duration::from_hours(24 * 7);

/// What a search came to.
#[derive(Debug, Default)]
pub(crate) struct Searched {
    pub(crate) findings: Option<Findings>,
    /// What the cache knows the content by.
    pub(crate) key: Option<String>,
    /// Entries of candidates that were refuted before.
    pub(crate) refuted: HashSet<u64>,
    /// Nothing was searched: it was known.
    pub(crate) was_known: bool,
}

/// A file that was searched for.
pub(crate) struct Found<T> {
    pub(crate) tag: T,
    pub(crate) file: File,
    pub(crate) shown: PathBuf,
    pub(crate) searched: Result<Searched, ElfError>,
}

enum Job<T> {
    Search { tag: T, file: File, shown: PathBuf },
    Refute { key: String, entries: Vec<u64> },
}

/// The thread, and the results that it has.
pub(crate) struct Searcher<T> {
    cache: Option<Arc<Cache>>,
    jobs: SyncSender<Job<T>>,
    found: Receiver<Found<T>>,
}

/// What became of a request.
pub(crate) enum Begun<T> {
    /// It was done at once.
    Done(Found<T>),
    /// The thread does it.
    Later,
    /// Too many wait.
    Refused(T),
}

impl<T: Send + 'static> Searcher<T> {
    /// Starts the thread. It ends when this is dropped, after the file that it is at.
    pub(crate) fn start(cache: Option<Cache>, shared: Arc<Shared>) -> std::io::Result<Self> {
        let cache = cache.map(Arc::new);
        let (jobs, waiting) = sync_channel(MAX_WAITING);
        let (done, found) = channel();
        let of_thread = cache.clone();
        std::thread::Builder::new().name("wirespan-search".to_owned()).spawn(move || {
            let cache = of_thread.as_deref();
            while let Ok(job) = waiting.recv() {
                match job {
                    Job::Search { tag, file, shown } => {
                        if done.send(run(cache, tag, file, shown)).is_err() {
                            return;
                        }
                        shared.wake_watcher();
                    }
                    Job::Refute { key, entries } => remember_refuted(cache, &key, &entries),
                }
            }
        })?;
        Ok(Self { cache, jobs, found })
    }

    /// Searches a file, now or on the thread.
    pub(crate) fn begin(&self, tag: T, file: File, shown: PathBuf) -> Begun<T> {
        if file.metadata().is_ok_and(|data| data.len() <= SMALL) {
            return Begun::Done(run(self.cache.as_deref(), tag, file, shown));
        }
        match self.jobs.try_send(Job::Search { tag, file, shown }) {
            Ok(()) => Begun::Later,
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => match job {
                Job::Search { tag, .. } => Begun::Refused(tag),
                Job::Refute { .. } => Begun::Later,
            },
        }
    }

    /// The next that the thread has finished.
    pub(crate) fn finished(&self) -> Option<Found<T>> {
        self.found.try_recv().ok()
    }

    /// Lets later runs know which candidates were refuted.
    pub(crate) fn refute(&self, key: String, entries: Vec<u64>) {
        if self.jobs.try_send(Job::Refute { key, entries }).is_err() {
            tracing::debug!("refuted candidates were not kept for later runs");
        }
    }
}

fn run<T>(cache: Option<&Cache>, tag: T, file: File, shown: PathBuf) -> Found<T> {
    // A search that panics is a defect; it must not take the capture with it.
    let searched = catch_unwind(AssertUnwindSafe(|| match quick(&file)? {
        Some(searched) => Ok(searched),
        None => search(cache, &file),
    }))
    .unwrap_or_else(|_| Err(ElfError::Read(std::io::Error::other("the search panicked"))));
    Found { tag, file, shown, searched }
}

/// The functions of a large file that have names. They are found in less time than it takes to read the file, as the cache would have to do to
/// know it again; and whoever has just started it is about to call them. A file with names is not searched for further ones by structure.
fn quick(file: &File) -> Result<Option<Searched>, ElfError> {
    if file.metadata()?.len() <= SMALL {
        return Ok(None);
    }
    let moves = |findings: &Findings| findings.sites.iter().any(|site| site.function.moves_bytes());
    let findings = sites::find_named(file)?.filter(moves);
    Ok(findings.map(|findings| Searched { findings: Some(findings), ..Searched::default() }))
}

/// What a file holds, from the cache if it is the same.
fn search(cache: Option<&Cache>, file: &File) -> Result<Searched, ElfError> {
    let Some(cache) = cache else {
        return Ok(Searched { findings: sites::find(file)?, ..Searched::default() });
    };
    let data = file.metadata()?;
    let version = Version::of(&data);
    let key = key(file, &data)?;
    let known = cache.load(&key);
    if let Some(saved) = &known {
        let same = saved.files.contains(&version);
        if same || digest(file)? == saved.digest {
            if !same {
                let mut saved = saved.clone();
                saved.add_file(version);
                cache.store(&key, &saved);
            }
            return Ok(Searched {
                findings: saved.findings.clone(),
                refuted: still_refuted(&saved.refuted, now()),
                key: Some(key),
                was_known: true,
            });
        }
    }
    let findings = sites::find(file)?;
    let uncertain =
        |findings: &Findings| findings.sites.iter().any(|site| site.certainty == Certainty::Candidate);
    if version.size < WORTH_KEEPING && !findings.as_ref().is_some_and(uncertain) {
        return Ok(Searched { findings, ..Searched::default() });
    }
    let digest = digest(file)?;
    // Not if it was written to meanwhile.
    if Version::of(&file.metadata()?) == version {
        let saved =
            Saved { digest, files: vec![version], findings: findings.clone(), refuted: BTreeMap::new() };
        cache.store(&key, &saved);
    }
    Ok(Searched { findings, key: Some(key), ..Searched::default() })
}

fn still_refuted(refuted: &BTreeMap<u64, u64>, now: u64) -> HashSet<u64> {
    let recent = |time: u64| time <= now && now - time < REFUTED_FOR.as_secs();
    refuted.iter().filter(|(_, time)| recent(**time)).map(|(entry, _)| *entry).collect()
}

fn remember_refuted(cache: Option<&Cache>, key: &str, entries: &[u64]) {
    let Some(cache) = cache else { return };
    let Some(mut saved) = cache.load(key) else { return };
    saved.refuted.extend(entries.iter().map(|entry| (*entry, now())));
    cache.store(key, &saved);
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// Large enough to be kept.
    fn library(directory: &Path, name: &str, symbol: &str) -> Option<PathBuf> {
        library_of(2 << 20, directory, name, symbol)
    }

    fn library_of(size: u64, directory: &Path, name: &str, symbol: &str) -> Option<PathBuf> {
        let (input, output) = (directory.join("source.c"), directory.join(name));
        let source =
            format!("char space[{size}] = {{ 1 }}; int {symbol}(void *s, void *b, int n) {{ return n; }}");
        std::fs::write(&input, source).unwrap();
        let made =
            Command::new("cc").args(["-O1", "-fPIC", "-shared", "-o"]).args([&output, &input]).status();
        if !made.is_ok_and(|status| status.success()) {
            println!("skipped: no C compiler");
            return None;
        }
        Some(output)
    }

    #[test]
    fn a_file_is_searched_once_and_copies_of_it_are_known() {
        let directory = tempfile::tempdir().unwrap();
        let Some(path) = library(directory.path(), "a.so", "SSL_read") else { return };
        let cache = Cache::open(&directory.path().join("cache")).unwrap();
        let look = |path: &Path| search(Some(&cache), &File::open(path).unwrap()).unwrap();
        let first = look(&path);
        assert!(!first.was_known && first.findings.is_some());
        for _ in 0..2 {
            let again = look(&path);
            assert!(again.was_known);
            assert_eq!((&again.findings, &again.key), (&first.findings, &first.key));
        }
        let copy = directory.path().join("copy.so");
        std::fs::copy(&path, &copy).unwrap();
        let of_copy = look(&copy);
        // Without a build id, a copy is another content.
        assert_eq!(of_copy.was_known, of_copy.key == first.key);
        assert_eq!(of_copy.findings, first.findings);
    }

    #[test]
    fn what_only_pretends_to_be_the_same_content_is_searched() {
        let directory = tempfile::tempdir().unwrap();
        let Some(path) = library(directory.path(), "a.so", "SSL_read") else { return };
        let cache = Cache::open(&directory.path().join("cache")).unwrap();
        let first = search(Some(&cache), &File::open(&path).unwrap()).unwrap();
        // The same build id, size and headers; another name for the function.
        let mut bytes = std::fs::read(&path).unwrap();
        while let Some(place) = bytes.windows(9).position(|window| window == b"SSL_read\0") {
            bytes[place] = b'X';
        }
        let forged = directory.path().join("forged.so");
        std::fs::write(&forged, bytes).unwrap();
        let searched = search(Some(&cache), &File::open(&forged).unwrap()).unwrap();
        assert!(!searched.was_known);
        assert_ne!(searched.findings, first.findings);
    }

    #[test]
    fn a_large_file_with_names_is_neither_read_whole_nor_kept() {
        let directory = tempfile::tempdir().unwrap();
        let large = |name, symbol| library_of(SMALL + 1, directory.path(), name, symbol);
        let (Some(named), Some(other)) = (large("a.so", "SSL_read"), large("b.so", "other")) else { return };
        let file = File::open(&named).unwrap();
        let found = quick(&file).unwrap().unwrap();
        assert_eq!(found.findings, sites::find(&file).unwrap());
        assert_eq!((found.key, found.was_known), (None, false));
        assert!(quick(&File::open(&other).unwrap()).unwrap().is_none());
        let folder = directory.path().join("cache");
        let cache = Cache::open(&folder).unwrap();
        assert!(run(Some(&cache), (), file, named).searched.unwrap().findings.is_some());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        run(Some(&cache), (), File::open(&other).unwrap(), other).searched.unwrap();
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_large_file_without_functions_is_known_to_have_none() {
        let directory = tempfile::tempdir().unwrap();
        let Some(path) = library(directory.path(), "a.so", "other") else { return };
        let cache = Cache::open(&directory.path().join("cache")).unwrap();
        for known in [false, true] {
            let searched = search(Some(&cache), &File::open(&path).unwrap()).unwrap();
            assert_eq!((searched.findings, searched.was_known), (None, known));
        }
    }

    #[test]
    fn refuted_candidates_are_remembered_for_a_while() {
        let directory = tempfile::tempdir().unwrap();
        let Some(path) = library(directory.path(), "a.so", "SSL_read") else { return };
        let cache = Cache::open(&directory.path().join("cache")).unwrap();
        let key = search(Some(&cache), &File::open(&path).unwrap()).unwrap().key.unwrap();
        remember_refuted(Some(&cache), &key, &[4096]);
        let again = search(Some(&cache), &File::open(&path).unwrap()).unwrap();
        assert_eq!(again.refuted, [4096].into());
        let long_ago = [(1, now() - REFUTED_FOR.as_secs()), (2, now()), (3, u64::MAX)].into();
        assert_eq!(still_refuted(&long_ago, now()), [2].into());
    }
}
