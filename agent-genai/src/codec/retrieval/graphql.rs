//! Weaviate's searches in GraphQL: `{Get{Class(nearText:{concepts:["…"]} limit:3){…}}}`.
//!
//! A scanner, no parser: it finds the classes below `Get` and the names of their arguments, and knows strings and nesting. A `Get` without
//! an operator of search lists objects and is no retrieval; so is everything else that GraphQL does.

use serde_json::Value;

use crate::call::Retrieval;
use crate::codec::json;
use crate::skim;

/// Reads a query; `false` when it is no search.
pub(super) fn read(body: &Value, content: bool, retrieval: &mut Retrieval) -> bool {
    let Some(query) = json::str_at(body, &["query"]) else { return false };
    let query = skim::text_head(query).0;
    let Some(classes) = below_get(query) else { return false };
    let mut scan = Scan { text: classes, at: 0 };
    let mut searches = 0_u64;
    while let Some(class) = scan.name() {
        let arguments = scan.group('(', ')').unwrap_or_default();
        scan.group('{', '}');
        let is_search = names(arguments).any(|name| is_operator(name.0));
        if is_search {
            searches += 1;
            if searches == 1 {
                retrieval.data_source = Some(class.to_owned());
                describe(arguments, content, retrieval);
            }
        }
    }
    retrieval.queries = Some(searches);
    searches > 0
}

fn is_operator(name: &str) -> bool {
    matches!(name, "hybrid" | "bm25" | "ask")
        || name.strip_prefix("near").is_some_and(|rest| !rest.is_empty())
}

fn describe(arguments: &str, content: bool, retrieval: &mut Retrieval) {
    for (name, value) in names(arguments) {
        match name {
            "limit" => retrieval.top_k = number(value),
            "where" => retrieval.filtered = true,
            "tenant" => retrieval.namespace = strings(value).next().map(str::to_owned),
            name if is_operator(name) && content && retrieval.query.is_none() => {
                let said = ["concepts", "query", "question"];
                let inner = value.trim_start().strip_prefix('{').unwrap_or_default();
                let texts = names(inner).find(|(name, _)| said.contains(name));
                let texts: Vec<&str> = texts.map(|(_, value)| strings(value).collect()).unwrap_or_default();
                retrieval.query = (!texts.is_empty()).then(|| texts.join("\n"));
            }
            _ => {}
        }
    }
}

/// What is inside the braces behind the first `Get`; to the end of the text when it was cut.
fn below_get(query: &str) -> Option<&str> {
    let mut scan = Scan { text: query, at: 0 };
    loop {
        let name = scan.name_anywhere()?;
        if name == "Get" {
            scan.group('(', ')');
            return scan.group('{', '}');
        }
    }
}

fn number(value: &str) -> Option<i64> {
    let digits = value.trim_start();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end)?.parse().ok()
}

/// The names at the top of an argument list, each with the text behind its colon.
fn names(arguments: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut scan = Scan { text: arguments, at: 0 };
    std::iter::from_fn(move || {
        loop {
            let name = scan.name()?;
            scan.space();
            let Some(value) = scan.rest().strip_prefix(':') else { continue };
            scan.at += 1;
            scan.value();
            return Some((name, value));
        }
    })
}

/// The strings at the beginning of a value: it, or those of the list that it is. Escapes stay as they are.
fn strings(value: &str) -> impl Iterator<Item = &str> {
    let mut scan = Scan { text: value, at: 0 };
    scan.space();
    let list = scan.rest().starts_with('[');
    scan.at += usize::from(list);
    let mut over = false;
    std::iter::from_fn(move || {
        scan.space();
        if over {
            return None;
        }
        over = !list;
        scan.string()
    })
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        let blank = |c: char| c.is_whitespace() || c == ',';
        self.at += self.rest().len() - self.rest().trim_start_matches(blank).len();
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// A name, after blank space.
    fn name(&mut self) -> Option<&'a str> {
        self.space();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = rest.get(..end).filter(|name| !name.is_empty())?;
        self.at += end;
        Some(name)
    }

    /// The next name, whatever stands before it but strings.
    fn name_anywhere(&mut self) -> Option<&'a str> {
        loop {
            if let Some(name) = self.name() {
                return Some(name);
            }
            if self.rest().starts_with('"') { self.string().map(|_| ()) } else { self.next().map(|_| ()) }?;
        }
    }

    /// What is inside a pair of brackets that begins here; to the end of the text when it does not close.
    fn group(&mut self, open: char, close: char) -> Option<&'a str> {
        self.space();
        self.rest().strip_prefix(open)?;
        self.at += 1;
        let start = self.at;
        let mut depth = 1_usize;
        while depth > 0 && !self.rest().is_empty() {
            let rest = self.rest();
            if rest.starts_with('"') {
                self.string();
                continue;
            }
            match self.next() {
                Some(c) if c == open => depth += 1,
                Some(c) if c == close => depth -= 1,
                _ => {}
            }
        }
        let end = if depth == 0 { self.at - 1 } else { self.text.len() };
        self.text.get(start..end)
    }

    /// A string that begins here: what is between the quotes.
    fn string(&mut self) -> Option<&'a str> {
        self.rest().strip_prefix('"')?;
        self.at += 1;
        let start = self.at;
        while let Some(c) = self.next() {
            match c {
                '\\' => {
                    self.next();
                }
                '"' => return self.text.get(start..self.at - 1),
                _ => {}
            }
        }
        self.text.get(start..)
    }

    /// Skips a value: a string, a group, or a bare word.
    fn value(&mut self) {
        self.space();
        let rest = self.rest();
        if rest.starts_with('"') {
            self.string();
        } else if rest.starts_with('{') {
            self.group('{', '}');
        } else if rest.starts_with('[') {
            self.group('[', ']');
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || ",(){}[]\"".contains(c)).unwrap_or(rest.len());
            self.at += end;
        }
    }
}
