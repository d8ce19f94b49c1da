//! Compares a call with the facts recorded beside its exchange.

use agent_genai::Call;
use agent_genai::call::{Api, Operation, Part, Rpc};
use serde_json::Value;

use crate::load::Exchange;

/// Facts checked, facts that agree, and the others in words.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) checked: usize,
    pub(crate) agreed: usize,
    pub(crate) disagreements: Vec<String>,
}

impl Tally {
    /// Counts one fact.
    pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
        &mut self,
        place: &str,
        fact: &str,
        expected: &T,
        found: &T,
    ) {
        self.checked += 1;
        if expected == found {
            self.agreed += 1;
        } else {
            self.disagreements.push(format!("{place}: {fact}: expected {expected:?}, found {found:?}"));
        }
    }

    /// Notes a fact that does not hold.
    pub(crate) fn disagree(&mut self, place: &str, what: &str) {
        self.checked += 1;
        self.disagreements.push(format!("{place}: {what}"));
    }
}

/// Checks every fact. `bare` was decoded without content, `full` with it.
pub(crate) fn check(place: &str, exchange: &Exchange, bare: &Call, full: &Call, tally: &mut Tally) {
    let status = exchange.response.as_ref().map(|(head, _)| head.status);
    tally.same(place, "HTTP status", &status, &bare.http.status);
    if let Some(facts) = &exchange.body_facts {
        let undecodable = bare.completeness.undecodable.clone().filter(|_| status < Some(400));
        tally.same(place, "all of it was understood", &None, &undecodable);
        names(place, facts, bare, tally);
        outcome(place, facts, bare, tally);
        // The independent folding reads no usage of rerankings.
        if facts["n_results"].is_null() || facts["usage"].is_object() {
            // Bedrock's headers are the only count of its oldest models.
            let unsaid = facts["usage"].as_object().is_none_or(serde_json::Map::is_empty);
            let headers = &facts["usage_from_headers"];
            usage(place, if unsaid && headers.is_object() { headers } else { &facts["usage"] }, bare, tally);
        }
        tools(place, facts, bare, full, tally);
        if let Some(rpc) = &bare.rpc {
            remote(place, facts, rpc, tally);
        }
    }
    for facts in &exchange.upstream {
        upstream(place, facts, exchange, bare, tally);
        content(place, facts, full, tally);
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A finish reason: a word, or the number that Google's older clients ask for in its place.
fn word(reason: &Value) -> Option<String> {
    match reason.as_u64() {
        Some(1) => Some("STOP".to_owned()),
        Some(2) => Some("MAX_TOKENS".to_owned()),
        _ => text(reason),
    }
}

fn names(place: &str, facts: &Value, call: &Call, tally: &mut Tally) {
    let response = &call.response;
    let pairs = [
        ("response_id", &response.id),
        ("response_model", &response.model),
        ("status", &response.status),
        ("system_fingerprint", &response.system_fingerprint),
        ("service_tier", &response.service_tier),
        ("conversation_id", &call.request.conversation_id),
    ];
    for (fact, found) in pairs {
        if let Some(expected) = text(&facts[fact]) {
            tally.same(place, fact, &Some(expected), found);
        }
    }
    if let Some(count) = facts["n_vectors"].as_u64() {
        tally.same(place, "n_vectors", &Some(count), &response.vector_count);
    }
    if let Some(count) = facts["n_results"].as_u64() {
        let hits = call.retrieval.as_ref().and_then(|retrieval| retrieval.hits);
        tally.same(place, "n_results", &Some(count), &hits);
    }
    // Of Cloudflare's own streams the independent folding counts only the item with the usage.
    let miscounted = call.api == Api::CloudflareRun;
    if call.operation == Operation::CountTokens {
        let counted = facts["totalTokens"].as_u64().or_else(|| facts["input_tokens"].as_u64());
        if counted.is_some() {
            tally.same(place, "counted tokens", &counted, &response.counted_tokens);
        }
    }
    // One item for each chunk. The independent folding does not count chunks that only carry an error.
    if let Some(chunks) = facts["chunks"].as_u64().filter(|_| call.error.is_none() && !miscounted) {
        tally.same(
            place,
            "chunks",
            &chunks,
            &(call.timing.chunk_gaps.count + u64::from(call.timing.first_chunk.is_some())),
        );
    }
}

fn outcome(place: &str, facts: &Value, call: &Call, tally: &mut Tally) {
    if let Some(reasons) = facts["finish_reasons"].as_array() {
        // A choice without a reason is told as `error` when the answer failed, and left out otherwise.
        let failed = call.error.is_some();
        let expected: Vec<String> = reasons
            .iter()
            .filter_map(|reason| word(reason).or_else(|| failed.then(|| "error".to_owned())))
            .collect();
        tally.same(place, "finish_reasons", &expected, &call.response.finish_reasons);
    }
    let reason = match (facts["status"].as_str(), facts["incomplete_reason"].as_str()) {
        (Some("incomplete"), Some("max_output_tokens")) => Some("length"),
        (Some("incomplete"), Some(reason)) => Some(reason),
        (Some("completed"), _) if has_client_call(facts) => Some("tool_calls"),
        (Some("completed"), _) => Some("stop"),
        _ => None,
    };
    if let Some(reason) = reason.filter(|_| call.operation == Operation::Chat) {
        tally.same(place, "finish reason by status", &vec![reason.to_owned()], &call.response.finish_reasons);
    }
    // A tool that failed is told by its result.
    let failed = facts["error"] == true || facts["is_error"] == true;
    tally.same(place, "failed", &failed, &call.error.is_some());
    if let (true, Some(error)) = (facts["error"] == true, &call.error) {
        let status = call.http.status.filter(|status| *status >= 400).map(|status| status.to_string());
        let word = |value: &Value| text(value).or_else(|| value.as_u64().map(|code| code.to_string()));
        let said: Vec<String> =
            [word(&facts["error_code"]), word(&facts["error_type"])].into_iter().flatten().collect();
        let kind = error.kind.replace('_', " ");
        let known =
            said.iter().any(|word| word.replace('_', " ") == kind) || status.as_ref() == Some(&error.kind);
        // A word from a member that the independent folding does not read is better than the number.
        let better = said.iter().all(|word| word.parse::<u16>().is_ok());
        tally.same(place, &format!("error.type {} of {said:?}", error.kind), &true, &(known || better));
        if let Some(head) = text(&facts["message_head"]) {
            let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            let cut = error.message.contains("[redacted]");
            tally.same(
                place,
                &format!("message {:?} begins {head:?}", error.message),
                &true,
                &(cut || error.message.starts_with(&line(&head))),
            );
        }
    }
}

/// Facts of a remote procedure call.
fn remote(place: &str, facts: &Value, rpc: &Rpc, tally: &mut Tally) {
    let word = |value: &Value| text(value).or_else(|| value.as_i64().map(|number| number.to_string()));
    let names = |value: &Value| value.as_array().map(|all| all.iter().filter_map(text).collect::<Vec<_>>());
    let pairs = [
        ("rpc_id", rpc.request_id.clone()),
        ("error_code", rpc.status_code.map(|code| code.to_string())),
        ("result_type", rpc.result_type.clone()),
        ("server_name", rpc.server.as_ref().map(|(name, _)| name.clone())),
        ("protocol_version", rpc.protocol_version.clone()),
    ];
    for (fact, found) in pairs {
        if let Some(expected) = word(&facts[fact]) {
            tally.same(place, fact, &Some(expected), &found);
        }
    }
    if let Some(expected) = names(&facts["tools"]) {
        tally.same(place, "tools", &expected, &rpc.tools_listed);
    }
    if let Some(mut expected) = names(&facts["content_types"]) {
        expected.dedup();
        tally.same(place, "content_types", &expected, &rpc.content_types);
    }
    if let Some(expected) = facts["structured"].as_bool() {
        tally.same(place, "structured", &expected, &rpc.structured);
    }
    if let Some(expected) = facts["notifications"].as_array() {
        let count = u64::try_from(expected.len()).ok();
        tally.same(place, "notifications", &count, &rpc.messages.map(|(_, received)| received));
    }
}

fn has_client_call(facts: &Value) -> bool {
    let client = [
        "function_call",
        "custom_tool_call",
        "computer_call",
        "local_shell_call",
        "apply_patch_call",
        "mcp_approval_request",
    ];
    let types = facts["output_types"].as_array().into_iter().flatten();
    types.filter_map(Value::as_str).any(|kind| client.contains(&kind))
}

/// Recorded counts are as reported; the call's are summed by the conventions.
fn usage(place: &str, facts: &Value, call: &Call, tally: &mut Tally) {
    if call.operation == Operation::FetchResponse {
        tally.same(place, "usage of a fetch", &false, &call.usage.is_reported());
        return;
    }
    let reported = |key: &str| facts[key].as_u64();
    let found = &call.usage;
    let (read, written) = (reported("cache_read"), reported("cache_write"));
    let input = reported("input").or_else(|| reported("total"));
    let input = match call.api {
        Api::AnthropicMessages => input.map(|input| input + read.unwrap_or(0) + written.unwrap_or(0)),
        // Apart at Bedrock, too, whichever body; bodies in OpenAI's form contain them, and their total says so.
        Api::BedrockConverse | Api::BedrockInvoke
            if reported("total")
                .is_none_or(|total| total != input.unwrap_or(0) + reported("output").unwrap_or(0)) =>
        {
            input.map(|input| input + read.unwrap_or(0) + written.unwrap_or(0))
        }
        // What the provider's own tools put before the model is counted beside the prompt.
        Api::Gemini | Api::Interactions | Api::GeminiLive => {
            input.map(|input| input + reported("tool_use_input").unwrap_or(0))
        }
        _ => input,
    };
    let reasoning = reported("reasoning");
    let apart = reported("total").zip(reported("input")).zip(reported("output")).is_some_and(
        |((total, input), output)| {
            reasoning.is_some_and(|reasoning| reasoning > 0 && total == input + output + reasoning)
        },
    );
    let output =
        reported("output").map(|output| if apart { output + reasoning.unwrap_or(0) } else { output });
    // Gemini counts thoughts beside the candidates. Its last chunk leaves out a count of 0 candidates, and the independent folding then
    // keeps that of a chunk before; the total tells what holds.
    let output = match (call.api, reported("total").zip(input)) {
        (Api::Gemini, Some((total, input))) => total.checked_sub(input).or(output),
        (Api::Gemini, None) => reported("output").map(|output| output + reasoning.unwrap_or(0)),
        _ => output,
    };
    let within =
        |part: Option<u64>, whole: Option<u64>| part.map(|part| whole.map_or(part, |whole| part.min(whole)));
    let pairs = [
        ("input", input, found.input),
        ("output", output, found.output),
        ("cache_read", within(read, input), found.cache_read),
        ("cache_write", written, found.cache_write),
        ("cache_write_5m", reported("cache_write_5m"), found.cache_write_5m),
        ("cache_write_1h", reported("cache_write_1h"), found.cache_write_1h),
        ("reasoning", within(reasoning, output), found.reasoning),
        ("audio_in", reported("audio_in"), found.audio_input),
        ("audio_out", reported("audio_out"), found.audio_output),
        ("deepseek_hit", reported("deepseek_hit"), found.cache_read),
    ];
    for (fact, expected, found) in pairs {
        if expected.is_some() {
            tally.same(place, fact, &expected, &found);
        }
    }
    // The independent folding reads no usage of Gemini's embeddings.
    let read = call.api != Api::GeminiEmbeddings;
    if read && (facts.is_null() || facts.as_object().is_some_and(serde_json::Map::is_empty)) {
        tally.same(place, "no usage", &false, &found.is_reported());
    }
    if let Some(cost) = facts["cost"].as_f64() {
        let found = found.provider_usd.and_then(|usd| usd.to_string().parse().ok());
        tally.same(place, "cost", &Some(cost), &found);
    }
}

fn tools(place: &str, facts: &Value, bare: &Call, full: &Call, tally: &mut Tally) {
    let Some(expected) = facts["tool_calls"].as_array() else { return };
    // Mistral writes the word null where it has no id.
    let expected: Vec<_> = expected
        .iter()
        .map(|call| (text(&call["id"]).filter(|id| id != "null"), text(&call["name"])))
        .collect();
    for (call, how) in [(bare, "without content"), (full, "with content")] {
        let mut found: Vec<_> =
            call.response.tool_calls.iter().map(|call| (call.id.clone(), call.name.clone())).collect();
        let mut missing = Vec::new();
        for (id, name) in &expected {
            // The independent folding knows neither id nor name of some hosted calls.
            let same = |call: &(Option<String>, String)| {
                (id.is_none() || *id == call.0) && name.as_ref().is_none_or(|name| *name == call.1)
            };
            match found.iter().position(same) {
                Some(at) => drop(found.remove(at)),
                None => missing.push((id, name)),
            }
        }
        tally.same(place, &format!("tool_calls {how}, others found {found:?}"), &Vec::new(), &missing);
        let hosted = |kind: &str| {
            !matches!(kind, "function" | "custom" | "tool_use" | "function_call" | "custom_tool_call")
        };
        let surplus = call.response.tool_calls.iter().filter(|call| !hosted(&call.kind)).count();
        tally.same(place, "no more client calls than recorded", &true, &(surplus <= expected.len()));
    }
}

/// Facts of upstream tests, as far as they are told in terms of the wire.
fn upstream(place: &str, facts: &Value, exchange: &Exchange, call: &Call, tally: &mut Tally) {
    let fetch = call.operation == Operation::FetchResponse;
    let number = |value: &Value| value.as_u64();
    let sources = [
        (
            &facts["usage_pydantic_ai"],
            [
                ("input_tokens", call.usage.input),
                ("output_tokens", call.usage.output),
                ("cache_read_tokens", call.usage.cache_read),
                ("cache_write_tokens", call.usage.cache_write),
            ],
        ),
        (
            &facts["ddtrace_metrics"],
            [
                ("input_tokens", call.usage.input),
                ("output_tokens", call.usage.output),
                ("cache_read_input_tokens", call.usage.cache_read),
                ("reasoning_output_tokens", call.usage.reasoning),
            ],
        ),
        (
            &facts["attributes"],
            [
                ("gen_ai.usage.input_tokens", call.usage.input),
                ("gen_ai.usage.output_tokens", call.usage.output),
                ("llm.token_count.prompt", call.usage.input),
                ("llm.token_count.completion", call.usage.output),
            ],
        ),
    ];
    // Upstream makes a span of each inference that an agent's trace tells of, and asserts the counts of one; ours is the whole answer.
    let inner = call.api == Api::BedrockAgent;
    for (source, pairs) in sources {
        for (key, found) in pairs {
            if let Some(expected) = number(&source[key]).filter(|_| !fetch && !inner) {
                tally.same(place, key, &Some(expected), &found);
            }
        }
    }
    let attributes = &facts["attributes"];
    for (key, found) in
        [("gen_ai.response.id", &call.response.id), ("gen_ai.request.model", &call.request.model)]
    {
        if let Some(expected) = text(&attributes[key]) {
            // Upstream cuts the vendor and the version off Bedrock's model ids.
            let bedrock = call.provider.starts_with("aws.") && key == "gen_ai.request.model";
            let cut = found.as_ref().filter(|found| bedrock && found.contains(&expected));
            let expected = cut.cloned().unwrap_or(expected);
            tally.same(place, key, &Some(expected), found);
        }
    }
    // Settings that the upstream client held but did not send are no facts of the wire.
    let request = String::from_utf8_lossy(&exchange.request.1);
    let sent = |key: &str| request.contains(&format!("\"{}\"", key.rsplit('.').next().unwrap_or_default()));
    for (key, found) in [
        ("gen_ai.request.temperature", call.request.temperature),
        ("gen_ai.request.top_p", call.request.top_p),
    ] {
        if let Some(expected) = attributes[key].as_f64().filter(|_| sent(key)) {
            tally.same(place, key, &Some(expected), &found);
        }
    }
    for (key, found) in
        [("gen_ai.request.max_tokens", call.request.max_tokens), ("gen_ai.request.seed", call.request.seed)]
    {
        if let Some(expected) = attributes[key].as_i64().filter(|_| sent(key)) {
            tally.same(place, key, &Some(expected), &found);
        }
    }
}

/// What the answer said and asked for, with content kept.
fn content(place: &str, facts: &Value, full: &Call, tally: &mut Tally) {
    let parts = || full.response.messages.iter().flat_map(|message| &message.parts);
    if let Some(expected) = text(&facts["text"]) {
        let said: Vec<&str> = parts()
            .filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None })
            .collect();
        // Upstream cuts long texts, trims, and tells the pieces between tool calls apart.
        let head: String = expected.chars().take(40).collect();
        tally.same(place, &format!("text {head:?} in {said:?}"), &true, &said.concat().contains(head.trim()));
    }
    // Of a failed generation the upstream client makes a call of its own; the wire has none.
    let calls = facts["tool_calls"].as_array().into_iter().flatten();
    for call in calls.filter(|call| call["kind"] == "ToolCallPart" && full.error.is_none()) {
        let arguments = match &call["args"] {
            Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
            other => other.clone(),
        };
        let same = |part: &Part| match part {
            Part::ToolCall(found) => {
                let argued = arguments.is_null() || found.arguments.as_ref() == Some(&arguments);
                call["tool_name"] == found.name.as_str() && argued
            }
            _ => false,
        };
        tally.same(place, &format!("tool call {call}"), &true, &parts().any(same));
    }
}
