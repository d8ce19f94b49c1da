//! What the end-to-end tests, the demo and the measurements share: a stand-in provider, and running programs under `wirespan`.
#![forbid(unsafe_code)]

pub mod agree;
pub mod backends;
pub mod bench;
pub mod bodies;
pub mod capture;
pub mod daemon;
pub mod demo;
pub mod matrix;
pub mod messages;
pub mod need;
pub mod plain;
pub mod process;
pub mod programs;
pub mod soak;
pub mod sockets;
pub mod standin;
