//! The table of calls, one line a call, printed as they come: widths are fixed, and a field that is too long is cut with `…`.

use jiff::tz::TimeZone;

use super::{Row, Style, count, dollars, duration, plain};

/// How much a line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// What fits on a usual terminal.
    Compact,
    /// Everything.
    Wide,
}

/// Prints rows. Values only, no I/O: the caller writes the lines.
#[derive(Debug, Clone)]
pub struct Table {
    width: Width,
    style: Style,
    zone: TimeZone,
}

enum Align {
    Left,
    Right,
}

impl Table {
    /// A table whose times are shown in `zone`.
    #[must_use]
    pub fn new(width: Width, style: Style, zone: TimeZone) -> Self {
        Self { width, style, zone }
    }

    /// The line above the first row.
    #[must_use]
    pub fn header(&self) -> String {
        let names = self.columns(None).into_iter().map(|(text, width, align)| cell(&text, width, &align));
        self.style.bold(names.collect::<Vec<_>>().join("  ").trim_end())
    }

    /// The line of one call.
    #[must_use]
    pub fn line(&self, row: &Row) -> String {
        let mut line = String::new();
        let columns = self.columns(Some(row));
        let count = columns.len();
        for (index, (text, width, align)) in columns.into_iter().enumerate() {
            if index > 0 {
                line.push_str("  ");
            }
            let padded = cell(&text, width, &align);
            // The last column is not padded, so that a colour does not end in spaces.
            let padded = if index + 1 == count { padded.trim_end() } else { &padded };
            line.push_str(&self.paint(index, padded, row));
        }
        line.trim_end().to_owned()
    }

    /// Columns as (text, width, alignment): of a row, or their names.
    fn columns(&self, row: Option<&Row>) -> Vec<(String, usize, Align)> {
        let wide = self.width == Width::Wide;
        let field = |name: &str, value: &dyn Fn(&Row) -> String| row.map_or_else(|| name.to_owned(), value);
        let tokens_in = |row: &Row| match (row.input, row.cached) {
            (None, _) => "-".to_owned(),
            (Some(input), None) => count(input),
            (Some(input), Some(cached)) => format!("{} ({})", count(input), count(cached)),
        };
        let call = |row: &Row| {
            // Searches and procedures have no model; their spans are named by what they are about.
            if row.model.is_empty() {
                plain(&row.name)
            } else {
                plain(&format!("{} {}", row.operation, row.model))
            }
        };
        let mut columns = vec![
            (field("TIME", &|row| row.time(&self.zone, wide)), if wide { 12 } else { 8 }, Align::Left),
            (field("SERVICE", &|row| or_dash(&row.service)), if wide { 24 } else { 14 }, Align::Left),
        ];
        if wide {
            columns.push((
                field("PID", &|row| row.pid.map_or("-".to_owned(), |pid| pid.to_string())),
                7,
                Align::Right,
            ));
            columns.push((field("PROVIDER", &|row| or_dash(&row.provider)), 14, Align::Left));
        }
        columns.push((field("CALL", &call), if wide { 44 } else { 30 }, Align::Left));
        columns.push((
            field("OUTCOME", &|row| or_dash(&row.outcome)),
            if wide { 24 } else { 14 },
            Align::Left,
        ));
        columns.push((field("IN (CACHED)", &tokens_in), 13, Align::Right));
        columns.push((field("OUT", &|row| row.output.map_or("-".to_owned(), count)), 6, Align::Right));
        columns.push((field("COST", &|row| row.cost.map_or("-".to_owned(), dollars)), 9, Align::Right));
        columns.push((field("TTFT", &|row| row.ttft.map_or("-".to_owned(), duration)), 6, Align::Right));
        columns.push((field("TOOK", &|row| row.duration.map_or("-".to_owned(), duration)), 6, Align::Right));
        if wide {
            columns.push((field("SPAN", &|row| plain(&row.span_id)), 16, Align::Left));
            columns.push((field("SERVER", &|row| or_dash(&row.server)), 28, Align::Left));
        }
        columns.push((field("FLAGS", &|row| row.flags.join(",")), if wide { 40 } else { 24 }, Align::Left));
        columns
    }

    fn paint(&self, index: usize, text: &str, row: &Row) -> String {
        let (call, outcome, flags) = if self.width == Width::Wide { (4, 5, 13) } else { (2, 3, 9) };
        match index {
            0 => self.style.dim(text),
            _ if index == call => self.style.cyan(text),
            _ if index == outcome && row.failed => self.style.red(text),
            _ if index == outcome => self.style.green(text),
            _ if index == flags && !row.flags.is_empty() => self.style.yellow(text),
            _ => text.to_owned(),
        }
    }
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { plain(text) }
}

/// `text` padded or cut to `width` characters.
fn cell(text: &str, width: usize, align: &Align) -> String {
    let length = text.chars().count();
    if length > width {
        let kept: String = text.chars().take(width.saturating_sub(1)).collect();
        return format!("{kept}…");
    }
    match align {
        Align::Left => format!("{text:<width$}"),
        Align::Right => format!("{text:>width$}"),
    }
}
