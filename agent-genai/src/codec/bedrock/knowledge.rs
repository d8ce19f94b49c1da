//! Bedrock knowledge bases: what was searched and found, and answers generated from it.

use agent_wire::ResponseHead;
use serde_json::Value;

use super::AGENT_HOST;
use crate::call::{Api, Call, Hit, Operation, Retrieval};
use crate::codec::answers::Answers;
use crate::codec::aws::Told;
use crate::codec::completions::said;
use crate::codec::retrieval::segment_after;
use crate::codec::spec::{Make, Row, Spec};
use crate::codec::{Codec, CodecOptions, RequestFacts, error, json};
use crate::skim;

/// Most hits noted.
const MAX_HITS: usize = 100;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("knowledgebases/*/retrieve", Operation::Retrieval),
        Row::certain("retrieveAndGenerate", Operation::Chat),
        Row::certain("retrieveAndGenerateStream", Operation::Chat),
        Row::certain("agenticRetrieveStream", Operation::Retrieval).at(AGENT_HOST),
    ],
    ..Spec::new(
        Api::BedrockKnowledge,
        Operation::Retrieval,
        "aws.bedrock",
        Make::Codec(|options| Box::new(Knowledge::new(options))),
    )
};

/// Folds one exchange.
pub(crate) struct Knowledge {
    answers: Answers,
    told: Told,
    retrieval: Retrieval,
    generates: bool,
    answered: bool,
    /// Bytes of the hits' content that may still be kept.
    room: usize,
}

impl Knowledge {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self {
            answers: Answers::new(options),
            told: Told::default(),
            retrieval: Retrieval { system: "aws.bedrock".to_owned(), ..Retrieval::default() },
            generates: false,
            answered: false,
            room: options.max_content,
        }
    }

    fn hit(&mut self, result: &Value) {
        let found = &mut self.retrieval;
        found.hits = Some(found.hits.unwrap_or(0).saturating_add(1));
        let score = json::f64_at(result, &["score"]);
        if found.found.is_empty() && found.hits == Some(1) {
            found.best_score = score;
        }
        if found.found.len() >= MAX_HITS {
            return;
        }
        let content = json::at(result, &["content", "text"])
            .or_else(|| json::at(result, &["content", "row"]))
            .filter(|_| self.answers.content());
        let size = content.map_or(0, |content| content.as_str().map_or(1024, str::len));
        let content = content.filter(|_| size <= self.room).cloned();
        if content.is_some() {
            self.room = self.room.saturating_sub(size);
        }
        found.found.push(Hit { id: location(result), score, content });
    }

    /// What is searched, and how.
    fn search(&mut self, configuration: &Value) {
        let vector = json::at(configuration, &["vectorSearchConfiguration"])
            .or_else(|| json::at(configuration, &["managedSearchConfiguration"]))
            .unwrap_or(&Value::Null);
        self.retrieval.top_k = json::i64_at(vector, &["numberOfResults"]);
        self.retrieval.filtered = json::at(vector, &["filter"]).is_some();
    }

    fn text(&mut self, text: Option<&str>) {
        if let Some(mut slot) = self.answers.slot(0) {
            slot.text(text);
        }
    }

    fn references(&mut self, citation: &Value) {
        let references = json::array_at(citation, &["retrievedReferences"]);
        self.retrieval.hits.get_or_insert(0);
        for reference in references {
            self.hit(reference);
        }
    }
}

/// The address of a hit, whichever kind of source it comes from.
fn location(result: &Value) -> Option<String> {
    let location = json::at(result, &["location"])?.as_object()?;
    location
        .values()
        .find_map(|place| ["uri", "url", "id"].iter().find_map(|key| json::string_at(place, &[key])))
}

impl Codec for Knowledge {
    fn begin(&mut self, facts: &RequestFacts<'_>, _call: &mut Call) {
        self.generates = facts.row.is_some_and(|row| row.operation == Operation::Chat);
        self.retrieval.data_source = segment_after(facts.head.path(), "knowledgebases");
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        let content = self.answers.content();
        if !self.generates {
            self.search(json::at(body, &["retrievalConfiguration"]).unwrap_or(&Value::Null));
            self.retrieval.query = json::string_at(body, &["retrievalQuery", "text"]).filter(|_| content);
            let guardrail = json::string_at(body, &["guardrailConfiguration", "guardrailId"]);
            call.request.guardrail = guardrail;
            return;
        }
        let whole = json::at(body, &["retrieveAndGenerateConfiguration"]).unwrap_or(&Value::Null);
        let part = json::at(whole, &["knowledgeBaseConfiguration"])
            .or_else(|| json::at(whole, &["externalSourcesConfiguration"]))
            .unwrap_or(&Value::Null);
        self.retrieval.data_source = json::string_at(part, &["knowledgeBaseId"]);
        self.search(json::at(part, &["retrievalConfiguration"]).unwrap_or(&Value::Null));
        let generation = json::at(part, &["generationConfiguration"]).unwrap_or(&Value::Null);
        let inference =
            json::at(generation, &["inferenceConfig", "textInferenceConfig"]).unwrap_or(&Value::Null);
        let request = &mut call.request;
        request.model = json::string_at(part, &["modelArn"]);
        request.conversation_id = json::string_at(body, &["sessionId"]);
        request.guardrail = json::string_at(generation, &["guardrailConfiguration", "guardrailId"]);
        request.speed =
            json::string_at(generation, &["performanceConfig", "latency"]).filter(|word| word != "standard");
        request.temperature = json::f64_at(inference, &["temperature"]);
        request.top_p = json::f64_at(inference, &["topP"]);
        request.max_tokens = json::i64_at(inference, &["maxTokens"]);
        request.stop = json::strings_at(inference, &["stopSequences"]);
        if content {
            let text = json::str_at(body, &["input", "text"]);
            request.messages = text.map(|text| said("user", text)).into_iter().collect();
        }
    }

    fn response_head(&mut self, head: &ResponseHead, call: &mut Call) {
        self.told = Told::new(head);
        if call.request.conversation_id.is_none() {
            let session = head.headers.get("x-amzn-bedrock-knowledge-base-session-id");
            call.request.conversation_id = session.map(str::to_owned);
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note("", body, call);
        if call.error.is_some() {
            return;
        }
        if let Some(action) = json::str_at(body, &["guardrailAction"]) {
            call.response.flagged = Some(action == "INTERVENED");
        }
        if call.request.conversation_id.is_none() {
            call.request.conversation_id = json::string_at(body, &["sessionId"]);
        }
        self.text(json::str_at(body, &["output", "text"]));
        if let Some(results) = json::at(body, &["retrievalResults"]).and_then(Value::as_array) {
            for result in results.iter().filter(|result| result.is_object()) {
                self.hit(result);
            }
            self.retrieval.hits = Some(skim::array_len(results));
        }
        for citation in json::array_at(body, &["citations"]) {
            self.references(citation);
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        match event {
            "output" => {
                self.answered = true;
                self.text(json::str_at(data, &["text"]));
            }
            "citation" => self.references(json::at(data, &["citation"]).unwrap_or(data)),
            "guardrail" => {
                let intervened = json::str_at(data, &["action"]) == Some("INTERVENED");
                call.response.flagged = Some(intervened || call.response.flagged == Some(true));
            }
            _ => error::note_item(event, data, call),
        }
    }

    fn finish(&mut self, call: &mut Call) {
        self.answers.finish(call);
        call.retrieval = Some(Box::new(std::mem::take(&mut self.retrieval)));
        self.told.name_error(call);
    }

    fn has_ended(&self) -> bool {
        // The stream has no last event.
        self.answered
    }

    fn held_bytes(&self) -> usize {
        self.answers.held_bytes() + self.retrieval.found.len() * 256
    }
}
