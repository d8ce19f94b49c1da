//! The `plain_http` section: calls without TLS.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// HTTP without TLS, seen at the system calls on sockets: local inference servers, gateways inside a cluster. Only processes in scope are
/// looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PlainHttpSection {
    /// Which connections are looked at.
    pub mode: PlainHttpMode,
    /// Ports of servers. Connections to them, and those that a process in scope accepts on them, are looked at.
    pub ports: Vec<u16>,
    /// Only processes with one of these command names (`comm`, the first 15 bytes count). Empty: every process in scope.
    pub processes: Vec<String>,
}

/// Which connections without TLS are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum PlainHttpMode {
    /// None.
    Off,
    /// Those of the ports listed.
    Ports,
    /// All at first. The port of the first LLM call joins the list; a connection whose first request is no LLM call is looked at no more,
    /// unless its port is on the list.
    Learn,
    /// All.
    All,
}

/// Where inference servers and gateways listen unless they are told otherwise: LM Studio, Jan, TGI and others, LiteLLM, text-generation-webui
/// and TabbyAPI, KoboldCpp, vLLM and others, llama.cpp and LocalAI, Xinference, Ollama, LMDeploy, SGLang.
const PORTS: [u16; 12] = [1234, 1337, 3000, 4000, 5000, 5001, 8000, 8080, 9997, 11434, 23333, 30000];

impl Default for PlainHttpSection {
    fn default() -> Self {
        Self { mode: PlainHttpMode::Off, ports: PORTS.to_vec(), processes: Vec::new() }
    }
}
