//! OpenTelemetry resources: what a span says about the process that it was captured from.

mod cgroup;
mod host;
pub(crate) mod percent;
mod process;
mod variables;

use agent_genai::record::Attributes;
use serde_json::{Value, json};

pub use cgroup::Container;
pub use host::Host;
pub use process::ResourceBuilder;

/// Name of this distribution; by the conventions it never begins with `opentelemetry`.
pub const DISTRO: &str = "wirespan";

/// The part of a process's resource that metrics carry. A series must outlive single processes (a thousand short runs
/// of one program are one service), so what names one process is left out: `process.*`, and an instance id that was
/// made from the process id. One that the service was given stays; without it the host is the instance.
#[must_use]
pub fn for_metrics(resource: &Attributes) -> Attributes {
    let made = process::made_instance_id(resource);
    let mut kept: Attributes = resource
        .iter()
        .filter(|(key, _)| !key.starts_with("process."))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if made {
        kept.remove("service.instance.id");
        if let Some(host @ Value::String(_)) = resource.get("host.name") {
            kept.insert("service.instance.id".to_owned(), host.clone());
        }
    }
    kept
}

/// What is the same for everything that this agent sends.
fn common(host: &Host) -> Attributes {
    let mut attributes = host.attributes();
    attributes.insert("telemetry.sdk.name".to_owned(), json!(DISTRO));
    attributes.insert("telemetry.sdk.version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    attributes.insert("telemetry.distro.name".to_owned(), json!(DISTRO));
    attributes.insert("telemetry.distro.version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    attributes
}
