//! One exchange, folded into a call as it arrives.

mod form;
mod outcome;
mod request;
mod response;
mod sessions;
mod stand;

use std::sync::Arc;

use agent_wire::{Body, ExchangeEnd, Interest, MessageEnd, Nanos, RequestHead, ResponseHead, Role};

use self::request::RequestBody;
use self::response::ResponseBody;
use self::sessions::Ready;
use self::stand::Stand;
use crate::call::{Api, Call, Operation};
use crate::codec::{RequestFacts, aws, usage};
use crate::decoder::DecoderOptions;
use crate::providers;
use crate::recognise::Route;
use crate::redact;

/// Headers that carry the id of a session or conversation, the first that is there wins. Each belongs to a program that
/// documents it so (coding agents, gateways); nothing is invented from other ids.
const SESSION_HEADERS: &[&str] = &[
    "x-claude-code-session-id",
    "conversation_id",
    "conversation-id",
    "session_id",
    "session-id",
    "thread-id",
    "x-opencode-session",
    "vscode-sessionid",
    "x-session-id",
    "helicone-session-id",
    "x-conversation-id",
];

/// Response headers with the provider's id of the request.
const REQUEST_ID_HEADERS: &[&str] =
    &["x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-generation-id"];

/// Header in which a router names the server that answered.
const UPSTREAM_HEADER: &str = "x-inference-provider";

/// One exchange on its way to a [`Call`]. Made by [`crate::Decoder::begin`].
pub struct Fold {
    options: Arc<DecoderOptions>,
    call: Call,
    stand: Stand,
    request: RequestBody,
    response: ResponseBody,
    /// Calls of a session that have ended.
    ready: Ready,
    /// The request carries `anthropic-version`.
    anthropic: bool,
    head: RequestHead,
    response_head: Option<ResponseHead>,
    route: Option<Route>,
    session: Option<String>,
    header_usd: Option<rust_decimal::Decimal>,
}

impl std::fmt::Debug for Fold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fold")
            .field("stand", &self.stand)
            .field("path", &self.call.http.path)
            .finish_non_exhaustive()
    }
}

impl Fold {
    pub(crate) fn new(
        options: Arc<DecoderOptions>,
        head: &RequestHead,
        role: Role,
        tls: bool,
        at: Nanos,
        route: Option<Route>,
    ) -> Self {
        let api = route.as_ref().map_or(Api::OpenAiChat, |route| route.api);
        let operation = route.as_ref().map_or(Operation::Chat, |route| route.operation);
        let mut call = Call::new(api, operation, role);
        call.timing.start = at;
        call.timing.end = at;
        call.http.method.clone_from(&head.method);
        head.path().clone_into(&mut call.http.path);
        if let Some((host, port)) =
            head.authority().map(providers::split_authority).filter(|(host, _)| !host.is_empty())
        {
            call.http.server_address = Some(host.to_owned());
            call.http.server_port = port.or(Some(if tls { 443 } else { 80 }));
        }
        call.http.region = aws::region(head);
        call.request.traceparent = head.headers.get("traceparent").map(str::to_owned);
        let session = SESSION_HEADERS
            .iter()
            .find_map(|name| head.headers.get(name))
            .filter(|id| !id.is_empty() && id.len() <= 256);
        let request = RequestBody::new(&options, head, route.as_ref().map(|route| route.api));
        let response = ResponseBody::new(&options, route.as_ref().map(|route| route.api));
        let attached = head.method.is_empty();
        let mut fold = Self {
            anthropic: head.headers.get("anthropic-version").is_some(),
            session: session.map(str::to_owned),
            stand: Stand::new(route.as_ref(), attached),
            ready: Ready::default(),
            head: head.clone(),
            response_head: None,
            options,
            call,
            request,
            response,
            header_usd: None,
            route,
        };
        fold.name_provider();
        if let Some(api) = fold.route.as_ref().map(|route| route.api) {
            fold.make(api);
        }
        fold
    }

    fn name_provider(&mut self) {
        let call = &mut self.call;
        call.provider = providers::name(
            &self.options.hosts,
            call.http.server_address.as_deref(),
            &call.http.path,
            call.api,
        );
    }

    /// The path is another API's as well, and the body shows that it is that one.
    fn reroute(&mut self, route: Route) {
        self.call.api = route.api;
        self.call.operation = route.operation;
        let api = route.api;
        self.route = Some(route);
        self.name_provider();
        self.make(api);
        self.stand.standing = stand::Standing::Settled;
    }

    /// Makes the decoder of the API and shows it the head.
    fn make(&mut self, api: Api) {
        self.stand.make(api, &self.options);
        let facts = RequestFacts {
            row: self.route.as_ref().map(|route| route.row),
            model: self.route.as_ref().and_then(|route| route.model.as_deref()),
            head: &self.head,
        };
        if let Some(codec) = self.stand.codec.as_mut() {
            codec.begin(&facts, &mut self.call);
        }
        if let Some(session) = self.stand.session.as_mut() {
            session.begin(&facts, &mut self.call);
        }
    }

    /// A piece of the request body.
    pub fn request_body(&mut self, body: Body<'_>, at: Nanos) -> Interest {
        if self.stand.rejected() {
            return Interest::Skip;
        }
        match body {
            Body::Frame(message) => self.frame(true, message, at),
            Body::Element { data, truncated } => self.request_element(data, truncated, at),
            Body::Grpc { bytes, .. } => self.grpc_message(true, bytes, at),
            body => self.request.take(body),
        }
        if self.stand.is_open() && self.request.is_foreign() {
            self.stand.reject();
        }
        self.interest()
    }

    /// The request has ended.
    pub fn request_end(&mut self, end: &MessageEnd) -> Interest {
        let completeness = &mut self.call.completeness;
        completeness.request_bytes = end.wire_bytes;
        completeness.lost_bytes = completeness.lost_bytes.saturating_add(end.lost_bytes);
        completeness.truncated |= end.truncated;
        note_undecodable(completeness, "request", end.undecodable.as_deref());
        self.call.timing.request_end = Some(end.at);
        self.call.timing.end = self.call.timing.end.max(end.at);
        self.settle_request(end.truncated || end.lost_bytes > 0);
        self.interest()
    }

    /// The final response head; `at` is the time of its first byte.
    pub fn response_head(&mut self, head: &ResponseHead, at: Nanos) -> Interest {
        self.call.http.status = Some(head.status).filter(|status| *status != 0);
        self.call.timing.response_start = Some(at);
        self.call.timing.end = self.call.timing.end.max(at);
        self.call.response.request_id =
            REQUEST_ID_HEADERS.iter().find_map(|name| head.headers.get(name)).map(str::to_owned);
        self.call.response.upstream =
            head.headers.get(UPSTREAM_HEADER).filter(|name| name.len() <= 64).map(str::to_owned);
        self.header_usd = usage::cost_of_headers(&head.headers);
        self.response.begin(head);
        if let Some(codec) = self.stand.codec.as_mut() {
            codec.response_head(head, &mut self.call);
        }
        if let Some(session) = self.stand.session.as_mut() {
            session.response_head(head, &mut self.call);
        }
        self.response_head = Some(head.clone());
        self.interest()
    }

    /// A piece of the response body.
    pub fn response_body(&mut self, body: Body<'_>, at: Nanos) -> Interest {
        if self.stand.rejected() {
            return Interest::Skip;
        }
        self.take_response(body, at);
        self.interest()
    }

    /// The response has ended.
    pub fn response_end(&mut self, end: &MessageEnd) {
        let completeness = &mut self.call.completeness;
        completeness.response_bytes = end.wire_bytes;
        completeness.lost_bytes = completeness.lost_bytes.saturating_add(end.lost_bytes);
        completeness.truncated |= end.truncated;
        note_undecodable(completeness, "response", end.undecodable.as_deref());
        self.call.timing.end = self.call.timing.end.max(end.at);
        self.response.ended(end.truncated, end.lost_bytes);
        if let Some(codec) = self.stand.codec.as_mut() {
            codec.trailers(&end.trailers, &mut self.call);
        }
    }

    fn grpc_message(&mut self, from_client: bool, bytes: u64, at: Nanos) {
        if let Some(codec) = self.stand.codec.as_mut() {
            codec.grpc(from_client, bytes, at, &mut self.call);
        }
    }

    /// `Some(true)`: an LLM call. `Some(false)`: none, nothing more of it is needed. `None`: not known yet.
    #[must_use]
    pub fn recognised(&self) -> Option<bool> {
        self.stand.recognised()
    }

    /// Bytes of memory held, roughly.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        size_of::<Self>()
            + self.heads_bytes()
            + self.request.held_bytes()
            + self.response.held_bytes()
            + self.stand.held_bytes()
    }

    /// The next call that has ended while its exchange goes on (a session carries many). Asked for after each step.
    pub fn take(&mut self) -> Option<Call> {
        self.ready.take()
    }

    /// The exchange has ended: the calls that ended with it; one for most APIs, any number for a session's.
    #[must_use]
    pub fn finish(mut self, end: &ExchangeEnd) -> Vec<Call> {
        if self.stand.rejected() || end.upgraded && self.stand.session.is_none() {
            return Vec::new();
        }
        self.call.completeness.attached_mid_stream = end.attached_mid_stream;
        if !self.request.is_settled() {
            // The end of the request was never seen.
            self.call.completeness.truncated = true;
            self.settle_request(true);
        }
        self.settle_response();
        if let Some(session) = self.stand.session.as_mut() {
            session.end(end, &self.call);
            let ours = session.is_confirmed() || self.stand.recognised() == Some(true);
            self.collect();
            let ready = if ours { std::mem::take(&mut self.ready) } else { Ready::default() };
            return ready.into_calls();
        }
        if !self.decide() {
            return Vec::new();
        }
        self.conclude(end);
        if self.stand.codec.as_ref().is_some_and(|codec| !codec.is_call()) {
            return Vec::new();
        }
        self.call.part = self.ready.made();
        redact::redact_call(&mut self.call);
        vec![self.call]
    }

    fn heads_bytes(&self) -> usize {
        let fields = |headers: &agent_wire::Headers| {
            headers
                .iter()
                .map(|(name, value)| name.len() + value.len() + 2 * size_of::<String>())
                .sum::<usize>()
        };
        let response = self.response_head.as_ref().map_or(0, |head| fields(&head.headers));
        self.head.target.len() + fields(&self.head.headers) + response
    }

    fn interest(&self) -> Interest {
        if self.stand.rejected() { Interest::Skip } else { Interest::Full }
    }
}

fn note_undecodable(completeness: &mut crate::call::Completeness, side: &str, what: Option<&str>) {
    if let (Some(what), None) = (what, completeness.undecodable.as_ref()) {
        completeness.undecodable = Some(format!("{side}: {what}"));
    }
}
