//! What a form cannot express.

/// Something of the source that is not in what was written, or not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// What: a setting, a part, a count.
    pub what: String,
    /// Why, and what stands in its place.
    pub why: &'static str,
}

/// Most losses listed one by one.
const MAX_LOSSES: usize = 256;

/// Collects them.
#[derive(Debug, Default)]
pub(super) struct Losses(Vec<Loss>);

impl Losses {
    pub(super) fn add(&mut self, what: impl Into<String>, why: &'static str) {
        let loss = Loss { what: what.into(), why };
        // The same loss of each of a hundred messages is one.
        if self.0.len() < MAX_LOSSES && !self.0.contains(&loss) {
            self.0.push(loss);
        }
    }

    /// Adds the name of each setting that is there.
    pub(super) fn unless_absent(&mut self, settings: &[(&str, bool)], why: &'static str) {
        for (name, _) in settings.iter().filter(|(_, there)| *there) {
            self.add(*name, why);
        }
    }

    pub(super) fn into_list(self) -> Vec<Loss> {
        self.0
    }
}

/// What stands for a reason that the source does not give.
pub(super) const NO_REASON: (&str, &str) =
    ("that there was no finish reason", "the form reads an answer without one otherwise");

/// The form has nothing like it.
pub(super) const NO_SUCH: &str = "the form has no place for it";
