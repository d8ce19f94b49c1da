//! What was found in a file, as text that is kept between runs.
//!
//! The text is one that this program wrote, but it may be damaged or of another version: then it is as if it were not there.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::functions::by_symbol;
use crate::identity::{Digest, Version};
use crate::sites::{Certainty, Findings, Site};

/// Text of another revision is not used: the ways of finding have changed since. It is made from the sources of this crate by the build script.
const REVISION: &str = env!("WIRESPAN_FINDER_REVISION");
/// Files of the same content that are known by their inodes, at most.
const MAX_FILES: usize = 8;
/// Most places of one file that are believed.
const MAX_SITES: usize = 4096;

/// What is known of a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saved {
    /// Of the whole content.
    pub(crate) digest: Digest,
    /// Files that had this content when they were looked at. The change time is among what names one, and nobody but root can set that.
    pub(crate) files: Vec<Version>,
    /// `None`: it has no TLS functions.
    pub(crate) findings: Option<Findings>,
    /// Entries of candidates that were refuted, with the time in seconds since 1970.
    pub(crate) refuted: BTreeMap<u64, u64>,
}

impl Saved {
    /// Takes note of one more file with this content; the oldest is forgotten.
    pub(crate) fn add_file(&mut self, version: Version) {
        self.files.retain(|known| *known != version);
        if self.files.len() >= MAX_FILES {
            self.files.remove(0);
        }
        self.files.push(version);
    }

    /// As text; `None` where something in it has no written form.
    pub(crate) fn to_text(&self) -> Option<String> {
        let mut text = format!("wirespan findings {REVISION}\ndigest {}\n", self.digest);
        for file in &self.files {
            let _ = writeln!(text, "file {file}");
        }
        if let Some(findings) = &self.findings {
            text.push_str("found\n");
            for Site { function, certainty, entry, returns } in &findings.sites {
                if by_symbol(function.symbol) != Some(*function) {
                    return None;
                }
                let certainty = match certainty {
                    Certainty::Named => "named",
                    Certainty::Candidate => "candidate",
                };
                let _ = write!(text, "site {} {certainty} {entry}", function.symbol);
                for offset in returns {
                    let _ = write!(text, " {offset}");
                }
                text.push('\n');
            }
            for problem in &findings.problems {
                let _ = writeln!(text, "problem {}", problem.replace(['\n', '\r'], " "));
            }
        }
        for (entry, time) in &self.refuted {
            let _ = writeln!(text, "refuted {entry} {time}");
        }
        let _ = writeln!(text, "end {}", Digest::of(text.as_bytes()));
        Some(text)
    }

    /// From text; `None` when it is damaged or of another version.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (body, end) = text.strip_suffix('\n')?.rsplit_once('\n')?;
        let body = text.get(..=body.len())?;
        if end.strip_prefix("end ")? != Digest::of(body.as_bytes()).to_string() {
            return None;
        }
        let mut lines = body.lines();
        if lines.next()?.strip_prefix("wirespan findings ")? != REVISION {
            return None;
        }
        let digest = lines.next()?.strip_prefix("digest ")?.parse().ok()?;
        let mut saved = Self { digest, files: Vec::new(), findings: None, refuted: BTreeMap::new() };
        for line in lines {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "file" => saved.add_file(rest.parse().ok()?),
                "found" => drop(saved.findings.get_or_insert_default()),
                "site" => {
                    let sites = &mut saved.findings.as_mut()?.sites;
                    if sites.len() >= MAX_SITES {
                        return None;
                    }
                    sites.push(parse_site(rest)?);
                }
                "problem" => saved.findings.as_mut()?.problems.push(rest.to_owned()),
                "refuted" => {
                    let (entry, time) = rest.split_once(' ')?;
                    saved.refuted.insert(entry.parse().ok()?, time.parse().ok()?);
                }
                _ => return None,
            }
        }
        Some(saved)
    }
}

fn parse_site(text: &str) -> Option<Site> {
    let mut words = text.split(' ');
    let function = by_symbol(words.next()?)?;
    let certainty = match words.next()? {
        "named" => Certainty::Named,
        "candidate" => Certainty::Candidate,
        _ => return None,
    };
    let entry = words.next()?.parse().ok()?;
    let returns = words.map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(Site { function, certainty, entry, returns })
}

impl Digest {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::functions::FUNCTIONS;

    fn example() -> Saved {
        let site = |index: usize, certainty, returns: &[u64]| Site {
            function: FUNCTIONS[index],
            certainty,
            entry: 4096 * (index as u64 + 1),
            returns: returns.to_vec(),
        };
        let version = |inode| Version { device: 1, inode, size: 3, modified: (4, 5), changed: (-6, 7) };
        Saved {
            digest: Digest::of(b"content"),
            files: vec![version(1), version(2)],
            findings: Some(Findings {
                sites: vec![site(0, Certainty::Named, &[5000, 5001]), site(6, Certainty::Candidate, &[])],
                problems: vec!["SSL_x: no\nRET".to_owned()],
            }),
            refuted: [(8192, 1_700_000_000)].into(),
        }
    }

    #[test]
    fn what_was_written_is_read_again() {
        let saved = example();
        let mut read = Saved::parse(&saved.to_text().unwrap()).unwrap();
        assert_eq!(read.findings.as_mut().unwrap().problems, ["SSL_x: no RET"]);
        read.findings.as_mut().unwrap().problems = saved.findings.as_ref().unwrap().problems.clone();
        assert_eq!(read, saved);
        let nothing = Saved { findings: None, ..saved };
        assert_eq!(Saved::parse(&nothing.to_text().unwrap()), Some(nothing));
    }

    #[test]
    fn another_revision_is_as_nothing() {
        let text = example().to_text().unwrap().replace(REVISION, "another");
        let body = &text[..text.rfind("end ").unwrap()];
        assert_eq!(Saved::parse(&format!("{body}end {}\n", Digest::of(body.as_bytes()))), None);
    }

    #[test]
    fn the_files_of_one_content_are_bounded() {
        let mut saved = example();
        for inode in 0..100 {
            saved.add_file(Version { inode, ..saved.files[0] });
        }
        assert_eq!(saved.files.len(), MAX_FILES);
        assert_eq!(saved.files.last().unwrap().inode, 99);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn damaged_text_is_as_nothing(cut in any::<prop::sample::Index>(), change in any::<prop::sample::Index>(), value in any::<u8>()) {
            let text = example().to_text().unwrap();
            let mut bytes = text.as_bytes()[..cut.index(text.len() + 1)].to_vec();
            if !bytes.is_empty() {
                let place = change.index(bytes.len());
                bytes[place] = value;
            }
            if bytes != text.as_bytes() {
                prop_assert_eq!(Saved::parse(&String::from_utf8_lossy(&bytes)), None);
            }
        }

        #[test]
        fn any_text_with_a_right_end_is_read_or_refused(body in "(wirespan findings|digest|file|found|site SSL_read named|refuted|problem|[0-9a-f -]|\n){0,40}") {
            let _ = Saved::parse(&format!("{body}\nend {}\n", Digest::of(format!("{body}\n").as_bytes())));
        }
    }
}
