//! Every recorded exchange, damaged in every way that a capture can be: cut, cut off, with a hole, with pieces twice, split in awkward
//! places, under a wrong media type, larger than the limits. Nothing may panic or grow, no usage may be invented, and what is missing
//! must be said.
//!
//! `WIRESPAN_MUTATIONS` is the number of random places tried of each kind in each recording (12 unless it is set; `cargo xtask
//! mutations` tries 200).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod damage;
#[path = "../corpus/load.rs"]
#[expect(dead_code, reason = "the facts are another test's")]
mod load;
#[path = "../sink/mod.rs"]
mod sink;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use agent_genai::{Call, DecoderOptions};
use damage::{Random, numbers};
use load::Exchange;
use wire::{Feed, Step};

/// Most bytes that one exchange may hold with content off: the skimmed bodies, and what a fold needs.
const BARE_CAP: usize = 8 << 20;

fn places() -> usize {
    std::env::var("WIRESPAN_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(12)
}

/// A recording, and what its undamaged form gives.
struct Subject {
    name: String,
    feed: Feed,
    calls: Vec<Call>,
}

impl Subject {
    fn new(file: &str, exchange: &Exchange) -> Option<Self> {
        let feed = Feed::new(exchange)?;
        let (calls, _) = feed.run(&feed.whole(), &bare());
        Some(Self { name: format!("{file} {}", exchange.id), feed, calls })
    }

    /// The calls as far as damage must not change them.
    fn facts(calls: &[Call]) -> String {
        let fact = |call: &Call| {
            format!(
                "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
                call.api,
                call.usage,
                call.error,
                call.response.id,
                call.response.model,
                call.response.finish_reasons,
                call.response.tool_calls
            )
        };
        calls.iter().map(fact).collect::<Vec<_>>().join("\n")
    }

    /// The same bytes in other pieces give the same calls.
    fn same(&self, what: &str, steps: &[Step]) {
        let (calls, peak) = self.feed.run(steps, &bare());
        assert_eq!(Self::facts(&calls), Self::facts(&self.calls), "{}: {what}", self.name);
        assert!(peak < BARE_CAP, "{}: {what}: {peak} bytes held", self.name);
    }

    /// Bytes are missing: nothing is invented, and it is said.
    fn damaged(&self, what: &str, steps: &[Step], missing: bool) {
        let (calls, peak) = self.feed.run(steps, &bare());
        assert!(peak < BARE_CAP, "{}: {what}: {peak} bytes held", self.name);
        for call in &calls {
            self.check_usage(what, call);
            if missing {
                let complete = call.completeness.is_complete();
                let settled = self.calls.iter().any(|whole| {
                    whole.response.id == call.response.id
                        && format!("{:?}", whole.usage) == format!("{:?}", call.usage)
                });
                assert!(
                    !complete || settled,
                    "{}: {what}: the call says nothing of what is missing: {:?}",
                    self.name,
                    call.completeness
                );
            }
        }
    }

    /// Each count is one that the provider reported: that of the undamaged call, or, in a stream, one that an earlier event carried.
    fn check_usage(&self, what: &str, call: &Call) {
        let streamed = call.timing.first_chunk.is_some();
        for (name, count) in numbers(&call.usage) {
            let known = self.calls.iter().any(|whole| {
                numbers(&whole.usage).iter().any(|(other, value)| *other == name && *value == count)
            });
            // A total that leaves no room says nought without the digit.
            let earlier = streamed && (count == 0 || self.feed.says(count));
            assert!(known || earlier, "{}: {what}: {name} is {count}", self.name);
        }
    }
}

fn bare() -> DecoderOptions {
    DecoderOptions::default()
}

fn subjects() -> Option<Vec<Subject>> {
    let Some(folder) = std::env::var_os("WIRESPAN_CORPUS").map(PathBuf::from) else {
        eprintln!("skipped: WIRESPAN_CORPUS names no folder of recorded exchanges");
        return None;
    };
    let mut subjects = Vec::new();
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".jsonl").filter(|name| *name != "realtime-ws") else { continue };
        subjects.extend(file(name, &path));
    }
    Some(subjects)
}

fn file(name: &str, path: &Path) -> Vec<Subject> {
    load::file(path).iter().filter_map(|exchange| Subject::new(name, exchange)).collect()
}

/// Runs `check` on every recording, on all cores, and counts.
fn each(what: &str, check: impl Fn(&Subject, &mut Random) -> usize + Sync) {
    let Some(subjects) = subjects() else { return };
    let (next, tried) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some(subject) = subjects.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut random = Random::of(&subject.name);
            let run = std::panic::AssertUnwindSafe(|| check(subject, &mut random));
            match std::panic::catch_unwind(run) {
                Ok(count) => drop(tried.fetch_add(count, Ordering::Relaxed)),
                Err(cause) => {
                    let words =
                        cause.downcast_ref::<String>().cloned().unwrap_or_else(|| subject.name.clone());
                    failures.lock().unwrap().push(words);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        (0..cores).for_each(|_| drop(scope.spawn(work)));
    });
    let failures = failures.into_inner().unwrap();
    eprintln!("{what}: {} recordings, {} mutations", subjects.len(), tried.into_inner());
    assert!(failures.is_empty(), "{} recordings:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn split_at_random_points() {
    each("split", |subject, random| {
        for at in random.places(subject.feed.response.len(), places()) {
            subject.same(&format!("split at {at}"), &subject.feed.split(&[at]));
        }
        places()
    });
}

#[test]
fn split_inside_characters_and_escapes() {
    each("split inside characters and escapes", |subject, random| {
        let bytes = &subject.feed.response;
        let awkward: Vec<usize> =
            (1..bytes.len()).filter(|at| bytes[*at] & 0xc0 == 0x80 || bytes[at - 1] == b'\\').collect();
        let chosen: Vec<usize> =
            random.places(awkward.len(), places().min(awkward.len())).map(|at| awkward[at]).collect();
        for at in &chosen {
            subject.same(&format!("split at {at}"), &subject.feed.split(&[*at]));
        }
        let mut all = chosen;
        all.sort_unstable();
        subject.same("split at all of them", &subject.feed.split(&all));
        all.len() + 1
    });
}

#[test]
fn cut_off() {
    each("cut off", |subject, random| {
        for at in random.places(subject.feed.response.len(), places()) {
            subject.damaged(&format!("cut off at {at}"), &subject.feed.cut(at), true);
        }
        for at in random.places(subject.feed.request.len(), places() / 4) {
            subject.damaged(&format!("request cut off at {at}"), &subject.feed.cut_request(at), true);
        }
        places() + places() / 4
    });
}

#[test]
fn segments_lost() {
    each("segments lost", |subject, random| {
        let length = subject.feed.response.len();
        for from in random.places(length, places()) {
            let to = (from + 1 + random.below(1 + length / 4)).min(length);
            subject.damaged(&format!("{from}..{to} lost"), &subject.feed.lose(from, to), true);
        }
        places()
    });
}

#[test]
fn segments_twice() {
    each("segments twice", |subject, random| {
        let length = subject.feed.response.len();
        for from in random.places(length, places()) {
            let to = (from + 1 + random.below(1 + length / 4)).min(length);
            // The same offsets again: the capture repeats itself.
            subject.same(&format!("{from}..{to} told twice"), &subject.feed.again(from, to));
            // The same bytes at new offsets: the peer repeats itself, which is another message.
            let (_, peak) = subject.feed.run(&subject.feed.repeat(from, to), &bare());
            assert!(peak < BARE_CAP, "{}: {peak} bytes held", subject.name);
        }
        2 * places()
    });
}

#[test]
fn wrong_media_types() {
    each("wrong media type", |subject, _| {
        let kinds = [
            "",
            "text/plain",
            "application/json",
            "text/event-stream",
            "application/x-ndjson",
            "application/octet-stream",
            "application/vnd.amazon.eventstream",
        ];
        for kind in kinds {
            let feed = subject.feed.with_media_type(kind);
            let (calls, peak) = feed.run(&feed.whole(), &bare());
            assert!(peak < BARE_CAP, "{}: {kind}: {peak} bytes held", subject.name);
            calls.iter().for_each(|call| subject.check_usage(kind, call));
        }
        kinds.len()
    });
}

#[test]
fn larger_than_the_limits() {
    each("over the limits", |subject, _| {
        // The limits shrink instead of the recordings growing: the effect is the same.
        let options = DecoderOptions { content: true, max_body: 2048, ..DecoderOptions::default() };
        let limits =
            agent_wire::Limits { max_item: 1024, max_decoded: 16 << 10, ..agent_wire::Limits::default() };
        let (calls, peak) = subject.feed.run_within(&subject.feed.whole(), &options, limits);
        assert!(peak < 2 << 20, "{}: {peak} bytes held", subject.name);
        calls.iter().for_each(|call| subject.check_usage("over the limits", call));
        1
    });
}
