//! Reads recorded exchanges.

use std::path::Path;

use agent_wire::{Headers, RequestHead, ResponseHead, Version};
use base64::Engine;
use serde_json::Value;

/// One recorded exchange.
pub(crate) struct Exchange {
    /// Its id.
    pub(crate) id: String,
    /// Request head and body.
    pub(crate) request: (RequestHead, Vec<u8>),
    /// Response head and body.
    pub(crate) response: Option<(ResponseHead, Vec<u8>)>,
    /// Facts folded from the body by other means.
    pub(crate) body_facts: Option<Value>,
    /// Facts asserted by upstream tests.
    pub(crate) upstream: Vec<Value>,
}

/// Every exchange of a file.
pub(crate) fn file(path: &Path) -> Vec<Exchange> {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()));
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| exchange(&serde_json::from_str(line).unwrap()))
        .collect()
}

fn exchange(line: &Value) -> Exchange {
    let plain = line["content_encoding_state"] == "already-removed";
    let request = &line["request"];
    let url = request["url"].as_str().unwrap();
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, target) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let mut fields = headers(&request["headers"], false);
    fields.retain(|name, _| !name.eq_ignore_ascii_case("host"));
    fields.push("host", authority);
    let head = RequestHead {
        method: request["method"].as_str().unwrap().to_owned(),
        target: target.to_owned(),
        version: Version::Http11,
        headers: fields,
    };
    let response = line["response"].as_object().map(|response| {
        let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
        let head =
            ResponseHead { status, version: Version::Http11, headers: headers(&response["headers"], plain) };
        (head, body(&response["body_b64"]))
    });
    let expected = &line["expected"];
    Exchange {
        id: line["id"].as_str().unwrap().to_owned(),
        request: (head, body(&request["body_b64"])),
        response,
        body_facts: [expected, &line["expected_body"]].into_iter().find(|facts| facts.is_object()).cloned(),
        upstream: expected.as_array().cloned().unwrap_or_default(),
    }
}

fn headers(fields: &Value, plain: bool) -> Headers {
    let fields = fields.as_object().into_iter().flatten();
    let each = fields
        .flat_map(|(name, values)| values.as_array().into_iter().flatten().map(move |value| (name, value)));
    // Transfer coding is always removed by the recorders, content coding sometimes.
    each.filter(|(name, _)| !name.eq_ignore_ascii_case("transfer-encoding"))
        .filter(|(name, _)| !(plain && name.eq_ignore_ascii_case("content-encoding")))
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

fn body(value: &Value) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap_or_default()).unwrap()
}
