//! The daemon's parts: the store of calls, the API on a unix socket, and the client for it.

mod api;
mod client;
mod notify;
mod query;
mod report;
mod socket;
pub mod store;

pub use api::{Api, router};
pub use client::{Client, ClientError, Lines};
pub use notify::Notifier;
pub use query::CallsQuery;
pub use report::{Destination, StatusReport, prometheus};
pub use socket::{SocketError, listen};
pub use store::{Kept, LookupError, Store, StoreStats};

#[cfg(test)]
mod tests;
