//! Web searches that grounding made.

use std::collections::BTreeSet;

use serde_json::Value;

use super::names;
use crate::codec::content::Budget;

/// Search queries of an answer, each once.
#[derive(Debug, Default)]
pub(in crate::codec) struct Searches {
    queries: BTreeSet<String>,
}

impl Searches {
    /// Takes a `groundingMetadata`; chunks repeat it.
    pub(in crate::codec) fn take(&mut self, grounding: &Value, budget: &mut Budget) {
        for query in names::array(grounding, &["webSearchQueries"]).iter().filter_map(Value::as_str) {
            if !query.is_empty() && !self.queries.contains(query) && budget.facts(query.len() + 64) {
                self.queries.insert(query.to_owned());
            }
        }
    }

    /// How many there were; `None` when there were none.
    pub(in crate::codec) fn count(self) -> Option<u64> {
        Some(self.queries.len() as u64).filter(|queries| *queries > 0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_query_once() {
        let mut searches = Searches::default();
        let mut budget = Budget::new(0);
        searches.take(&json!({"webSearchQueries": ["a", "", "b"]}), &mut budget);
        searches.take(&json!({"webSearchQueries": ["a"]}), &mut budget);
        assert_eq!(searches.count(), Some(2));
        assert_eq!(Searches::default().count(), None);
    }
}
