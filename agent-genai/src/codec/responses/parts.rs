//! Content parts of the Responses API's messages.

use serde_json::Value;

use crate::call::Part;
use crate::codec::content::generic;
use crate::codec::{json, media};

/// The content of a message: a string, or a list of typed parts.
pub(super) fn content(content: &Value) -> Vec<Part> {
    match content {
        Value::String(text) => vec![Part::Text(text.clone())],
        Value::Array(parts) => parts.iter().filter_map(part).collect(),
        Value::Object(_) => part(content).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn part(part: &Value) -> Option<Part> {
    let kind =
        json::str_at(part, &["type"]).unwrap_or_else(|| if part.get("text").is_some() { "text" } else { "" });
    match kind {
        "input_text" | "output_text" | "text" => {
            json::str_at(part, &["text"]).map(|text| Part::Text(text.to_owned()))
        }
        "reasoning_text" | "summary_text" => {
            json::str_at(part, &["text"]).map(|text| Part::Reasoning(text.to_owned()))
        }
        "refusal" => refusal(part),
        "input_image" | "image_url" | "computer_screenshot" => Some(image(part)),
        "input_video" | "video_url" => Some(
            address(part, "video_url")
                .map_or_else(|| generic(kind, part), |url| media::from_url(url, "video")),
        ),
        "input_file" | "file" => Some(file(part)),
        "input_audio" | "output_audio" => Some(audio(kind, part)),
        _ if part.is_object() => Some(generic(kind, part)),
        _ => None,
    }
}

/// The model's words of refusal. The conventions have no part for them.
pub(super) fn refusal(part: &Value) -> Option<Part> {
    let text = json::str_at(part, &["refusal"]).filter(|text| !text.is_empty())?;
    Some(refusal_part(text))
}

/// A refusal as a part.
pub(super) fn refusal_part(text: &str) -> Part {
    Part::Generic {
        kind: "refusal".to_owned(),
        value: serde_json::json!({"type": "refusal", "refusal": text}),
    }
}

/// An address under a key, as text or (chat-shaped servers) in an object: `{"image_url": {"url": …}}`.
fn address<'a>(part: &'a Value, key: &str) -> Option<&'a str> {
    json::str_at(part, &[key]).or_else(|| json::str_at(part, &[key, "url"]))
}

fn image(part: &Value) -> Part {
    if let Some(address) = address(part, "image_url") {
        return media::from_url(address, "image");
    }
    match json::str_at(part, &["file_id"]) {
        Some(id) => Part::File { modality: "image".to_owned(), file_id: id.to_owned(), mime_type: None },
        None => generic("input_image", part),
    }
}

fn file(part: &Value) -> Part {
    let nested = part.get("file").filter(|file| file.is_object()).unwrap_or(part);
    if let Some(id) = json::str_at(nested, &["file_id"]) {
        return Part::File { modality: "document".to_owned(), file_id: id.to_owned(), mime_type: None };
    }
    if let Some(address) = json::str_at(nested, &["file_url"]) {
        return media::from_url(address, "document");
    }
    match json::str_at(nested, &["file_data"]) {
        // `file_data` may be a data URL or bare base64.
        Some(data) if data.starts_with("data:") => media::from_url(data, "document"),
        Some(data) => media::blob(data, "document", None),
        None => generic("input_file", part),
    }
}

fn audio(kind: &str, part: &Value) -> Part {
    let nested = part.get("input_audio").filter(|audio| audio.is_object()).unwrap_or(part);
    let Some(data) = json::str_at(nested, &["data"]) else { return generic(kind, part) };
    let mime = json::str_at(nested, &["format"]).map(|format| match format {
        "mp3" => "audio/mpeg".to_owned(),
        format if format.starts_with("audio/") => format.to_owned(),
        format => format!("audio/{format}"),
    });
    media::blob(data, "audio", mime.as_deref())
}
