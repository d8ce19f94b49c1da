//! What can be wrong with a price table.

/// A price table or override that cannot be used; the message says where and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PriceError {
    /// Not JSON.
    #[error("the price table is no valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A key that means nothing here.
    #[error("{path}: unknown key `{key}`; {}", hint(nearest.as_deref(), valid))]
    UnknownKey {
        /// Where, as `models[0].prices`.
        path: String,
        /// The key.
        key: String,
        /// The valid key that looks most like it.
        nearest: Option<&'static str>,
        /// Every valid key.
        valid: &'static [&'static str],
    },
    /// A value that cannot be right.
    #[error("{path}: {what}")]
    Invalid {
        /// Where, as `models[0].prices.input`.
        path: String,
        /// What is wrong, and what would be right.
        what: String,
    },
}

fn hint(nearest: Option<&str>, valid: &[&str]) -> String {
    match nearest {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("valid here: {}", valid.join(", ")),
    }
}

impl PriceError {
    pub(super) fn invalid(path: &str, what: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_owned(), what: what.into() }
    }

    pub(super) fn unknown_key(path: &str, key: &str, valid: &'static [&'static str]) -> Self {
        // Case, and dashes for underscores, are the commonest slips and count for nothing.
        let plain = key.to_lowercase().replace('-', "_");
        let nearest = valid
            .iter()
            .map(|name| (strsim::damerau_levenshtein(&plain, name), *name))
            .min()
            .filter(|(distance, name)| *distance <= name.len().max(3) / 2)
            .map(|(_, name)| name);
        Self::UnknownKey { path: path.to_owned(), key: key.to_owned(), nearest, valid }
    }
}
