//! The state machine of the skimmer: structure, bare words, and skipping.

use super::text::{Cut, Text};
use super::{
    COUNTS, Ending, LAST, LAST_DEPTH, MARK, MAX_BARE, MAX_DEPTH, OVER_DEPTH, OVER_STRING, SETTINGS,
    SURVIVORS, SkimLimits, Skimmed, THIN_ELEMENTS, THIN_STRING,
};

/// One open container.
#[derive(Debug)]
struct Frame {
    array: bool,
    thin: bool,
    /// Opened by one of [`SURVIVORS`], or inside of one.
    survivor: bool,
    kept: u64,
    left_out: u64,
    numbers: usize,
    /// Where the output of the current member or element begins, comma included.
    start: usize,
}

/// What the structure allows next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    Value,
    FirstElement,
    FirstMember,
    Key,
    Colon,
    After,
}

/// What the bytes at hand belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Structure,
    Text,
    Bare,
    Skip,
    Done,
    Failed,
}

/// What the key of the current member says about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Plain,
    Thin,
    Survivor,
    Drop,
}

/// A value that is left out, being passed over.
#[derive(Debug, Clone, Copy)]
struct Skip {
    depth: u64,
    in_text: bool,
    escaped: bool,
    bare: bool,
}

/// The filter. See the module.
#[derive(Debug)]
pub struct Skimmer {
    limits: SkimLimits,
    out: Vec<u8>,
    stack: Vec<Frame>,
    expect: Expect,
    mode: Mode,
    text: Text,
    text_is_key: bool,
    /// The limit of the string is what the budget leaves, not what was asked for.
    text_by_budget: bool,
    member: Member,
    bare: Vec<u8>,
    bare_too_long: bool,
    /// Offset of its first byte.
    bare_at: u64,
    skip: Skip,
    /// Bytes taken so far.
    offset: u64,
    failed_at: u64,
    capped: bool,
    root_keys: Vec<String>,
}

/// Most root keys remembered for [`Skimmer::root_keys`].
const MAX_ROOT_KEYS: usize = 48;

impl Skimmer {
    /// A filter at the beginning of a text.
    #[must_use]
    pub fn new(limits: SkimLimits) -> Self {
        Self {
            limits,
            out: Vec::new(),
            stack: Vec::new(),
            expect: Expect::Value,
            mode: Mode::Structure,
            text: Text::default(),
            text_is_key: false,
            text_by_budget: false,
            member: Member::Plain,
            bare: Vec::new(),
            bare_too_long: false,
            bare_at: 0,
            skip: Skip { depth: 0, in_text: false, escaped: false, bare: false },
            offset: 0,
            failed_at: 0,
            capped: false,
            root_keys: Vec::new(),
        }
    }

    /// Skims the whole of a text at once.
    #[must_use]
    pub fn skim(limits: SkimLimits, bytes: &[u8]) -> Skimmed {
        let mut skimmer = Self::new(limits);
        skimmer.push(bytes);
        skimmer.finish()
    }

    /// Takes the next bytes, cut anywhere.
    pub fn push(&mut self, mut bytes: &[u8]) {
        if self.offset == 0 {
            bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        }
        while !bytes.is_empty() {
            let used = match self.mode {
                Mode::Structure => self.structure(bytes),
                Mode::Text => self.text(bytes),
                Mode::Bare => self.bare(bytes),
                Mode::Skip => self.pass_over(bytes),
                Mode::Done => self.after_end(bytes),
                Mode::Failed => bytes.len(),
            };
            self.offset = self.offset.saturating_add(used as u64);
            bytes = bytes.get(used..).unwrap_or_default();
        }
    }

    /// Members of the root object that have been seen so far (the first few dozen).
    #[must_use]
    pub fn root_keys(&self) -> &[String] {
        &self.root_keys
    }

    /// Whether the bytes so far cannot be a JSON object.
    #[must_use]
    pub fn is_no_object(&self) -> bool {
        match self.out.first() {
            Some(first) => *first != b'{',
            None => !matches!(self.mode, Mode::Structure),
        }
    }

    /// Whether the value has ended, or what came is no JSON: nothing more changes.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.mode, Mode::Done | Mode::Failed)
    }

    /// Bytes taken so far.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.offset
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.out.capacity() + self.bare.capacity() + self.stack.capacity() * size_of::<Frame>()
    }

    /// The text has ended: closes what is open and gives the output.
    #[must_use]
    pub fn finish(mut self) -> Skimmed {
        let empty = self.out.is_empty() && self.mode == Mode::Structure;
        let rooted = self.stack.is_empty();
        match self.mode {
            Mode::Bare if rooted => self.end_bare(),
            Mode::Bare => self.retract(),
            Mode::Text if self.text_is_key => self.retract(),
            Mode::Text => {
                self.text.finish(&mut self.out);
                self.out.push(b'"');
            }
            Mode::Structure | Mode::Failed if !rooted && self.in_member_without_value() => self.retract(),
            Mode::Structure | Mode::Failed | Mode::Skip | Mode::Done => {}
        }
        let ending = match self.mode {
            Mode::Done => Ending::Whole,
            Mode::Failed => Ending::Invalid(self.failed_at),
            _ if empty => Ending::Empty,
            _ => Ending::Truncated,
        };
        if matches!(ending, Ending::Truncated | Ending::Invalid(_)) {
            self.retract_counts();
        }
        while !self.stack.is_empty() {
            self.close_frame();
        }
        Skimmed { json: self.out, ending, capped: self.capped }
    }

    /// A key was written whose value has not begun.
    fn in_member_without_value(&self) -> bool {
        let in_object = self.stack.last().is_some_and(|frame| !frame.array);
        in_object && matches!(self.expect, Expect::Colon | Expect::Value)
    }

    /// Takes the current member or element back out of the output.
    fn retract(&mut self) {
        if let Some(frame) = self.stack.last_mut() {
            self.out.truncate(frame.start);
            if frame.array {
                frame.kept = frame.kept.saturating_sub(1);
            }
        }
    }

    /// Takes back an object of counts that was not finished: with some of its counts missing the sums over it would be wrong.
    fn retract_counts(&mut self) {
        let opened_by = |frame: &Frame| {
            let member = self.out.get(frame.start..).unwrap_or_default();
            let member = member.strip_prefix(b",").unwrap_or(member);
            !frame.array
                && COUNTS.iter().any(|key| {
                    member.strip_prefix(b"\"").is_some_and(|rest| {
                        rest.starts_with(key.as_bytes()) && rest.get(key.len()) == Some(&b'"')
                    })
                })
        };
        // The innermost frame is the object itself when its parent's current member opened it.
        let parents = self.stack.len().saturating_sub(1);
        if let Some(parent) = self.stack.iter().take(parents).position(opened_by) {
            self.stack.truncate(parent + 1);
            self.retract();
        }
    }

    fn fail(&mut self, at: usize) {
        // A string or word that was being written is taken back, so that the output stays valid.
        if matches!(self.mode, Mode::Text | Mode::Bare) || self.in_member_without_value() {
            self.retract();
            if self.stack.is_empty() {
                self.out.clear();
            }
        }
        self.expect = Expect::After;
        self.mode = Mode::Failed;
        self.failed_at = self.offset.saturating_add(at as u64);
    }

    fn structure(&mut self, bytes: &[u8]) -> usize {
        for (at, &byte) in bytes.iter().enumerate() {
            if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                continue;
            }
            match (self.expect, byte) {
                // A comma before the end is no JSON, but it loses nothing, and people write it.
                (Expect::FirstElement, b']') | (Expect::FirstMember | Expect::Key, b'}') => self.close(),
                (Expect::Value, b']') if self.stack.last().is_some_and(|frame| frame.array) => self.close(),
                (Expect::FirstMember | Expect::Key, b'"') => self.begin_key(),
                (Expect::Colon, b':') => self.expect = Expect::Value,
                (Expect::After, b',') => {
                    let array = self.stack.last().is_some_and(|frame| frame.array);
                    self.expect = if array { Expect::Value } else { Expect::Key };
                }
                (Expect::After, b']') if self.stack.last().is_some_and(|frame| frame.array) => self.close(),
                (Expect::After, b'}') if self.stack.last().is_some_and(|frame| !frame.array) => self.close(),
                (Expect::Value | Expect::FirstElement, _) => {
                    if !self.begin_value(byte) {
                        self.fail(at);
                        return bytes.len();
                    }
                    match self.mode {
                        // The byte that shows a bare word is its first.
                        Mode::Bare => {
                            self.bare_at = self.offset.saturating_add(at as u64);
                            return at;
                        }
                        Mode::Skip if self.skip.bare => return at,
                        _ => {}
                    }
                }
                _ => {
                    self.fail(at);
                    return bytes.len();
                }
            }
            if self.mode != Mode::Structure {
                return at + 1;
            }
        }
        bytes.len()
    }

    fn begin_key(&mut self) {
        if let Some(frame) = self.stack.last_mut() {
            frame.start = self.out.len();
            if frame.kept > 0 {
                self.out.push(b',');
            }
        }
        self.text_is_key = true;
        self.begin_text(super::MAX_KEY);
    }

    fn begin_text(&mut self, limit: usize) {
        self.out.push(b'"');
        self.text.begin(limit, self.out.len());
        self.mode = Mode::Text;
    }

    /// Starts a value by its first byte; `false` when no value starts so.
    fn begin_value(&mut self, byte: u8) -> bool {
        let container = matches!(byte, b'{' | b'[');
        let number = matches!(byte, b'-' | b'0'..=b'9');
        let known = container || number || byte == b'"' || byte.is_ascii_alphabetic();
        if !known {
            return false;
        }
        let keep = self.keeps(container, number);
        let (thin, survivor) = match self.stack.last_mut() {
            None => (false, false),
            Some(frame) if keep => {
                if frame.array {
                    frame.start = self.out.len();
                    if frame.kept > 0 {
                        self.out.push(b',');
                    }
                    frame.numbers += usize::from(number);
                } else {
                    self.out.push(b':');
                }
                frame.kept += 1;
                let member = if frame.array { Member::Plain } else { self.member };
                (frame.thin || member == Member::Thin, frame.survivor || member == Member::Survivor)
            }
            Some(frame) => {
                frame.left_out += 1;
                if !frame.array {
                    self.out.truncate(frame.start);
                }
                self.skip = Skip {
                    depth: u64::from(container),
                    in_text: byte == b'"',
                    escaped: false,
                    bare: !container && byte != b'"',
                };
                self.mode = Mode::Skip;
                return true;
            }
        };
        match byte {
            b'{' | b'[' => {
                self.out.push(byte);
                let is_array = byte == b'[';
                self.stack.push(Frame {
                    array: is_array,
                    thin,
                    survivor,
                    kept: 0,
                    left_out: 0,
                    numbers: 0,
                    start: self.out.len(),
                });
                self.expect = if is_array { Expect::FirstElement } else { Expect::FirstMember };
            }
            b'"' => {
                self.text_is_key = false;
                let wanted = if thin { THIN_STRING } else { self.limits.max_string };
                let left = self.limits.budget.saturating_sub(self.out.len()).max(OVER_STRING);
                self.text_by_budget = left < wanted;
                self.begin_text(wanted.min(left));
            }
            _ => {
                self.bare.clear();
                self.bare_too_long = false;
                self.mode = Mode::Bare;
            }
        }
        true
    }

    /// Whether the value that is about to start is kept.
    fn keeps(&mut self, container: bool, number: bool) -> bool {
        let depth = self.stack.len();
        let Some(frame) = self.stack.last() else { return true };
        if frame.array {
            if number && frame.numbers >= self.limits.max_numbers || frame.thin && frame.kept >= THIN_ELEMENTS
            {
                return false;
            }
        } else if self.member == Member::Drop {
            return false;
        }
        if container && depth >= MAX_DEPTH {
            self.capped = true;
            return false;
        }
        let used = self.out.len();
        let (budget, reserve) = (self.limits.budget, self.limits.reserve);
        let keep = if used < budget {
            true
        } else if used < budget + reserve {
            depth <= OVER_DEPTH
        } else {
            let wanted = frame.survivor || self.member == Member::Survivor;
            used < budget + reserve + LAST && !frame.array && wanted && depth <= LAST_DEPTH
        };
        self.capped |= !keep;
        keep
    }

    fn text(&mut self, bytes: &[u8]) -> usize {
        let (used, cut) = self.text.take(bytes, &mut self.out);
        match cut {
            Cut::More => {}
            Cut::Invalid => self.fail(used),
            Cut::End { whole } => {
                if self.text_is_key {
                    self.end_key(whole);
                } else {
                    self.capped |= !whole && self.text_by_budget;
                    self.end_value();
                }
            }
        }
        used
    }

    fn end_key(&mut self, whole: bool) {
        let start = self.text.start();
        let key = self.out.get(start..self.out.len().saturating_sub(1)).unwrap_or_default();
        let is = |names: &[&str]| names.iter().any(|name| name.as_bytes() == key);
        let root = self.stack.len() == 1;
        self.member = if !whole || is(self.limits.drop) && !(root && is(SETTINGS)) {
            Member::Drop
        } else if root && is(self.limits.thin) {
            Member::Thin
        } else if is(SURVIVORS) {
            Member::Survivor
        } else {
            Member::Plain
        };
        self.capped |= !whole;
        if root && self.root_keys.len() < MAX_ROOT_KEYS && key.len() <= 64 {
            let key = String::from_utf8_lossy(key).into_owned();
            self.root_keys.push(key);
        }
        self.expect = Expect::Colon;
        self.mode = Mode::Structure;
    }

    fn bare(&mut self, bytes: &[u8]) -> usize {
        let end = bytes.iter().position(|byte| !is_bare(*byte));
        let piece = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        if self.bare.len() + piece.len() > MAX_BARE {
            self.bare_too_long = true;
        } else {
            self.bare.extend_from_slice(piece);
        }
        if end.is_some() {
            self.end_bare();
        }
        piece.len()
    }

    fn end_bare(&mut self) {
        let word = std::str::from_utf8(&self.bare).unwrap_or_default();
        let known = match word {
            _ if self.bare_too_long => Some("null"),
            "true" | "false" | "null" => Some(word),
            // Python's json module writes these; they are no JSON, and no number that anything here needs.
            "NaN" | "Infinity" | "-Infinity" => Some("null"),
            _ if is_number(word) => Some(if fits(word) { word } else { "null" }),
            _ => None,
        };
        match known {
            Some(word) => {
                self.out.extend_from_slice(word.as_bytes());
                self.end_value();
            }
            None => {
                self.fail(0);
                self.failed_at = self.bare_at;
            }
        }
    }

    fn pass_over(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if self.skip.in_text {
                if self.skip.escaped {
                    self.skip.escaped = false;
                    at += 1;
                    continue;
                }
                match memchr::memchr2(b'"', b'\\', rest) {
                    None => return bytes.len(),
                    Some(found) => {
                        at += found + 1;
                        if rest.get(found) == Some(&b'\\') {
                            self.skip.escaped = true;
                        } else {
                            self.skip.in_text = false;
                        }
                    }
                }
            } else if self.skip.bare {
                match rest.iter().position(|byte| !is_bare(*byte)) {
                    None => return bytes.len(),
                    Some(found) => {
                        at += found;
                        self.skip.bare = false;
                    }
                }
            } else {
                match rest.iter().position(|byte| matches!(byte, b'"' | b'[' | b']' | b'{' | b'}')) {
                    None => return bytes.len(),
                    Some(found) => {
                        match rest.get(found) {
                            Some(b'"') => self.skip.in_text = true,
                            Some(b'[' | b'{') => self.skip.depth += 1,
                            _ => self.skip.depth = self.skip.depth.saturating_sub(1),
                        }
                        at += found + 1;
                    }
                }
            }
            if self.skip.depth == 0 && !self.skip.in_text && !self.skip.bare {
                self.end_value();
                return at;
            }
        }
        at
    }

    fn end_value(&mut self) {
        self.expect = Expect::After;
        self.mode = if self.stack.is_empty() { Mode::Done } else { Mode::Structure };
    }

    fn close(&mut self) {
        self.close_frame();
        self.end_value();
    }

    /// Writes the end of the innermost container, with the mark of what was left out of an array.
    fn close_frame(&mut self) {
        let Some(frame) = self.stack.pop() else { return };
        if frame.array && frame.left_out > 0 {
            let comma = if frame.kept > 0 { "," } else { "" };
            self.out.extend_from_slice(format!("{comma}\"{MARK}{}\"", frame.left_out).as_bytes());
        }
        self.out.push(if frame.array { b']' } else { b'}' });
    }

    /// Anything but white space after the value: not one JSON text.
    fn after_end(&mut self, bytes: &[u8]) -> usize {
        if let Some(at) = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0)) {
            self.fail(at);
        }
        bytes.len()
    }
}

/// Bytes of numbers and literals.
fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

/// The grammar of JSON numbers (RFC 8259 section 6).
fn is_number(word: &str) -> bool {
    let word = word.strip_prefix('-').unwrap_or(word);
    let (mantissa, exponent) = match word.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (word, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

/// Whether a double can hold it; serde_json refuses a document for one number that is too large.
fn fits(word: &str) -> bool {
    let short = word.len() < 300 && !word.contains(['e', 'E']);
    short || word.parse::<f64>().is_ok_and(f64::is_finite)
}
