//! Login tokens: a login for five minutes, which clients of the Docker token protocol are given instead of sending the password with
//! each request.
//!
//! Where anybody may pull without credentials, `GET /v2/` cannot ask for a password: a client that has none would give up. It asks for
//! a token of ours instead, which everybody is given, with or without a password. Such a token is no more than what was shown for it:
//! the rules are asked with each request, a user who is gone is gone, and it makes neither an administrator nor another token.
//!
//! Nothing is stored. A token says who holds it and until when, under a keyed hash whose key this process has drawn; after a restart
//! clients fetch another one.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use tagstone_schema::{Id, Timestamp};

const PREFIX: &str = "tagstone-login.";

/// How long a login token is taken. Clients fetch another one when it is over.
const LIFETIME: Duration = Duration::from_secs(300);

/// Who has shown what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Holder {
    Nobody,
    /// By a password; `login` tells it from another one.
    User {
        name: String,
        login: u64,
    },
    /// By the secret of an access token.
    Token {
        id: Id,
    },
}

#[derive(Serialize, Deserialize)]
struct Told {
    holder: Holder,
    until: i64,
}

/// A token, to be given to whoever has asked.
#[derive(Clone, Debug)]
pub struct LoginToken {
    /// What is sent with requests.
    pub text: String,
    /// How long it is taken.
    pub lifetime: Duration,
}

/// Makes login tokens and knows them again.
pub(super) struct LoginTokens {
    key: [u8; 32],
}

impl LoginTokens {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self { key })
    }

    /// A token for somebody.
    pub(super) fn issue(&self, holder: Holder, now: Timestamp) -> Option<LoginToken> {
        let until = now.0.saturating_add(i64::try_from(LIFETIME.as_micros()).ok()?);
        let told = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&Told { holder, until }).ok()?);
        let proof = URL_SAFE_NO_PAD.encode(self.proof(&told).as_bytes());
        Some(LoginToken { text: format!("{PREFIX}{told}.{proof}"), lifetime: LIFETIME })
    }

    /// Whether a text has the form of such a token, right or wrong.
    pub(super) fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Who holds a token, and until when. None where it is over, or of another process.
    pub(super) fn read(&self, text: &str, now: Timestamp) -> Option<(Holder, Timestamp)> {
        let (told, proof) = text.strip_prefix(PREFIX)?.split_once('.')?;
        let proof: [u8; 32] = URL_SAFE_NO_PAD.decode(proof).ok()?.try_into().ok()?;
        // Hashes of this library are compared in constant time.
        if self.proof(told) != blake3::Hash::from_bytes(proof) {
            return None;
        }
        let Told { holder, until } = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(told).ok()?).ok()?;
        (now.0 < until).then_some((holder, Timestamp(until)))
    }

    fn proof(&self, told: &str) -> blake3::Hash {
        blake3::keyed_hash(&self.key, told.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_again_until_its_time_is_over() {
        let (tokens, others) = (LoginTokens::new().unwrap(), LoginTokens::new().unwrap());
        let holders = [
            Holder::Nobody,
            Holder::User { name: "a \"quoted\" Zoë".to_owned(), login: u64::MAX },
            Holder::Token { id: Id([7; 16]) },
        ];
        for holder in holders {
            let token = tokens.issue(holder.clone(), Timestamp(5)).unwrap();
            assert!(LoginTokens::is_meant(&token.text) && token.text.is_ascii(), "{}", token.text);
            let end = Timestamp(300_000_005);
            assert_eq!(tokens.read(&token.text, Timestamp(300_000_004)), Some((holder.clone(), end)));
            assert_eq!(tokens.read(&token.text, end), None);
            assert_eq!(others.read(&token.text, Timestamp(5)), None);
            for place in PREFIX.len()..token.text.len() {
                let mut other = token.text.clone().into_bytes();
                other[place] = if other[place] == b'A' { b'B' } else { b'A' };
                assert_eq!(tokens.read(std::str::from_utf8(&other).unwrap(), Timestamp(5)), None, "{place}");
            }
        }
        for wrong in ["", PREFIX, "tagstone-login..", "tagstone-login.e30.e30", "tagstone-login.e30"] {
            assert_eq!(tokens.read(wrong, Timestamp(5)), None, "{wrong}");
        }
    }
}
