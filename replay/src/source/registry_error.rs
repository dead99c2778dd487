//! Why a running registry cannot be read, and what its answers say about it.

use std::io::Read;

use ureq::Body;
use ureq::http::Response;

use super::address::AddressError;

/// Bytes of an answer that says what is wrong.
const ERROR_BYTES: u64 = 4096;

/// Why a registry cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// What was given is no URL of one.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// It does not answer.
    #[error("{address} cannot be reached: {why}{}", if *.no_tls { "; does it speak TLS?" } else { "" })]
    Unreachable {
        /// Where it should be.
        address: String,
        /// What was said.
        why: String,
        /// Whether what came back is no TLS, although the URL asks for it.
        no_tls: bool,
    },
    /// It began to answer.
    #[error("{address} has not ended its answer: {why}")]
    Cut {
        /// Where it is.
        address: String,
        /// What was said.
        why: String,
    },
    /// It wants to know who asks.
    #[error("{address} asks for credentials: give --user NAME, and the password in TAGSTONE_PASSWORD")]
    Unauthorized {
        /// Where it is.
        address: String,
    },
    /// It was told who asks, and does not believe it.
    #[error("{address} does not accept these credentials{}", after_colon(said))]
    NotAccepted {
        /// Where it is.
        address: String,
        /// What it says about them.
        said: String,
    },
    /// It knows who asks, and does not show him its log.
    #[error(
        "{address} does not show its log to this user: reading it is for administrators, with name and password{}",
        after_colon(said)
    )]
    Forbidden {
        /// Where it is.
        address: String,
        /// What it says about it.
        said: String,
    },
    /// Something else answers there.
    #[error("{address} answers, but not as a Tagstone registry: {why}")]
    NotTagstone {
        /// Where it is.
        address: String,
        /// What does not fit.
        why: String,
    },
    /// It cannot answer now.
    #[error("{address} answers {status}: {said}")]
    Refused {
        /// Where it is.
        address: String,
        /// The status.
        status: u16,
        /// Its message, or the first part of the answer's body.
        said: String,
    },
}

fn after_colon(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

pub(super) fn unreachable(address: String, error: &ureq::Error) -> RegistryError {
    let why = error.to_string();
    // What a server that speaks in the clear answers to the first bytes of TLS is no TLS, or nothing at all.
    let no_tls = address.starts_with("https:")
        && ["InvalidContentType", "corrupt message", "unexpected end of file"].iter().any(|sign| why.contains(sign));
    RegistryError::Unreachable { address, why, no_tls }
}

/// The message of an answer that is an error, in either form that registries use; or else the first part of what it says.
pub(super) fn said(mut answer: Response<Body>) -> String {
    let mut body = Vec::new();
    let _ = answer.body_mut().as_reader().take(ERROR_BYTES).read_to_end(&mut body);
    let told: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let message = told.as_ref().and_then(|told| {
        ["/error_message", "/detail", "/errors/0/message"].iter().find_map(|place| told.pointer(place)?.as_str())
    });
    message.map_or_else(|| printable(&String::from_utf8_lossy(&body)), printable)
}

/// What somebody else said, so that it steers no terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
