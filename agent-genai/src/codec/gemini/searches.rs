//! Web searches that grounding made, as they are billed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::names;
use crate::codec::content::Budget;

/// Search queries of an answer, each once.
#[derive(Debug, Default)]
pub(in crate::codec) struct Searches {
    queries: BTreeSet<String>,
}

/// Models of before the third generation, of which a grounded prompt is billed once; later ones are billed by the query.
const BY_PROMPT: &[&str] = &["gemini-1", "gemini-2"];

impl Searches {
    /// Takes a `groundingMetadata`; chunks repeat it.
    pub(in crate::codec) fn take(&mut self, grounding: &Value, budget: &mut Budget) {
        for query in names::array(grounding, &["webSearchQueries"]).iter().filter_map(Value::as_str) {
            if !query.is_empty() && !self.queries.contains(query) && budget.facts(query.len() + 64) {
                self.queries.insert(query.to_owned());
            }
        }
    }

    /// Searches to be paid for; `None` when there were none.
    pub(in crate::codec) fn billed(self, model: Option<&str>) -> Option<u64> {
        let queries = self.queries.len() as u64;
        let by_prompt = model.is_some_and(|model| BY_PROMPT.iter().any(|old| model.starts_with(old)));
        (queries > 0).then_some(if by_prompt { 1 } else { queries })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn billed(model: &str) -> Option<u64> {
        let mut searches = Searches::default();
        let mut budget = Budget::new(0);
        searches.take(&json!({"webSearchQueries": ["a", "", "b"]}), &mut budget);
        searches.take(&json!({"webSearchQueries": ["a"]}), &mut budget);
        searches.billed(Some(model))
    }

    #[test]
    fn by_prompt_and_by_query() {
        assert_eq!(billed("gemini-2.5-flash"), Some(1));
        assert_eq!(billed("gemini-3-pro-preview"), Some(2));
        assert_eq!(Searches::default().billed(None), None);
    }
}
