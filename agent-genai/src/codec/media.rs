//! Media in messages: data URLs, addresses and bare base64 to message parts.

use crate::call::Part;

/// A part for media given by address: a base64 data URL (RFC 2397) is inline content, anything else an address.
pub(crate) fn from_url(url: &str, modality: &str) -> Part {
    let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(','));
    match inline {
        Some((kind, content)) if kind.ends_with(";base64") => {
            let mime = kind.split(';').next().filter(|mime| !mime.is_empty());
            blob(content, modality, mime)
        }
        _ => Part::Uri { modality: modality.to_owned(), uri: url.to_owned(), mime_type: None },
    }
}

/// Inline media.
pub(crate) fn blob(content: &str, modality: &str, mime_type: Option<&str>) -> Part {
    Part::Blob {
        modality: modality.to_owned(),
        mime_type: mime_type.map(str::to_owned),
        content: content.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_are_inline() {
        assert_eq!(from_url("data:image/png;base64,AAAA", "image"), blob("AAAA", "image", Some("image/png")));
        assert_eq!(
            from_url("https://example.com/a.png", "image"),
            Part::Uri { modality: "image".into(), uri: "https://example.com/a.png".into(), mime_type: None }
        );
    }
}
