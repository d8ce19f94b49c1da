//! Bedrock agents, inline agents and flows: what was asked and answered, and the tokens of every inference that a trace tells of.
//!
//! Traces come only when they were asked for. Without them no tokens are reported, and none are made up.

use agent_wire::ResponseHead;
use serde_json::{Map, Value, json};

use super::{AGENT_HOST, document, unpacked};
use crate::call::{Api, Call, Operation, ToolCall};
use crate::codec::answers::Answers;
use crate::codec::aws::{Counts, Told};
use crate::codec::completions::said;
use crate::codec::retrieval::segment_after;
use crate::codec::spec::{Make, Row, Spec};
use crate::codec::{Codec, CodecOptions, RequestFacts, error, json};

/// Most steps noted of one answer.
const MAX_STEPS: usize = 256;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("agents/*/agentAliases/*/sessions/*/text", Operation::InvokeAgent),
        // Inline agents: the segment is the session.
        Row::certain("agents/*", Operation::InvokeAgent).at(AGENT_HOST),
        Row::certain("flows/*/aliases/*", Operation::InvokeAgent).at(AGENT_HOST),
    ],
    packed: true,
    ..Spec::new(
        Api::BedrockAgent,
        Operation::InvokeAgent,
        "aws.bedrock",
        Make::Codec(|options| Box::new(Agent::new(options))),
    )
};

/// Folds one exchange.
pub(crate) struct Agent {
    answers: Answers,
    counts: Counts,
    told: Told,
    /// The model of the inferences so far, as long as it is one.
    model: Option<String>,
    mixed: bool,
    /// What the agent did by the traces.
    steps: Vec<ToolCall>,
    answered: bool,
}

impl Agent {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self {
            answers: Answers::new(options),
            counts: Counts::default(),
            told: Told::default(),
            model: None,
            mixed: false,
            steps: Vec::new(),
            answered: false,
        }
    }

    fn text(&mut self, text: Option<&str>) {
        self.answered = true;
        if let Some(mut slot) = self.answers.slot(0) {
            slot.text(text);
        }
    }

    /// One trace: an object by its kind (`orchestrationTrace`, `preProcessingTrace`, `routingClassifierTrace` …), which holds one step.
    fn trace(&mut self, trace: &Value, call: &mut Call) {
        for (kind, step) in trace.as_object().into_iter().flatten() {
            if let Some(usage) = json::at(step, &["modelInvocationOutput", "metadata", "usage"]) {
                self.counts.add(&Counts::of_usage(usage));
            }
            if let Some(model) = json::str_at(step, &["modelInvocationInput", "foundationModel"]) {
                self.mixed |= self.model.as_deref().is_some_and(|known| known != model);
                self.model = Some(model.to_owned());
            }
            if kind == "guardrailTrace" {
                let intervened = json::str_at(step, &["action"]) == Some("INTERVENED");
                call.response.flagged = Some(intervened || call.response.flagged == Some(true));
            }
            if let Some(mut slot) = self.answers.slot(0) {
                slot.reasoning(json::str_at(step, &["rationale", "text"]));
            }
            if let Some(input) = json::at(step, &["invocationInput"]).filter(|_| self.steps.len() < MAX_STEPS)
            {
                self.steps.extend(performed(input, self.answers.content()));
            }
        }
    }

    /// The agent asks its client to do something and to come back.
    fn return_control(&mut self, data: &Value) {
        self.answered = true;
        let id = json::str_at(data, &["invocationId"]);
        for (index, input) in (0u64..).zip(json::array_at(data, &["invocationInputs"]).iter().take(MAX_STEPS))
        {
            let call = json::at(input, &["functionInvocationInput"])
                .or_else(|| json::at(input, &["apiInvocationInput"]))
                .unwrap_or(&Value::Null);
            let arguments = arguments(call).to_string();
            if let Some(mut slot) = self.answers.slot(0) {
                slot.tool(&json!({"index": index, "id": id, "type": "function",
                    "function": {"name": name(call), "arguments": arguments}}));
            }
        }
    }
}

/// A step that the agent performed by itself.
fn performed(input: &Value, content: bool) -> Option<ToolCall> {
    let (kind, step) =
        input.as_object()?.iter().find(|(key, value)| key.ends_with("Input") && value.is_object())?;
    Some(ToolCall {
        id: json::string_at(step, &["invocationId"]),
        name: name(step).to_owned(),
        kind: kind.clone(),
        arguments: content.then(|| arguments(step)),
    })
}

fn name(step: &Value) -> &str {
    ["function", "apiPath", "agentCollaboratorName", "knowledgeBaseId", "actionGroupName", "actionGroup"]
        .iter()
        .find_map(|key| json::str_at(step, &[key]))
        .unwrap_or(if step.get("code").is_some() { "code_interpreter" } else { "" })
}

/// Parameters come as a list of names and values.
fn arguments(step: &Value) -> Value {
    let parameters = json::array_at(step, &["parameters"]);
    let named: Map<String, Value> = parameters
        .iter()
        .filter_map(|one| Some((json::string_at(one, &["name"])?, one.get("value")?.clone())))
        .collect();
    if named.is_empty() {
        let other = ["text", "code", "input"].iter().find_map(|key| Some((*key, json::at(step, &[key])?)));
        return other.map_or_else(|| json!({}), |(key, value)| json!({key: value}));
    }
    Value::Object(named)
}

impl Codec for Agent {
    fn begin(&mut self, facts: &RequestFacts<'_>, call: &mut Call) {
        let path = facts.head.path();
        let row = facts.row.map_or("", |row| row.path);
        let request = &mut call.request;
        if row == "agents/*" {
            request.conversation_id = segment_after(path, "agents");
        } else {
            request.conversation_id = segment_after(path, "sessions");
            request.agent = segment_after(path, "agents").or_else(|| segment_after(path, "flows"));
        }
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        let request = &mut call.request;
        request.model = json::string_at(body, &["foundationModel"]);
        request.agent = request.agent.take().or_else(|| json::string_at(body, &["agentName"]));
        request.guardrail = json::string_at(body, &["guardrailConfiguration", "guardrailIdentifier"]);
        if request.conversation_id.is_none() {
            request.conversation_id = json::string_at(body, &["executionId"]);
        }
        if self.answers.content() {
            let text = json::str_at(body, &["inputText"]).map(str::to_owned);
            let documents = json::array_at(body, &["inputs"])
                .iter()
                .filter_map(|input| document(json::at(input, &["content", "document"])?));
            request.messages = text.into_iter().chain(documents).map(|text| said("user", &text)).collect();
        }
    }

    fn response_head(&mut self, head: &ResponseHead, call: &mut Call) {
        self.told = Told::new(head);
        let session = ["x-amz-bedrock-agent-session-id", "x-amz-bedrock-flow-execution-id"]
            .iter()
            .find_map(|name| head.headers.get(name));
        if call.request.conversation_id.is_none() {
            call.request.conversation_id = session.map(str::to_owned);
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note("", body, call);
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        match event {
            "chunk" => self.text(unpacked(data).as_deref()),
            "trace" => {
                if let Some(trace) = json::at(data, &["trace"]) {
                    self.trace(trace, call);
                }
            }
            "returnControl" => self.return_control(data),
            "flowOutputEvent" | "flowMultiTurnInputRequestEvent" => {
                let text = json::at(data, &["content", "document"]).and_then(document);
                self.text(text.as_deref());
            }
            "flowCompletionEvent" => {
                self.answered = true;
                if let Some(reason) = json::string_at(data, &["completionReason"]) {
                    call.response.finish_reasons = vec![reason];
                }
            }
            "files" | "flowTraceEvent" => {}
            _ => error::note_item(event, data, call),
        }
    }

    fn finish(&mut self, call: &mut Call) {
        let reasons = std::mem::take(&mut call.response.finish_reasons);
        self.answers.finish(call);
        if !reasons.is_empty() {
            call.response.finish_reasons = reasons;
        }
        call.response.tool_calls.splice(0..0, std::mem::take(&mut self.steps));
        // Tokens of several models have no one price.
        call.response.model = self.model.take().filter(|_| !self.mixed);
        self.counts.settle_into(&mut call.usage);
        self.told.name_error(call);
    }

    fn has_ended(&self) -> bool {
        // The stream has no last event; what it is for came.
        self.answered
    }

    fn held_bytes(&self) -> usize {
        self.answers.held_bytes() + self.steps.len() * size_of::<ToolCall>()
    }
}
