//! Files of public keys (JWK sets, RFC 7517) by which tokens of an outside issuer are verified.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::Value;

/// Bytes of the largest file; a key has about 500.
const FILE_BYTES: u64 = 1 << 20;

/// Keys of a file. Issuers have a few, of which the old ones go.
const MOST_KEYS: usize = 100;

/// Bytes of the modulus of the shortest RSA key (2,048 bits) and the longest (8,192).
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// A key that signs tokens.
#[derive(Clone, Debug)]
pub(super) struct SigningKey {
    pub(super) id: Option<String>,
    /// The one algorithm that it is for, whatever a token says.
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
    /// What tells it from others.
    pub(super) fingerprint: [u8; 32],
}

/// Why a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no file of public keys.
    #[error("{}: {why}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong with it. No part of a key is repeated.
        why: String,
    },
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// Reads the keys of a file. Keys for encryption, and of kinds that sign nothing here, are passed over.
pub(super) fn read(path: &Path) -> Result<Vec<SigningKey>, KeysError> {
    let failed = |source| KeysError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(FILE_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES {
        let why = format!("it is larger than {FILE_BYTES} bytes, so it cannot be a file of keys");
        return Err(KeysError::Wrong { path: path.to_owned(), why });
    }
    parse(&bytes).map_err(|why| KeysError::Wrong { path: path.to_owned(), why })
}

fn parse(bytes: &[u8]) -> Result<Vec<SigningKey>, String> {
    let set: KeySet = serde_json::from_slice(bytes)
        .map_err(|error| format!("it is no JWK set (an object with a list `keys`): {error}"))?;
    if set.keys.len() > MOST_KEYS {
        return Err(format!("it has {} keys; {MOST_KEYS} are the most", set.keys.len()));
    }
    let mut keys: Vec<SigningKey> = Vec::new();
    for (number, key) in (1..).zip(set.keys) {
        let Some(key) = signing_key(&key).map_err(|why| format!("key {number}: {why}"))? else { continue };
        if keys.iter().any(|other| other.id == key.id) {
            let id =
                key.id.map_or("no `kid`, as another one has none".to_owned(), |id| format!("the `kid` {id:?} too"));
            return Err(format!("key {number} has {id}, so a token could not say which one has signed it"));
        }
        keys.push(key);
    }
    if keys.is_empty() {
        return Err("it has no public key that could have signed a token (RSA, P-256, P-384 or Ed25519)".to_owned());
    }
    Ok(keys)
}

fn signing_key(value: &Value) -> Result<Option<SigningKey>, String> {
    // A secret in a file of public keys is a mistake, and whoever knew it could make tokens.
    if value["kty"] == "oct" {
        return Err("it is a shared secret (`oct`); tokens are verified by public keys only".to_owned());
    }
    if value.get("d").is_some() {
        return Err(
            "it is a private key; take its public part, and keep the other one where tokens are signed".to_owned()
        );
    }
    let jwk: Jwk = serde_json::from_value(value.clone()).map_err(|error| format!("it is no JWK: {error}"))?;
    if jwk.common.public_key_use.as_ref().is_some_and(|used| *used != PublicKeyUse::Signature) {
        return Ok(None);
    }
    let Some(algorithm) = algorithm(&jwk)? else { return Ok(None) };
    let key = DecodingKey::from_jwk(&jwk).map_err(|error| format!("its parameters are wrong: {error}"))?;
    check_length(algorithm, &key)?;
    let fingerprint = *blake3::hash(value.to_string().as_bytes()).as_bytes();
    Ok(Some(SigningKey { id: jwk.common.key_id, algorithm, key, fingerprint }))
}

/// The algorithm that a key is for; none for kinds of keys that are not known here.
fn algorithm(jwk: &Jwk) -> Result<Option<Algorithm>, String> {
    let (algorithm, said) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => {
            (Algorithm::ES384, KeyAlgorithm::ES384)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return Ok(None),
    };
    match jwk.common.key_algorithm {
        Some(other) if other != said => {
            Err(format!("its `alg` is {other}; keys of its kind are taken for {said} only"))
        }
        _ => Ok(Some(algorithm)),
    }
}

fn check_length(algorithm: Algorithm, key: &DecodingKey) -> Result<(), String> {
    let is_right = match (algorithm, key.kind()) {
        (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, .. }) => {
            let leading = n.iter().take_while(|byte| **byte == 0).count();
            RSA_BYTES.contains(&(n.len() - leading))
        }
        // An uncompressed point: a byte and two coordinates.
        (Algorithm::ES256, DecodingKeyKind::SecretOrDer(key)) => key.len() == 65,
        (Algorithm::ES384, DecodingKeyKind::SecretOrDer(key)) => key.len() == 97,
        (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(key)) => key.len() == 32,
        _ => false,
    };
    if is_right {
        Ok(())
    } else {
        Err("it has not the length of a key of its kind (RSA: 2,048 to 8,192 bits)".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(id: Option<&str>) -> Value {
        let mut key = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        if let Some(id) = id {
            key["kid"] = json!(id);
        }
        key
    }

    fn with(name: &str, value: Value) -> Value {
        let mut key = key(Some("a"));
        key[name] = value;
        key
    }

    #[test]
    fn keys_that_are_taken() {
        let p256 = json!({"kty": "EC", "crv": "P-256", "kid": "p", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "use": "sig", "alg": "ES256", "x5c": []});
        let rsa = json!({"kty": "RSA", "kid": "r", "e": "AQAB", "n": "uuuu".repeat(85) + "uA"});
        let encryption = with("use", json!("enc"));
        let unknown = json!({"kty": "EC", "crv": "P-521", "kid": "q", "x": "AA", "y": "AA"});
        let set = json!({"keys": [key(Some("a")), encryption, unknown, key(None), p256, rsa]}).to_string();
        let keys = parse(set.as_bytes()).unwrap();
        let taken: Vec<_> = keys.iter().map(|key| (key.id.as_deref(), key.algorithm)).collect();
        assert_eq!(
            taken,
            [
                (Some("a"), Algorithm::EdDSA),
                (None, Algorithm::EdDSA),
                (Some("p"), Algorithm::ES256),
                (Some("r"), Algorithm::RS256)
            ]
        );
    }

    #[test]
    fn files_that_are_refused() {
        let cases = [
            (json!([]), "no JWK set"),
            (json!({"keys": []}), "no public key"),
            (json!({"keys": [with("use", json!("enc"))]}), "no public key"),
            (json!({"keys": [key(Some("a")), key(Some("a"))]}), "key 2 has the `kid` \"a\" too"),
            (json!({"keys": [key(None), key(None)]}), "key 2 has no `kid`"),
            (json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}), "key 1: it is a shared secret"),
            (json!({"keys": [with("d", json!("c2VjcmV0"))]}), "key 1: it is a private key"),
            (json!({"keys": [with("alg", json!("HS256"))]}), "`alg` is HS256"),
            (json!({"keys": [with("x", json!("c2VjcmV0"))]}), "not the length"),
            (json!({"keys": [{"kty": "RSA", "e": "AQAB", "n": "u".repeat(168)}]}), "2,048 to 8,192"),
            (json!({"keys": vec![key(None); 101]}), "101 keys"),
        ];
        for (set, says) in cases {
            let why = parse(set.to_string().as_bytes()).unwrap_err();
            assert!(why.contains(says), "{says:?} is not in {why:?}");
        }
        assert!(parse(b"-----BEGIN PUBLIC KEY-----").is_err());
    }
}
