//! An outside issuer of tokens, whose key is made for one test.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

/// What tokens say of who has made them, and for whom.
pub(crate) const ISSUER: &str = "auth.example";
pub(crate) const SERVICE: &str = "registry.example";

/// Signs tokens with a key of its own (ES256).
pub(crate) struct Issuer {
    key: EcdsaKeyPair,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("make a key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random);
        Self { key: key.expect("a key that was just made") }
    }

    /// The public key, as the registry reads it.
    pub(crate) fn jwks(&self) -> String {
        let point = self.key.public_key().as_ref();
        let (x, y) = (encoded(&point[1..33]), encoded(&point[33..]));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "one", "alg": "ES256", "use": "sig", "x": x, "y": y}]})
            .to_string()
    }

    /// A token for somebody, for five minutes, that grants this: scopes as challenges have them.
    pub(crate) fn token(&self, subject: &str, scopes: &[&str]) -> String {
        self.signed(&claims(subject, scopes))
    }

    /// A token with these claims.
    pub(crate) fn signed(&self, claims: &Value) -> String {
        let header = json!({"typ": "JWT", "alg": "ES256", "kid": "one"});
        let message = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).expect("sign a token");
        format!("{message}.{}", encoded(signature))
    }
}

/// What a token of [`Issuer::token`] says.
pub(crate) fn claims(subject: &str, scopes: &[&str]) -> Value {
    let access: Vec<_> = scopes.iter().map(|scope| entry(scope)).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    json!({"iss": ISSUER, "aud": SERVICE, "sub": subject, "iat": now, "nbf": now, "exp": now + 300, "jti": "1",
        "access": access})
}

/// An entry of the claim `access`, from `repository:acme/app:pull,push`.
fn entry(scope: &str) -> Value {
    let (kind, rest) = scope.split_once(':').expect("a scope has a type");
    let (name, actions) = rest.rsplit_once(':').expect("a scope has actions");
    json!({"type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>()})
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
