//! The matrix as a Markdown table, each no with its reason below.

use anyhow::Error;

use super::{Cell, Column, Row};

/// Longest reason.
const LONGEST: usize = 300;

/// Why, in one line.
pub(super) fn reason(error: &Error) -> String {
    let text = format!("{error:#}");
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(LONGEST).collect()
}

/// The table, and the reasons.
#[must_use]
pub fn table(rows: &[Row], columns: &[Column]) -> String {
    let mut text = String::from("| client | version | TLS |");
    for column in columns {
        text += &format!(" {} |", column.title());
    }
    text += "\n|---|---|---|";
    text += &"---|".repeat(columns.len());
    text.push('\n');
    let mut reasons: Vec<&str> = Vec::new();
    for row in rows {
        text += &format!("| {} | {} | {} |", row.client.name, row.version, row.client.tls);
        for cell in &row.cells {
            let (word, why) = match cell {
                Cell::Yes => ("yes", None),
                Cell::No(why) => ("**no**", Some(why)),
                Cell::Inapplicable(why) => ("–", Some(why)),
            };
            text += &format!(" {word}");
            if let Some(why) = why {
                let at = reasons.iter().position(|known| known == why).unwrap_or_else(|| {
                    reasons.push(why);
                    reasons.len() - 1
                });
                text += &format!(" ({})", at + 1);
            }
            text += " |";
        }
        text.push('\n');
    }
    if !reasons.is_empty() {
        text.push('\n');
    }
    for (at, why) in reasons.iter().enumerate() {
        text += &format!("{}. {why}\n", at + 1);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::CLIENTS;
    use super::*;

    #[test]
    fn a_reason_stands_once_below() {
        let no = || Cell::No("why not".into());
        let row = |cells| Row { client: &CLIENTS[0], version: "1".into(), cells };
        let rows = [row(vec![Cell::Yes, no()]), row(vec![no(), Cell::Inapplicable("cannot".into())])];
        let text = table(&rows, &[Column::FirstByte, Column::Attach]);
        assert!(text.contains("| 1 | libssl.so.3 | yes | **no** (1) |"), "{text}");
        assert!(text.contains("| **no** (1) | – (2) |"), "{text}");
        assert!(text.ends_with("\n\n1. why not\n2. cannot\n"), "{text}");
    }
}
