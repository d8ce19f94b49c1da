//! The sections of the configuration file. The doc comments become the descriptions in the generated schema.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::{ByteSize, Span};

/// What to capture, and within which bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CaptureSection {
    /// Which processes are observed. A process is in scope when any of the lists names it.
    pub scope: ScopeSection,
    /// Size of the ring buffer between kernel and wirespan; rounded up to a power of two of pages.
    pub ring_size: ByteSize,
    /// Most bytes copied of one read or write of the program; what is beyond is counted as lost.
    pub max_call_size: ByteSize,
    /// Most connections followed in the kernel at once.
    pub max_connections: u32,
    /// Longest time between two drains of the ring buffer; after a second without data up to 40 ms, if the ring buffer is large enough.
    pub drain_interval: Span,
    /// An exchange that shows no byte for this long is reported as truncated.
    pub idle_timeout: Span,
    /// Most memory for exchanges in flight; past it the largest one is ended and reported as truncated.
    pub memory: ByteSize,
    /// Most bytes of one decoded body that are kept, when content is on.
    pub max_body: ByteSize,
    /// Folder in which it is kept which functions a file holds, so that large executables are searched once. Without a value:
    /// `$CACHE_DIRECTORY`, for root `/var/cache/wirespan`, else `wirespan` below `$XDG_CACHE_HOME` or `~/.cache`. Empty: nothing is kept.
    pub cache: Option<PathBuf>,
    /// Load an agent into the Java processes in scope: their TLS is Java itself, and shows to no probe. Off by default, because it adds code
    /// to the programs observed.
    pub java: bool,
    /// Find out the address and port of the other end of TLS connections, at the system calls that send.
    pub peers: bool,
    /// Also write everything captured, as plain text, to this file (mode 0600). For debugging: it holds secrets.
    pub record: Option<PathBuf>,
}

impl Default for CaptureSection {
    fn default() -> Self {
        Self {
            scope: ScopeSection::default(),
            ring_size: ByteSize::mib(32),
            max_call_size: ByteSize::mib(32),
            max_connections: 65_536,
            drain_interval: Span::millis(10),
            idle_timeout: Span::secs(1_800),
            memory: ByteSize::mib(256),
            max_body: ByteSize::mib(32),
            cache: None,
            java: false,
            peers: true,
            record: None,
        }
    }
}

/// Which processes are observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScopeSection {
    /// Every process on the host.
    pub all: bool,
    /// Process ids.
    pub pids: Vec<u32>,
    /// Paths in the cgroup v2 hierarchy; everything below is in scope too.
    pub cgroups: Vec<PathBuf>,
    /// Executables, compared by inode.
    pub executables: Vec<PathBuf>,
    /// Command names (`comm`, the first 15 bytes count).
    pub commands: Vec<String>,
    /// Children of processes in scope are in scope too.
    pub follow_children: bool,
}

impl Default for ScopeSection {
    fn default() -> Self {
        Self {
            all: false,
            pids: Vec::new(),
            cgroups: Vec::new(),
            executables: Vec::new(),
            commands: Vec::new(),
            follow_children: true,
        }
    }
}

impl ScopeSection {
    /// Whether nothing at all is in scope.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { all, pids, cgroups, executables, commands, follow_children: _ } = self;
        !all && pids.is_empty() && cgroups.is_empty() && executables.is_empty() && commands.is_empty()
    }
}

/// What wirespan itself may cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSection {
    /// Most CPU time of wirespan itself, as a part of one core: 0.5 is half of one. Above it whole connections are given up, each counted, the
    /// busiest first, and none is taken on, until it is below. No ceiling when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// Most resident memory of wirespan itself. Above it the connections that hold most are given up, each counted, and none is taken on, until
    /// it is below. No ceiling when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    /// CPU time is measured over so long; and after so long below the ceilings connections are taken on again.
    pub window: Span,
    /// When wirespan has not read from the kernel for so long (it is stopped, or starved), and an eighth of the ring buffer is full, the probes
    /// stop copying until it does, and count what they leave out. 0s: never; then the ring buffer fills, and what does not fit is counted.
    pub watchdog: Span,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self { cpu: None, memory: None, window: Span::secs(5), watchdog: Span::secs(2) }
    }
}

/// What wirespan itself may do. All on by default; switch something off only to find out whether it is the cause of a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SecuritySection {
    /// The daemon gives up every capability that it does not need before it starts, and that of getting new ones.
    pub drop_capabilities: bool,
    /// Once the capture runs, system calls that wirespan never makes are forbidden to it (seccomp).
    pub seccomp: bool,
}

impl Default for SecuritySection {
    fn default() -> Self {
        Self { drop_capabilities: true, seccomp: true }
    }
}

/// Message content in spans. Off by default: prompts and answers are private.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ContentSection {
    /// Include messages, system instructions and tool arguments where no rule says otherwise.
    pub enabled: bool,
    /// With content on, also the descriptions and parameters of the tools offered.
    pub tool_descriptions: bool,
    /// Exceptions by workload; the first rule that matches decides.
    pub rules: Vec<ContentRule>,
}

/// Content on or off for one workload. All the fields given must match; `*` stands for any characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContentRule {
    /// `service.name` of the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Path of the executable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
    /// Command name (`comm`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Include content for what matches.
    pub enabled: bool,
}

/// How spans and metrics are named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SemconvSection {
    /// Older names emitted beside those of the GenAI conventions v0.1.0, for backends that do not know the new ones yet.
    pub compat: Vec<CompatName>,
}

impl Default for SemconvSection {
    fn default() -> Self {
        Self {
            compat: vec![
                CompatName::CacheCreationAlias,
                CompatName::LegacyMetrics,
                CompatName::FinishReasonInMessages,
            ],
        }
    }
}

/// One compatibility switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompatName {
    /// `gen_ai.usage.cache_creation.input_tokens` beside `cache_write`.
    CacheCreationAlias,
    /// `gen_ai.client.operation.duration` and `gen_ai.client.token.usage` beside the new metrics.
    LegacyMetrics,
    /// `finish_reason` inside `gen_ai.output.messages`.
    FinishReasonInMessages,
    /// `gen_ai.workflow.name` beside `gen_ai.agent.name`.
    WorkflowName,
}

/// Prices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PricesSection {
    /// A price table in place of the built-in one: what `wirespan prices update` has written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<PathBuf>,
    /// A file whose prices win over the built-in table.
    #[serde(rename = "override", skip_serializing_if = "Option::is_none")]
    pub override_file: Option<PathBuf>,
}

/// Names the provider behind a host that wirespan cannot know, such as a gateway inside the company.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderRule {
    /// Host of the request, without port. `*.example.com` also matches every host below.
    pub host: String,
    /// `gen_ai.provider.name` for calls to it, such as `openai`.
    pub provider: String,
}

/// The local API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApiSection {
    /// Path of the unix socket.
    pub socket: PathBuf,
    /// Group that may use the socket (mode 0660). Without it only the daemon's own user may (mode 0600).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// Where the daemon's socket is when nothing else is said.
pub const DEFAULT_SOCKET: &str = "/run/wirespan/wirespan.sock";

impl Default for ApiSection {
    fn default() -> Self {
        Self { socket: DEFAULT_SOCKET.into(), group: None }
    }
}

/// The calls kept in memory for `tail` and `show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSection {
    /// Most bytes of records; the oldest go first.
    pub max_size: ByteSize,
    /// Most records.
    pub max_records: u32,
}

impl Default for StoreSection {
    fn default() -> Self {
        Self { max_size: ByteSize::mib(64), max_records: 100_000 }
    }
}

/// A name for the processes that match. All the fields given must match; `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceNameRule {
    /// Path of the executable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
    /// Command name (`comm`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Path of the cgroup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// `service.name` for what matches; wins over everything but the process's own OTEL_SERVICE_NAME.
    pub name: String,
}
