//! Tokens of an outside issuer: JSON Web Tokens, as the token server of the Docker protocol signs them (distribution,
//! "Token Authentication Specification").
//!
//! What the issuer has granted is what its holder may do: the rules of the registry neither add to it nor take from it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, TokenData, Validation, decode, decode_header};
use serde::Deserialize;
use tagstone_schema::Timestamp;
use tagstone_schema::limits::ACTOR_NAME_BYTES;

use super::granted::AccessEntry;
use super::jwks::{self, KeysError, SigningKey};
use super::{Caller, Granted, htpasswd, signatures};

/// Bytes of the longest token; one for a hundred repositories has ten thousand.
const MOST_BYTES: usize = 16 << 10;

/// Seconds by which the clocks of issuer and registry may differ.
const LEEWAY: u64 = 30;

/// Somebody else who says what his users may do here.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Where clients ask for tokens.
    pub realm: String,
    /// What tokens call this registry.
    pub service: String,
    /// What tokens call the issuer.
    pub name: String,
    /// Subjects who may be administrators.
    pub admins: BTreeSet<String>,
    keys: Keys,
}

/// The keys that an issuer signs with.
#[derive(Clone, Debug)]
pub struct Keys(Vec<SigningKey>);

impl Keys {
    /// Reads a JWK set.
    pub fn read(path: &Path) -> Result<Self, KeysError> {
        signatures::install();
        Ok(Self(jwks::read(path)?))
    }
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerFault {
    /// It is longer than any that is taken.
    TooLong,
    /// It is no token, or not of the form that is taken.
    Malformed,
    /// No key of the issuer has signed it.
    Unsigned,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYet,
    /// Another issuer has made it.
    OtherIssuer,
    /// It is for another service.
    OtherService,
    /// It does not have a claim that every token needs.
    MissingClaim(&'static str),
    /// It names nobody that the log could name.
    Nameless,
    /// There is no outside issuer.
    NotTaken,
}

impl fmt::Display for BearerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingClaim(name) => return write!(f, "it has no `{name}`, or none that can be read"),
            Self::TooLong => "it is too long",
            Self::Malformed => "it is no token that is taken here",
            Self::Unsigned => "no known key has signed it, with the algorithm that the key is for",
            Self::Expired => "it has expired",
            Self::NotYet => "it is not valid yet",
            Self::OtherIssuer => "it is of another issuer",
            Self::OtherService => "it is for another service",
            Self::Nameless => "its subject is no name of a user",
            Self::NotTaken => "bearer tokens of this kind are not taken here",
        })
    }
}

/// What a token says. Other claims are none of our business.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    exp: Option<f64>,
    /// A text; jsonwebtoken takes a list too, of which any could be meant.
    #[serde(default)]
    iss: Option<String>,
    /// Some issuers write an empty list as `null`.
    #[serde(default)]
    access: Option<Vec<AccessEntry>>,
}

impl Issuer {
    /// An issuer by what it is called and the keys that it signs with.
    pub fn new(realm: String, service: String, name: String, admins: BTreeSet<String>, keys: Keys) -> Self {
        Self { realm, service, name, admins, keys }
    }

    /// The caller that a token is for.
    pub(super) fn admit(&self, token: &str) -> Result<Caller, BearerFault> {
        if token.len() > MOST_BYTES {
            return Err(BearerFault::TooLong);
        }
        let header = decode_header(token).map_err(|_| BearerFault::Malformed)?;
        // What must be understood is not.
        if header.crit.is_some() {
            return Err(BearerFault::Malformed);
        }
        let key = self.key(header.kid.as_deref(), header.alg).ok_or(BearerFault::Unsigned)?;
        let token: TokenData<Claims> =
            decode(token, &key.key, &self.validation(key.algorithm)).map_err(|error| fault(error.kind()))?;
        let Claims { sub, exp, iss, access } = token.claims;
        let exp = exp.ok_or(BearerFault::MissingClaim("exp"))?;
        iss.ok_or(BearerFault::MissingClaim("iss"))?;
        let sub = sub.filter(|sub| !sub.is_empty());
        if sub.as_deref().is_some_and(|sub| !is_name(sub)) {
            return Err(BearerFault::Nameless);
        }
        let mut granted = Granted::new(&access.unwrap_or_default(), end(exp), key.fingerprint);
        if sub.as_ref().is_some_and(|sub| self.admins.contains(sub)) {
            granted = granted.for_an_administrator();
        }
        Ok(Caller::granted(sub.as_deref(), granted))
    }

    /// Whether what was granted still stands: its time is not over, and its key is one of the issuer's.
    pub(super) fn stands_by(&self, granted: &Granted, now: Timestamp) -> bool {
        now < granted.expires && self.keys.0.iter().any(|key| key.fingerprint == granted.key)
    }

    /// The key that a token names. One that names none means the only one, or the one among several that has no name either. A key is for one algorithm alone, so that a token cannot
    /// choose how it is verified.
    fn key(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&SigningKey> {
        let key = match (id, self.keys.0.as_slice()) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
            (None, [only]) => Some(only),
            (None, keys) => keys.iter().find(|key| key.id.is_none()),
        };
        key.filter(|key| key.algorithm == algorithm)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&self.name]);
        validation.set_audience(&[&self.service]);
        validation
    }
}

fn fault(kind: &ErrorKind) -> BearerFault {
    match kind {
        ErrorKind::ExpiredSignature => BearerFault::Expired,
        ErrorKind::ImmatureSignature => BearerFault::NotYet,
        ErrorKind::InvalidIssuer => BearerFault::OtherIssuer,
        ErrorKind::InvalidAudience => BearerFault::OtherService,
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat => {
            BearerFault::Unsigned
        }
        ErrorKind::MissingRequiredClaim(name) => {
            let named = ["exp", "iss", "aud"].into_iter().find(|known| known == name);
            named.map_or(BearerFault::Malformed, BearerFault::MissingClaim)
        }
        _ => BearerFault::Malformed,
    }
}

/// Whether the log can name somebody so, and nobody else is meant by it.
fn is_name(sub: &str) -> bool {
    sub.len() <= ACTOR_NAME_BYTES && !sub.chars().any(char::is_control) && !htpasswd::is_reserved(sub)
}

/// The moment from which a token is no longer taken.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates at the end of time")]
fn end(exp: f64) -> Timestamp {
    Timestamp((exp as i64).saturating_add(LEEWAY.cast_signed()).saturating_mul(1_000_000))
}

#[cfg(test)]
#[path = "issuer_tests.rs"]
mod tests;
