//! One call whole: request, response, usage, the arithmetic of its cost, timing, and how much of it was seen.

use std::collections::BTreeMap;
use std::fmt::Write;

use agent_genai::Record;
use agent_genai::record::{CostSource, StatusCode, UsageSource};
use serde_json::Value;

use super::{Row, Style, count, dollars, duration, plain, plain_lines};

/// Attributes that have a section of their own, by prefix or name.
const USAGE: &str = "gen_ai.usage.";
const CONTENT: &[&str] = &[
    "gen_ai.system_instructions",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.tool.definitions",
];

/// The call as text for people, ending with a line end. Everything in the Record is shown, known to this page or not.
#[must_use]
pub fn show(record: &Record, style: Style) -> String {
    let mut page = Page { out: String::new(), style };
    let row = Row::new(record);
    page.line(&style.bold(&plain(&record.name)));
    let outcome = if record.status.code == StatusCode::Error {
        let message = plain(&record.status.message);
        style.red(&if message.is_empty() {
            row.outcome.clone()
        } else {
            format!("{}: {message}", plain(&row.outcome))
        })
    } else {
        style.green(&if row.outcome.is_empty() { "ok".to_owned() } else { plain(&row.outcome) })
    };
    page.field("outcome", &outcome);
    page.field("kind", &plain(&record.kind));
    page.field("trace", &plain(&record.trace_id));
    let parent =
        record.parent_span_id.as_deref().map_or(String::new(), |id| format!(" (child of {})", plain(id)));
    page.field("span", &format!("{}{parent}", plain(&record.span_id)));
    if let Some(exchange) = &record.exchange {
        page.field("exchange", &plain(exchange));
    }

    page.section("Time");
    page.field("start", &plain(&record.start));
    page.field("end", &plain(&record.end));
    if let Some(seconds) = row.duration {
        page.field("took", &duration(seconds));
    }
    if let Some(ttft) = row.ttft {
        page.field("first chunk", &format!("after {}", duration(ttft)));
        if let (Some(total), Some(output)) = (row.duration, row.output.filter(|tokens| *tokens > 1)) {
            let streaming = total - ttft;
            if streaming > 0.0 {
                #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
                let rate = output as f64 / streaming;
                page.field(
                    "then",
                    &format!("{} of streaming, {rate:.1} tokens a second", duration(streaming)),
                );
            }
        }
    }

    let (request, response, other) = split(record);
    page.section("Request");
    page.attributes(&request);
    page.section("Response");
    page.attributes(&response);
    page.usage(record);
    page.cost(record);
    for name in CONTENT {
        if let Some(value) = record.attributes.get(*name) {
            page.section(heading(name));
            page.content(value);
        }
    }
    if !other.is_empty() {
        page.section("Other attributes");
        page.attributes(&other);
    }
    for event in &record.events {
        page.section(&format!("Event {}", plain(&event.name)));
        page.field("time", &plain(&event.time));
        page.attributes(&event.attributes.iter().map(|(k, v)| (k.as_str(), v)).collect());
    }
    if !record.checks.is_empty() {
        page.section("Checks");
        for check in &record.checks {
            let verdict = match check.verdict.as_str() {
                "pass" => style.green("pass"),
                "fail" => style.red("fail"),
                other => style.dim(&plain(other)),
            };
            page.line(&format!(
                "  {verdict}  {}  {} {}",
                plain(&check.name),
                plain(&check.reason),
                plain(&check.path)
            ));
        }
    }
    page.capture(record);
    page.section("Process");
    page.attributes(&record.resource.iter().map(|(k, v)| (k.as_str(), v)).collect());
    page.out
}

type Fields<'a> = BTreeMap<&'a str, &'a Value>;

/// Attributes of the request, of the response, and the rest, without usage and content.
fn split(record: &Record) -> (Fields<'_>, Fields<'_>, Fields<'_>) {
    let (mut request, mut response, mut other) = (Fields::new(), Fields::new(), Fields::new());
    for (name, value) in &record.attributes {
        if name.starts_with(USAGE) || CONTENT.contains(&name.as_str()) {
            continue;
        }
        let target = if name.starts_with("gen_ai.response.")
            || name == "error.type"
            || name.starts_with("http.response.")
        {
            &mut response
        } else if ["gen_ai.", "server.", "http.", "url."].iter().any(|prefix| name.starts_with(prefix)) {
            &mut request
        } else {
            &mut other
        };
        target.insert(name, value);
    }
    (request, response, other)
}

fn heading(name: &str) -> &'static str {
    match name {
        "gen_ai.system_instructions" => "System instructions",
        "gen_ai.input.messages" => "Input",
        "gen_ai.output.messages" => "Output",
        _ => "Tools offered",
    }
}

struct Page {
    out: String,
    style: Style,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn section(&mut self, title: &str) {
        let title = self.style.bold(title);
        self.out.push('\n');
        self.line(&title);
    }

    fn field(&mut self, name: &str, value: &str) {
        let name = self.style.dim(&format!("{name:<14}"));
        self.line(&format!("  {name}{value}"));
    }

    fn attributes(&mut self, fields: &Fields<'_>) {
        let width = fields.keys().map(|name| name.chars().count()).max().unwrap_or(0);
        for (name, value) in fields {
            let name = self.style.dim(&format!("{:<width$}", plain(name)));
            self.line(&format!("  {name}  {}", scalar(value)));
        }
        if fields.is_empty() {
            self.line("  -");
        }
    }

    fn usage(&mut self, record: &Record) {
        let source = match record.usage_source {
            UsageSource::Reported => "reported by the provider",
            UsageSource::Estimated => "estimated from the content",
            UsageSource::Absent => "not reported",
        };
        self.section(&format!("Tokens ({source})"));
        let counts: Vec<(&str, u64)> = record
            .attributes
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(USAGE)?, value.as_u64()?)))
            .collect();
        for (name, number) in &counts {
            let name = self.style.dim(&format!("{:<32}", plain(name)));
            self.line(&format!("  {name}{number:>12}"));
        }
        if counts.is_empty() {
            self.line("  -");
        }
    }

    fn cost(&mut self, record: &Record) {
        let cost = &record.cost;
        let source = match cost.source {
            CostSource::Override => "price from the override file",
            CostSource::Provider => "as the provider reported it",
            CostSource::Table => "price from the built-in table",
            CostSource::None => "no price is known",
        };
        self.section(&format!("Cost ({source})"));
        for line in &cost.lines {
            let price = match line.usd_per_million {
                Some(price) => format!("{:>12}", format!("${}", price.normalize())),
                None => format!("{:>12}", "unknown"),
            };
            let sum = line.usd.map_or("unknown".to_owned(), |usd| format!("${}", usd.normalize()));
            let unit = plain(&line.unit);
            self.line(&format!(
                "  {:<20}{:>12} {unit:<8} × {price} per million = {sum}",
                plain(&line.item),
                line.quantity
            ));
        }
        let total = cost.usd.map_or("unknown".to_owned(), |usd| format!("${}", usd.normalize()));
        let total = self.style.bold(&format!("  {:<20}{total}", "total"));
        self.line(&total);
        if let Some(usd) = cost.provider_usd {
            self.line(&format!("  {:<20}${} ({})", "provider says", usd.normalize(), dollars(usd)));
        }
    }

    fn capture(&mut self, record: &Record) {
        let capture = &record.capture;
        self.section("Capture");
        self.field("source", &plain(&capture.source));
        let complete = if capture.complete { self.style.green("yes") } else { self.style.yellow("no") };
        self.field("complete", &complete);
        self.field("request", &format!("{} bytes", capture.request_bytes));
        self.field("response", &format!("{} bytes", capture.response_bytes));
        if capture.lost_bytes > 0 {
            let text =
                self.style.yellow(&format!("{} bytes ({})", capture.lost_bytes, count(capture.lost_bytes)));
            self.field("lost", &text);
        }
        if capture.truncated {
            self.field("truncated", "ended, or was cut, before its end");
        }
        if capture.attached_mid_stream {
            self.field("attached", "in the middle: the beginning was never seen");
        }
        if let Some(what) = &capture.undecodable {
            self.field("undecodable", &plain(what));
        }
        if record.inferred {
            self.field("inferred", "put together from other calls, not seen");
        }
    }

    /// Messages as `role` lines with their parts below; anything of another shape as JSON.
    fn content(&mut self, value: &Value) {
        let Some(items) = value.as_array() else {
            self.block(&scalar(value));
            return;
        };
        for item in items {
            match (item.get("role").and_then(Value::as_str), item.get("parts").and_then(Value::as_array)) {
                (Some(role), Some(parts)) => {
                    let role = self.style.cyan(&plain(role));
                    self.line(&format!("  {role}"));
                    for part in parts {
                        self.part(part);
                    }
                }
                _ => self.part(item),
            }
        }
    }

    fn part(&mut self, part: &Value) {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        match (kind, part.get("content").and_then(Value::as_str)) {
            ("text", Some(text)) => self.block(text),
            ("reasoning", Some(text)) => {
                self.line(&format!("    {}", self.style.dim("reasoning:")));
                self.block(text);
            }
            _ => {
                let text = serde_json::to_string(part).unwrap_or_default();
                self.block(&text);
            }
        }
    }

    fn block(&mut self, text: &str) {
        for line in plain_lines(text).lines() {
            let _ = writeln!(self.out, "    {line}");
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        other => plain(&other.to_string()),
    }
}
