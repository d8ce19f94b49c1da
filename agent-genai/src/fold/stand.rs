//! What is known so far about which API an exchange speaks, and the decoder that follows from it.

use serde_json::Value;

use crate::call::Api;
use crate::codec::spec::{Make, Spec};
use crate::codec::{Codec, CodecOptions, Session, registry};
use crate::decoder::DecoderOptions;
use crate::recognise::{Candidate, Route};

/// How sure the API is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Sure.
    Settled,
    /// The path says so, but not alone: a body must agree.
    Claimed,
    /// Unknown path: the bodies decide. The request may already have narrowed it down.
    Open(Option<Candidate>),
    /// No call.
    Rejected,
}

/// Standing, decoder, and the request that waits for one.
pub(super) struct Stand {
    pub(super) standing: Standing,
    pub(super) codec: Option<Box<dyn Codec>>,
    pub(super) session: Option<Box<dyn Session>>,
    /// The request body of an open exchange, until the response shows which codec is to read it.
    pub(super) waiting: Option<Value>,
    waiting_bytes: usize,
    /// The beginning was never seen: the response alone decides.
    pub(super) attached: bool,
}

impl std::fmt::Debug for Stand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.standing.fmt(f)
    }
}

impl Stand {
    pub(super) fn new(route: Option<&Route>, attached: bool) -> Self {
        let standing = match route {
            Some(route) if route.certain => Standing::Settled,
            Some(_) => Standing::Claimed,
            None => Standing::Open(None),
        };
        Self { standing, codec: None, session: None, waiting: None, waiting_bytes: 0, attached }
    }

    /// Makes the decoder of an API. Its row in the registry is given back.
    pub(super) fn make(&mut self, api: Api, options: &DecoderOptions) -> Option<&'static Spec> {
        let spec = registry::spec(api)?;
        let options = CodecOptions { content: options.content, max_content: options.max_body };
        match spec.make {
            Make::Codec(make) => self.codec = Some(make(options)),
            Make::Session(make) => self.session = Some(make(options)),
        }
        Some(spec)
    }

    pub(super) fn wait(&mut self, body: Value, bytes: usize) {
        self.waiting = Some(body);
        self.waiting_bytes = bytes;
    }

    pub(super) fn reject(&mut self) {
        self.standing = Standing::Rejected;
        self.codec = None;
        self.session = None;
        self.waiting = None;
        self.waiting_bytes = 0;
    }

    /// The path has not told the truth: the bodies decide.
    pub(super) fn reopen(&mut self) {
        self.reject();
        self.standing = Standing::Open(None);
    }

    pub(super) fn rejected(&self) -> bool {
        self.standing == Standing::Rejected
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.standing, Standing::Open(_))
    }

    pub(super) fn recognised(&self) -> Option<bool> {
        match self.standing {
            Standing::Settled => Some(true),
            Standing::Rejected => Some(false),
            Standing::Claimed | Standing::Open(_) => None,
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.codec.as_ref().map_or(0, |codec| codec.held_bytes())
            + self.session.as_ref().map_or(0, |session| session.held_bytes())
            + self.waiting_bytes
    }
}
