//! Reads what `cargo test` prints: counts, skipped tests and their reasons, and what is worth showing.

/// Counts of finished tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Passed, without the skipped ones.
    pub(crate) passed: u64,
    /// Failed; a test program that did not build or died counts as one.
    pub(crate) failed: u64,
    /// Could not run here, or ignored.
    pub(crate) skipped: u64,
}

impl Counts {
    /// Adds the counts of another run.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Follows the output of one `cargo test … -- --show-output`, line by line.
///
/// A test that cannot run on this machine passes and prints a line that begins with `skipped: ` and says why. The
/// harness shows the output of passed tests between `successes:` and the next summary; only the skip lines in it matter.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    counts: Counts,
    skips_of_program: u64,
    in_successes: bool,
}

impl Reader {
    /// Takes the next line; true when it is worth showing.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        if let Some(rest) = line.strip_prefix("test result: ") {
            self.in_successes = false;
            self.summary(rest);
            return true;
        }
        match line {
            "successes:" => {
                self.in_successes = true;
                return false;
            }
            "failures:" => self.in_successes = false,
            _ => {}
        }
        if !self.in_successes {
            return !line.is_empty();
        }
        let skip = is_skip(line);
        self.skips_of_program += u64::from(skip);
        skip
    }

    fn summary(&mut self, text: &str) {
        let number = |word: &str| {
            text.split([';', '.'])
                .filter_map(|part| part.trim().split_once(' '))
                .find(|(_, what)| what.starts_with(word))
                .and_then(|(count, _)| count.parse::<u64>().ok())
                .unwrap_or(0)
        };
        let skips = std::mem::take(&mut self.skips_of_program);
        let passed = number("passed");
        let skips = skips.min(passed);
        self.counts.passed += passed - skips;
        self.counts.failed += number("failed");
        self.counts.skipped += number("ignored") + skips;
    }

    /// The counts, once the program has ended with this success.
    pub(crate) fn finish(mut self, success: bool) -> Counts {
        if !success && self.counts.failed == 0 {
            self.counts.failed = 1;
        }
        self.counts
    }
}

fn is_skip(line: &str) -> bool {
    line.starts_with("skipped: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, success: bool) -> (Counts, Vec<String>) {
        let mut reader = Reader::default();
        let shown = text.lines().filter(|line| reader.line(line)).map(str::to_owned).collect();
        (reader.finish(success), shown)
    }

    #[test]
    fn counts_come_from_the_summaries() {
        let text = "running 3 tests\ntest a ... ok\ntest b ... ok\ntest c ... ignored\n\nsuccesses:\n\n---- a stdout ----\nnoise\n\nsuccesses:\n    a\n    b\n\n\
                    test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.0s\n";
        let (counts, shown) = read(text, true);
        assert_eq!(counts, Counts { passed: 2, failed: 0, skipped: 1 });
        assert!(!shown.iter().any(|line| line == "noise"));
    }

    #[test]
    fn a_test_that_says_skipped_is_not_counted_as_passed() {
        let text = "successes:\n---- a stdout ----\nskipped: kernel tests need root\n\nsuccesses:\n    a\n\
                    test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.0s\n";
        let (counts, shown) = read(text, true);
        assert_eq!(counts, Counts { passed: 0, failed: 0, skipped: 1 });
        assert!(shown.contains(&"skipped: kernel tests need root".to_owned()));
    }

    #[test]
    fn a_failure_keeps_its_output() {
        let text = "failures:\n---- a stdout ----\nthe reason\nfailures:\n    a\n\
                    test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.0s\n";
        let (counts, shown) = read(text, false);
        assert_eq!(counts, Counts { passed: 1, failed: 1, skipped: 0 });
        assert!(shown.contains(&"the reason".to_owned()));
    }

    #[test]
    fn what_did_not_build_is_a_failure() {
        assert_eq!(read("error: could not compile\n", false).0, Counts { passed: 0, failed: 1, skipped: 0 });
    }
}
