//! A running capture: a thread that takes events from the kernel side, records them, and turns them into calls.

mod ceilings;
pub mod clock;
mod kernel;
mod resources;
mod session;
mod source;
mod usage;

pub use ceilings::Ceilings;
pub use kernel::kernel_config;
pub use resources::{ProcessResources, host_from_header, host_to_header};
pub use session::{Control, Deliver, LiveStats, Session, SessionOptions};
pub use source::{Judge, Source};

#[cfg(test)]
mod tests;
