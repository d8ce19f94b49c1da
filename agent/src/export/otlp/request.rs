//! Export requests as bytes, put together from spans that are encoded already.
//!
//! A span is encoded once, when it enters a queue: the queue's size is then exact, a batch is a concatenation, and a retry
//! sends the same bytes. Field numbers are those of opentelemetry-proto v1 (trace.proto, trace_service.proto).

use std::{collections::HashMap, sync::Arc};

use agent_genai::{Record, record::Attributes};
use bytes::{BufMut, Bytes, BytesMut};
use prost::{Message, encoding};

use super::{
    RecordError, scope,
    span::{resource, span},
};

/// `ExportTraceServiceRequest.resource_spans`
const RESOURCE_SPANS: u32 = 1;
/// `ResourceSpans.resource`
const RESOURCE: u32 = 1;
/// `ResourceSpans.scope_spans`
const SCOPE_SPANS: u32 = 2;
/// `ScopeSpans.scope`
const SCOPE: u32 = 1;
/// `ScopeSpans.spans`
const SPANS: u32 = 2;

/// A span ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct EncodedSpan {
    /// Encoded `Resource`.
    pub(crate) resource: Arc<[u8]>,
    /// Encoded `Span`.
    pub(crate) span: Bytes,
}

impl EncodedSpan {
    /// Bytes that it holds.
    pub(crate) fn len(&self) -> usize {
        self.resource.len() + self.span.len()
    }
}

/// An encoded `Resource`.
fn encode_resource(attributes: &Attributes) -> Arc<[u8]> {
    resource(attributes).encode_to_vec().into()
}

/// Encodes a Record.
pub(crate) fn encode_span(record: &Record) -> Result<EncodedSpan, RecordError> {
    Ok(EncodedSpan {
        resource: encode_resource(&record.resource),
        span: span(record)?.encode_to_vec().into(),
    })
}

/// An encoded `ExportTraceServiceRequest`: one `ResourceSpans` for each distinct resource, in the order of first appearance.
pub(crate) fn trace_request<'a>(spans: impl IntoIterator<Item = &'a EncodedSpan>) -> Bytes {
    let mut groups: Vec<(&[u8], Vec<&[u8]>)> = Vec::new();
    let mut index: HashMap<&[u8], usize> = HashMap::new();
    for item in spans {
        let resource: &[u8] = &item.resource;
        let at = *index.entry(resource).or_insert_with(|| {
            groups.push((resource, Vec::new()));
            groups.len() - 1
        });
        if let Some((_, spans)) = groups.get_mut(at) {
            spans.push(&item.span);
        }
    }
    let scope = scope().encode_to_vec();
    let mut out = BytesMut::new();
    for (resource, spans) in groups {
        let scope_spans = field_len(SCOPE, scope.len())
            + spans.iter().map(|span| field_len(SPANS, span.len())).sum::<usize>();
        let resource_spans = field_len(RESOURCE, resource.len()) + field_len(SCOPE_SPANS, scope_spans);
        out.reserve(field_len(RESOURCE_SPANS, resource_spans));
        put_header(&mut out, RESOURCE_SPANS, resource_spans);
        put_field(&mut out, RESOURCE, resource);
        put_header(&mut out, SCOPE_SPANS, scope_spans);
        put_field(&mut out, SCOPE, &scope);
        for span in spans {
            put_field(&mut out, SPANS, span);
        }
    }
    out.freeze()
}

/// Size of a length-delimited field with its key and length.
fn field_len(tag: u32, len: usize) -> usize {
    encoding::key_len(tag) + encoding::encoded_len_varint(len as u64) + len
}

fn put_header(out: &mut BytesMut, tag: u32, len: usize) {
    encoding::encode_key(tag, encoding::WireType::LengthDelimited, out);
    encoding::encode_varint(len as u64, out);
}

fn put_field(out: &mut BytesMut, tag: u32, content: &[u8]) {
    put_header(out, tag, content.len());
    out.put_slice(content);
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::{
        collector::trace::v1::ExportTraceServiceRequest,
        trace::v1::{ResourceSpans, ScopeSpans},
    };
    use serde_json::json;

    use super::*;
    use crate::export::fixture::record;

    #[test]
    fn the_bytes_are_those_of_the_messages() {
        let mut records = [record(), record(), record()];
        records[1].resource.insert("process.pid".to_owned(), json!(8));
        records[2].span_id = "1111111111111111".to_owned();
        let spans: Vec<EncodedSpan> = records.iter().map(|record| encode_span(record).unwrap()).collect();
        let group = |members: &[usize]| ResourceSpans {
            resource: Some(resource(&records[members[0]].resource)),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope()),
                spans: members.iter().map(|member| span(&records[*member]).unwrap()).collect(),
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        };
        let expected = ExportTraceServiceRequest { resource_spans: vec![group(&[0, 2]), group(&[1])] };
        let request = trace_request(&spans);
        assert_eq!(ExportTraceServiceRequest::decode(request.clone()).unwrap(), expected);
        assert_eq!(request, expected.encode_to_vec());
    }
}
