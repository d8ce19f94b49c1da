//! How Records look: the compact and wide tables, one call whole, and the closing line.

mod filter;
mod row;
mod show;
mod style;
mod summary;
mod table;

pub use filter::{Filter, StatusFilter};
pub use row::Row;
pub use show::show;
pub use style::{ColorChoice, Style};
pub use summary::{Drops, Summary};
pub use table::{Table, Width};

/// How long something took, in at most six characters: `850µs`, `12ms`, `1.24s`, `3m05s`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "-".to_owned();
    }
    let ms = seconds * 1e3;
    if ms < 1.0 {
        format!("{:.0}µs", ms * 1e3)
    } else if ms < 999.5 {
        format!("{ms:.0}ms")
    } else if seconds < 59.995 {
        format!("{seconds:.2}s")
    } else if seconds < 3_599.5 {
        format!("{:.0}m{:02.0}s", (seconds / 60.0).floor(), seconds % 60.0)
    } else {
        format!("{:.0}h{:02.0}m", (seconds / 3_600.0).floor(), (seconds % 3_600.0) / 60.0)
    }
}

/// A count in at most five characters: `812`, `12.3k`, `4.1M`.
#[must_use]
pub fn count(number: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let float = number as f64;
    match number {
        0..10_000 => number.to_string(),
        10_000..100_000 => format!("{:.1}k", float / 1e3),
        100_000..1_000_000 => format!("{:.0}k", float / 1e3),
        1_000_000..100_000_000 => format!("{:.1}M", float / 1e6),
        _ => format!("{:.1}G", float / 1e9),
    }
}

/// US dollars with the digits that matter: `$0.00012`, `$0.0312`, `$4.20`.
#[must_use]
pub fn dollars(usd: rust_decimal::Decimal) -> String {
    use rust_decimal::Decimal;
    let size = usd.abs();
    let digits = if size.is_zero() {
        return "$0".to_owned();
    } else if size < Decimal::new(1, 3) {
        6
    } else if size < Decimal::new(1, 1) {
        4
    } else if size < Decimal::new(10, 0) {
        3
    } else {
        2
    };
    let rounded = usd.round_dp(digits);
    if rounded.is_zero() {
        format!("<${}", Decimal::new(1, 6))
    } else {
        format!("${rounded:.*}", digits as usize)
    }
}

/// A text from outside made safe for a terminal: control characters (which could move the cursor or change the title) become `·`.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_bidi_control(c) { '·' } else { c }).collect()
}

/// As [`plain`], but line ends and tabs stay.
#[must_use]
pub fn plain_lines(text: &str) -> String {
    text.chars()
        .map(|c| if (c.is_control() && !matches!(c, '\n' | '\t')) || is_bidi_control(c) { '·' } else { c })
        .collect()
}

fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
