//! What the programs that measure a registry have in common: servers as child processes, one connection to a server that
//! checks every status, what is pushed, and the machine that it runs on.

pub mod answer;
pub mod connection;
pub mod ending;
pub mod image;
pub mod machine;
pub mod number;
pub mod process;
pub mod request;
pub mod upload;
