//! HAR 1.2 (HTTP Archive), read entry by entry. Its bodies are decoded already.

use std::{collections::HashMap, fmt, io::Read};

use agent_wire::{Headers, RequestHead, ResponseHead, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::recorded::{Recorded, Times, is_tls, nanos};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(rename = "_id")]
    id: Option<Value>,
    connection: Option<Value>,
    started_date_time: Option<String>,
    time: Option<f64>,
    timings: Option<Timings>,
    request: Request,
    response: Option<Response>,
}

#[derive(Deserialize)]
struct Timings {
    send: Option<f64>,
    receive: Option<f64>,
    wait: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    http_version: Option<String>,
    #[serde(default)]
    headers: Vec<Field>,
    post_data: Option<Content>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    status: i64,
    http_version: Option<String>,
    #[serde(default)]
    headers: Vec<Field>,
    content: Option<Content>,
}

#[derive(Deserialize)]
struct Field {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Content {
    text: Option<String>,
    encoding: Option<String>,
}

/// Reads every entry of the archive and hands it on with its index, or what is wrong with it.
///
/// # Errors
/// When the archive is not JSON, or has no `log.entries`.
pub(super) fn read(
    input: impl Read,
    mut each: impl FnMut(usize, Result<Recorded, String>),
) -> Result<(), serde_json::Error> {
    let mut ids = Ids::default();
    let mut handle = |index: usize, value: Value| each(index, entry(value, index, &mut ids));
    let mut deserializer =
        serde_json::Deserializer::from_reader(std::io::BufReader::with_capacity(64 << 10, input));
    Level { key: Some("log"), handle: &mut handle }.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// Ids of entries without `_id`: the connection, with a number from its second entry on; else the index.
#[derive(Default)]
struct Ids {
    seen: HashMap<String, u64>,
}

impl Ids {
    fn choose(&mut self, id: Option<Value>, connection: Option<Value>, index: usize) -> String {
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        if let Some(id) = id {
            return text(id);
        }
        match connection.map(text).filter(|connection| !connection.is_empty()) {
            None => index.to_string(),
            Some(connection) => {
                let count = self.seen.entry(connection.clone()).or_default();
                *count += 1;
                if *count == 1 { connection } else { format!("{connection}#{}", *count - 1) }
            }
        }
    }
}

fn entry(value: Value, index: usize, ids: &mut Ids) -> Result<Recorded, String> {
    let entry: Entry = serde_json::from_value(value).map_err(|error| format!("not a HAR entry: {error}"))?;
    let id = ids.choose(entry.id, entry.connection, index);
    let times = times(entry.started_date_time.as_deref(), entry.time, entry.timings.as_ref());
    let Request { method, url, http_version, headers, post_data } = entry.request;
    let response = match entry.response {
        // 0 is what recorders write when there was no response.
        Some(Response { status, http_version, headers, content }) if status > 0 => Some((
            ResponseHead {
                status: u16::try_from(status).map_err(|_| format!("{status} is no HTTP status"))?,
                version: version(http_version.as_deref()),
                headers: fields(headers),
            },
            body("response.content", content)?,
        )),
        _ => None,
    };
    Ok(Recorded {
        id,
        tls: is_tls(&url),
        request: RequestHead {
            method,
            target: url,
            version: version(http_version.as_deref()),
            headers: fields(headers),
        },
        request_body: body("request.postData", post_data)?,
        response,
        times,
    })
}

fn fields(fields: Vec<Field>) -> Headers {
    let mut headers: Headers = fields.into_iter().map(|field| (field.name, field.value)).collect();
    headers.retain(|name, _| !name.eq_ignore_ascii_case("content-encoding"));
    headers
}

fn version(name: Option<&str>) -> Version {
    match name.map(str::to_ascii_lowercase).as_deref() {
        Some("http/1.0") => Version::Http10,
        Some("h2" | "http/2" | "http/2.0") => Version::Http2,
        _ => Version::Http11,
    }
}

fn body(field: &str, content: Option<Content>) -> Result<Vec<u8>, String> {
    let Some(Content { text: Some(text), encoding }) = content else { return Ok(Vec::new()) };
    match encoding.as_deref() {
        Some(encoding) if encoding.eq_ignore_ascii_case("base64") => {
            STANDARD.decode(text.trim()).map_err(|error| format!("`{field}.text` is not base64: {error}"))
        }
        _ => Ok(text.into_bytes()),
    }
}

/// `time` is the whole in milliseconds; `timings` are its parts, -1 where they do not apply.
fn times(started: Option<&str>, time: Option<f64>, timings: Option<&Timings>) -> Option<Times> {
    let start = nanos(started?.parse::<Timestamp>().ok()?)?;
    let part = |value: Option<f64>| value.filter(|ms| ms.is_finite() && *ms > 0.0).unwrap_or(0.0);
    let total = part(time);
    let receive = part(timings.and_then(|t| t.receive)).min(total);
    let wait = part(timings.and_then(|t| t.wait)).min(total - receive);
    let send = part(timings.and_then(|t| t.send));
    let after = |ms: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and saturating"
        )]
        let nanos = (ms * 1e6).round() as u64;
        start.saturating_add(nanos)
    };
    let response_start = total - receive;
    let request_end = if wait > 0.0 { response_start - wait } else { send.min(response_start) };
    Some(Times {
        start,
        request_end: after(request_end),
        response_start: after(response_start),
        end: after(total),
    })
}

/// Walks down to `log.entries` without holding the archive: `key` is the member looked for at this level, `None` is the list itself.
struct Level<'a> {
    key: Option<&'static str>,
    handle: &'a mut dyn FnMut(usize, Value),
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.key {
            Some(_) => deserializer.deserialize_map(self),
            None => deserializer.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key {
            Some(key) => write!(f, "an object with `{key}`, as HAR 1.2 has it"),
            None => f.write_str("the list of entries of a HAR"),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            if Some(key.as_str()) == self.key && !found {
                found = true;
                let below = if key == "log" { Some("entries") } else { None };
                map.next_value_seed(Level { key: below, handle: &mut *self.handle })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found { Ok(()) } else { Err(serde::de::Error::missing_field(self.key.unwrap_or("entries"))) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(entry) = entries.next_element::<Value>()? {
            (self.handle)(index, entry);
            index += 1;
        }
        Ok(())
    }
}
