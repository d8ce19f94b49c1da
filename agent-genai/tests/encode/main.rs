//! Round trips: what is read, written and read again is the same normal form, unless a loss is reported; and what a form has once
//! expressed it expresses again without any.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure is a failed test")]

#[path = "../corpus/load.rs"]
#[expect(dead_code, reason = "the facts are another test's")]
mod load;
mod made;
#[path = "../sink/mod.rs"]
mod sink;

use std::collections::BTreeMap;
use std::path::PathBuf;

use agent_genai::call::{Request, Usage};
use agent_genai::encode::{self, Form, RequestBody, normal};
use agent_genai::{Call, Decoder, DecoderOptions};
use agent_wire::{Headers, Limits, RequestHead, ResponseHead, Version, replay};
use sink::Calls;

/// Reads an exchange with content.
fn decode(request: &RequestBody, response: Option<(&str, &[u8])>) -> Call {
    let decoder = Decoder::new(DecoderOptions { content: true, ..DecoderOptions::default() });
    let mut sink = Calls::new(&decoder);
    let head = RequestHead {
        method: "POST".to_owned(),
        target: request.path.clone(),
        version: Version::Http11,
        headers: [("content-type", "application/json"), ("anthropic-version", "2023-06-01")]
            .into_iter()
            .collect(),
    };
    let answer = response.map(|(kind, body)| {
        let headers: Headers = [("content-type", kind)].into_iter().collect();
        (ResponseHead { status: 200, version: Version::Http11, headers }, body)
    });
    let body = request.body.to_string().into_bytes();
    replay((&head, &body), answer.as_ref().map(|(head, body)| (head, *body)), Limits::default(), &mut sink);
    sink.calls.pop().unwrap_or_else(|| panic!("no call of {} {}", request.path, request.body))
}

/// A request that goes with any answer.
fn asking(form: Form) -> RequestBody {
    encode::request(form, &made::asking()).value
}

fn read_response(form: Form, call: &Call, streamed: bool) -> (Call, Vec<encode::Loss>) {
    if streamed {
        let written = encode::stream(form, call);
        let request = encode::request(form, &Request { stream: true, ..made::asking() }).value;
        return (decode(&request, Some((form.stream_media_type(), &written.value))), written.losses);
    }
    let written = encode::response(form, call);
    (decode(&asking(form), Some(("application/json", written.value.to_string().as_bytes()))), written.losses)
}

/// Losses that concern one field and leave all others to be compared: the end of what they name, and the field.
const OF_ONE_FIELD: &[(&str, &str)] = &[
    ("id of the response", "id"),
    ("model of the response", "model"),
    ("no bound on the output", "max_tokens"),
    ("seed", "seed"),
    ("top_k", "top_k"),
    ("stop sequences", "stop"),
    ("reasoning budget", "reasoning_budget"),
    ("metadata", "metadata"),
    ("guardrail", "guardrail"),
    ("service tier", "service_tier"),
    ("user", "user"),
    ("name and strictness of the schema", "response_format"),
    ("strictness of the schema", "response_format"),
    ("parallel_tool_calls", "parallel_tool_calls"),
    ("tokens", "usage"),
    ("cache writes", "usage"),
    ("split of cache writes by age", "usage"),
    ("cost that the provider reports", "usage"),
    ("number of web searches", "usage"),
    ("correction of counts", "usage"),
    ("units other than tokens", "usage"),
];

/// Fields that need not be the same; `None` when a loss concerns more than one field.
fn excused(losses: &[encode::Loss]) -> Option<Vec<&'static str>> {
    let field = |loss: &encode::Loss| {
        OF_ONE_FIELD.iter().find(|(end, _)| loss.what.ends_with(end)).map(|(_, field)| *field)
    };
    losses.iter().map(field).collect()
}

/// What must survive of a request.
fn request_facts(request: &Request, excused: &[&str]) -> String {
    // The trace context is the header's.
    let mut facts = Request { traceparent: None, ..normal::request(request) };
    for field in excused {
        match *field {
            "max_tokens" => facts.max_tokens = None,
            "seed" => facts.seed = None,
            "top_k" => facts.top_k = None,
            "stop" => facts.stop.clear(),
            "reasoning_budget" => facts.reasoning_budget = None,
            "metadata" => facts.metadata.clear(),
            "guardrail" => facts.guardrail = None,
            "service_tier" => facts.service_tier = None,
            "user" => facts.user = None,
            "parallel_tool_calls" => facts.parallel_tool_calls = None,
            "response_format" => {
                if let Some(format) = &mut facts.response_format {
                    (format.name, format.strict) = (None, None);
                }
            }
            _ => {}
        }
    }
    format!("{facts:#?}")
}

/// What must survive of an answer.
fn response_facts(call: &Call, excused: &[&str]) -> String {
    let call = normal::call(call);
    let response = &call.response;
    let unless = |field: &str, text: String| if excused.contains(&field) { String::new() } else { text };
    // A choice without a word is no message in some forms.
    let spoken = response.messages.iter().filter(|message| !message.parts.is_empty());
    let parts: Vec<_> = spoken.map(|message| (&message.parts, &message.finish_reason)).collect();
    let Usage {
        input,
        output,
        cache_read,
        cache_write,
        cache_write_5m,
        cache_write_1h,
        reasoning,
        audio_input,
        audio_output,
        ..
    } = &call.usage;
    let split = (cache_write, cache_write_5m, cache_write_1h, reasoning, audio_input, audio_output);
    format!(
        "{}\n{}\n{parts:#?}\n{:#?}\n{}",
        unless("id", format!("{:?}", response.id)),
        unless("model", format!("{:?}", response.model)),
        (input, output, cache_read),
        unless("usage", format!("{split:#?}")),
    )
}

/// The first lines that differ.
fn difference(a: &str, b: &str) -> String {
    let at = a.lines().zip(b.lines()).position(|(a, b)| a != b).unwrap_or_default();
    let around = |text: &str| {
        text.lines().skip(at.saturating_sub(2)).take(5).map(str::trim).collect::<Vec<_>>().join(" ")
    };
    format!("{} != {}", around(a), around(b))
}

#[derive(Default)]
struct Row {
    calls: usize,
    lossless: usize,
    losses: BTreeMap<String, usize>,
}

impl Row {
    fn note(&mut self, losses: &[encode::Loss]) {
        self.calls += 1;
        self.lossless += usize::from(losses.is_empty());
        for loss in losses {
            *self.losses.entry(loss.what.clone()).or_default() += 1;
        }
    }
}

/// Checks one call in one form; gives the losses of request and answer.
fn check(place: &str, form: Form, call: &Call, wrong: &mut Vec<String>) -> Vec<encode::Loss> {
    let mut all = Vec::new();
    // The request.
    let written = encode::request(form, &call.request);
    let again = decode(&written.value, None);
    if let Some(excused) = excused(&written.losses) {
        let (before, after) =
            (request_facts(&call.request, &excused), request_facts(&again.request, &excused));
        if before != after {
            wrong.push(format!("{place}: request in {form:?}: {}", difference(&before, &after)));
        }
    }
    // What the form holds it can write again.
    let second = encode::request(form, &again.request);
    if let Some(excused) = excused(&second.losses) {
        let third = decode(&second.value, None);
        let (after, third) =
            (request_facts(&again.request, &excused), request_facts(&third.request, &excused));
        if third != after {
            wrong.push(format!("{place}: request in {form:?}, again: {}", difference(&after, &third)));
        }
    }
    all.extend(written.losses);
    // The answer, whole and streamed.
    if call.error.is_some() || call.response.messages.is_empty() {
        return all;
    }
    for streamed in [false, true] {
        let (again, losses) = read_response(form, call, streamed);
        let (third, losses_again) = read_response(form, &again, streamed);
        for (how, before, after, losses) in
            [("", call, &again, &losses), (", again", &again, &third, &losses_again)]
        {
            let Some(excused) = excused(losses) else { continue };
            let (before, after) = (response_facts(before, &excused), response_facts(after, &excused));
            if before != after {
                let what = difference(&before, &after);
                wrong.push(format!("{place}: answer in {form:?}, streamed {streamed}{how}: {what}"));
            }
        }
        all.extend(losses);
    }
    all
}

#[test]
fn recorded_calls_in_every_form() {
    let Some(folder) = std::env::var_os("WIRESPAN_CORPUS").map(PathBuf::from) else {
        eprintln!("skipped: WIRESPAN_CORPUS names no folder of recorded exchanges");
        return;
    };
    let sources = ["chat.completions", ".responses", "anthropic.messages", "enerateContent", "converse"];
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut wrong = Vec::new();
    let mut rows: BTreeMap<(&str, String), Row> = BTreeMap::new();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(source) = sources.iter().find(|source| name.contains(*source)) else { continue };
        for exchange in load::file(&path) {
            let decoder = Decoder::new(DecoderOptions { content: true, ..DecoderOptions::default() });
            let mut sink = Calls::new(&decoder);
            let response = exchange.response.as_ref().map(|(head, body)| (head, body.as_slice()));
            replay((&exchange.request.0, &exchange.request.1), response, Limits::default(), &mut sink);
            let Some(mut call) = sink.calls.pop().filter(|call| !call.request.messages.is_empty()) else {
                continue;
            };
            call.request.model.get_or_insert_with(|| "m-1".to_owned());
            for form in Form::ALL {
                let losses = check(&format!("{name} {}", exchange.id), form, &call, &mut wrong);
                rows.entry((source, format!("{form:?}"))).or_default().note(&losses);
            }
        }
    }
    eprintln!(
        "| read from | written as | calls | without loss | most frequent losses |\n|---|---|---:|---:|---|"
    );
    for ((source, form), row) in &rows {
        let mut losses: Vec<_> = row.losses.iter().collect();
        losses.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let losses: Vec<String> =
            losses.iter().take(4).map(|(what, count)| format!("{what} ({count})")).collect();
        eprintln!("| {source} | {form} | {} | {} | {} |", row.calls, row.lossless, losses.join(", "));
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn made_calls_survive_where_nothing_is_lost() {
    let mut wrong = Vec::new();
    let mut lossless = 0;
    for (name, call) in made::calls() {
        for form in Form::ALL {
            lossless += usize::from(check(name, form, &call, &mut wrong).is_empty());
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(lossless >= 10, "{lossless} of the made calls are written without loss");
}

#[test]
fn what_cannot_be_expressed_is_reported() {
    let request = Request { seed: Some(1), stop: vec!["x".into()], top_k: Some(3), ..made::asking() };
    let losses = |form| {
        let list = encode::request(form, &request).losses;
        list.into_iter().map(|loss| loss.what).collect::<Vec<_>>()
    };
    assert_eq!(losses(Form::OpenAiChat), ["top_k"]);
    assert_eq!(losses(Form::OpenAiResponses), ["seed", "top_k", "stop sequences"]);
    assert_eq!(losses(Form::Anthropic), ["seed"]);
    assert!(losses(Form::Gemini).is_empty());
    assert_eq!(losses(Form::BedrockConverse), ["seed"]);
}

#[test]
fn errors_are_read_as_errors_of_the_form() {
    let failure =
        agent_genai::call::CallError { kind: "rate_limit_error".into(), message: "slow down".into() };
    for form in Form::ALL {
        let body = encode::error(form, &failure, 429).to_string();
        let decoder = Decoder::new(DecoderOptions::default());
        let mut sink = Calls::new(&decoder);
        let request = asking(form);
        let head = RequestHead {
            method: "POST".to_owned(),
            target: request.path,
            version: Version::Http11,
            headers: [("content-type", "application/json")].into_iter().collect(),
        };
        let answer = ResponseHead {
            status: 429,
            version: Version::Http11,
            headers: [("content-type", "application/json")].into_iter().collect(),
        };
        replay(
            (&head, request.body.to_string().as_bytes()),
            Some((&answer, body.as_bytes())),
            Limits::default(),
            &mut sink,
        );
        let call = sink.calls.pop().unwrap();
        assert_eq!(call.error.unwrap().message, "slow down", "{form:?}");
    }
}
