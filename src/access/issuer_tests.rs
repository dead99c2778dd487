use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tagstone_schema::ActorKind;
use tagstone_schema::event::Action;

use super::*;

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The keys of an issuer.
struct Signer {
    ed25519: Ed25519KeyPair,
    p256: EcdsaKeyPair,
}

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self {
            ed25519: Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).unwrap(),
            p256: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, p256.as_ref(), &random).unwrap(),
        }
    }

    fn jwks(&self) -> Value {
        let point = self.p256.public_key().as_ref();
        json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encoded(self.ed25519.public_key())},
            {"kty": "EC", "crv": "P-256", "kid": "p", "x": encoded(&point[1..33]), "y": encoded(&point[33..])},
        ]})
    }

    /// A token with a header and claims, signed by what the algorithm says, or by the other key if it says neither.
    fn token(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let signature = if header["alg"] == "EdDSA" {
            self.ed25519.sign(message.as_bytes()).as_ref().to_vec()
        } else {
            self.p256.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec()
        };
        format!("{message}.{}", encoded(signature))
    }
}

fn issuer(jwks: &Value) -> Issuer {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), jwks.to_string()).unwrap();
    let text = str::to_owned;
    let keys = Keys::read(file.path()).unwrap();
    Issuer::new(text("https://auth.example/token"), text("tagstone"), text("auth.example"), [text("root")].into(), keys)
}

fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

fn header() -> Value {
    json!({"typ": "JWT", "alg": "EdDSA", "kid": "ed"})
}

fn claims() -> Value {
    json!({"iss": "auth.example", "aud": "tagstone", "sub": "carol", "exp": now() + 300, "nbf": now(), "iat": now(),
        "jti": "x", "access": [{"type": "repository", "name": "acme/app", "actions": ["pull", "push"]}]})
}

fn with(mut value: Value, name: &str, other: Value) -> Value {
    value[name] = other;
    value
}

fn without(mut value: Value, name: &str) -> Value {
    value.as_object_mut().unwrap().remove(name);
    value
}

#[test]
fn tokens_that_are_taken() {
    let signer = Signer::new();
    let issuer = issuer(&signer.jwks());
    let p256 = json!({"alg": "ES256", "kid": "p"});
    let tokens = [
        signer.token(&header(), &claims()),
        signer.token(&p256, &claims()),
        signer.token(&with(header(), "jwk", signer.jwks()["keys"][1].clone()), &claims()),
        signer.token(&header(), &with(claims(), "aud", json!(["other", "tagstone"]))),
        signer.token(&header(), &with(claims(), "exp", json!(now() - 20))),
        signer.token(&header(), &with(claims(), "nbf", json!(now() + 20))),
        signer.token(&header(), &without(without(claims(), "nbf"), "iat")),
        signer.token(&header(), &with(claims(), "something", json!({"else": [1]}))),
    ];
    for token in tokens {
        let caller = issuer.admit(&token).unwrap_or_else(|fault| panic!("{fault}: {token}"));
        assert_eq!((caller.actor().kind, caller.actor().name.as_str()), (ActorKind::User, "carol"));
        let may = [Action::Pull, Action::Push, Action::Delete].map(|action| caller.may(action, "acme/app"));
        assert_eq!(may, [true, true, false]);
        assert!(!caller.may(Action::Pull, "acme/other") && !caller.is_administrator() && !caller.is_user());
    }
    // Nothing is granted, in several ways.
    for access in [json!([]), Value::Null, json!([{"type": "repository", "name": "acme/app"}])] {
        let caller = issuer.admit(&signer.token(&header(), &with(claims(), "access", access))).unwrap();
        assert!(!caller.may(Action::Pull, "acme/app"));
    }
    assert!(issuer.admit(&signer.token(&header(), &without(claims(), "access"))).is_ok());
    // Somebody who has not logged in there.
    for claims in [with(claims(), "sub", json!("")), without(claims(), "sub")] {
        let caller = issuer.admit(&signer.token(&header(), &claims)).unwrap();
        assert_eq!(caller.actor().kind, ActorKind::Anonymous);
        assert!(caller.may(Action::Pull, "acme/app") && caller.may_enter());
    }
    let catalog = json!([{"type": "registry", "name": "catalog", "actions": ["*"]}]);
    let root = with(with(claims(), "sub", json!("root")), "access", catalog);
    assert!(issuer.admit(&signer.token(&header(), &root)).unwrap().is_administrator());
}

#[test]
fn tokens_that_are_refused() {
    use BearerFault::*;

    let (signer, stranger) = (Signer::new(), Signer::new());
    let issuer = issuer(&signer.jwks());
    let right = signer.token(&header(), &claims());
    let (message, signature) = right.rsplit_once('.').unwrap();
    // What the public key verifies anybody can make with HMAC, if the token could choose the algorithm.
    let hmac = {
        let message =
            format!("{}.{}", encoded(json!({"alg": "HS256", "kid": "ed"}).to_string()), encoded(claims().to_string()));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, signer.ed25519.public_key().as_ref());
        format!("{message}.{}", encoded(ring::hmac::sign(&key, message.as_bytes())))
    };
    let none = |signature: &str| {
        format!("{}.{}.{signature}", encoded(json!({"alg": "none"}).to_string()), encoded(claims().to_string()))
    };
    let by = |header: Value| signer.token(&header, &claims());
    let saying = |name: &str, value: Value| signer.token(&header(), &with(claims(), name, value));
    let cases = [
        ("another key", stranger.token(&header(), &claims()), Unsigned),
        ("HMAC with the public key", hmac, Unsigned),
        ("no signature", format!("{message}."), Unsigned),
        ("none", none(""), Malformed),
        ("none, signed", none(signature), Malformed),
        ("the algorithm of the other key", by(json!({"alg": "ES256", "kid": "ed"})), Unsigned),
        ("the kid of the other key", by(json!({"alg": "EdDSA", "kid": "p"})), Unsigned),
        ("an unknown kid", by(with(header(), "kid", json!("x"))), Unsigned),
        ("no kid where there are two keys", by(without(header(), "kid")), Unsigned),
        (
            "its own key",
            stranger.token(&with(header(), "jwk", stranger.jwks()["keys"][0].clone()), &claims()),
            Unsigned,
        ),
        ("crit", by(with(header(), "crit", json!(["x"]))), Malformed),
        ("changed claims", format!("{}.{signature}", message.replacen('.', ".A", 1)), Unsigned),
        ("expired", saying("exp", json!(now() - 60)), Expired),
        ("never ends", signer.token(&header(), &without(claims(), "exp")), MissingClaim("exp")),
        ("ends as a text", saying("exp", json!("9999999999")), Malformed),
        ("ends before all time", saying("exp", json!(-1)), MissingClaim("exp")),
        ("not yet", saying("nbf", json!(now() + 60)), NotYet),
        ("begins as a text", saying("nbf", json!("0")), Malformed),
        ("another issuer", saying("iss", json!("auth.example.com")), OtherIssuer),
        ("no issuer", signer.token(&header(), &without(claims(), "iss")), MissingClaim("iss")),
        ("several issuers", saying("iss", json!(["auth.example", "b"])), Malformed),
        ("another service", saying("aud", json!("tagstone2")), OtherService),
        ("other services", saying("aud", json!(["a", "b"])), OtherService),
        ("no service", signer.token(&header(), &without(claims(), "aud")), MissingClaim("aud")),
        ("a name that rules use", saying("sub", json!("*")), Nameless),
        ("a name that is too long", saying("sub", json!("x".repeat(256))), Nameless),
        ("a name of two lines", saying("sub", json!("a\nb")), Nameless),
        ("a name that is a number", saying("sub", json!(7)), Malformed),
        ("access that is none", saying("access", json!("repository:acme/app:pull")), Malformed),
        ("too long", saying("jti", json!("x".repeat(16 << 10))), TooLong),
        ("four parts", format!("{right}.x"), Malformed),
        ("two parts", message.to_owned(), Malformed),
        ("nothing", String::new(), Malformed),
        ("dots", "..".to_owned(), Malformed),
        ("an encrypted one", "a.b.c.d.e".to_owned(), Malformed),
    ];
    for (what, token, fault) in cases {
        assert_eq!(issuer.admit(&token).map(|caller| caller.actor().name.clone()), Err(fault), "{what}");
    }
    assert!(issuer.admit(&right).is_ok());
}

#[test]
fn what_was_granted_stands_until_its_time_or_its_key_is_gone() {
    let signer = Signer::new();
    let caller = issuer(&signer.jwks()).admit(&signer.token(&header(), &claims())).unwrap();
    let granted = caller.grants().unwrap();
    let seconds = |seconds: u64| Timestamp(i64::try_from(seconds).unwrap() * 1_000_000);
    let stands = |jwks: &Value, now| issuer(jwks).stands_by(granted, now);
    assert!(stands(&signer.jwks(), seconds(now() + 300)));
    assert!(!stands(&signer.jwks(), seconds(now() + 331)));
    assert!(!stands(&Signer::new().jwks(), seconds(now())));
    let mut rest = signer.jwks();
    rest["keys"].as_array_mut().unwrap().remove(0);
    assert!(!stands(&rest, seconds(now())));
}

#[test]
fn the_only_key_needs_no_name() {
    let signer = Signer::new();
    let mut jwks = signer.jwks();
    jwks["keys"].as_array_mut().unwrap().remove(1);
    let issuer = issuer(&jwks);
    assert!(issuer.admit(&signer.token(&json!({"alg": "EdDSA"}), &claims())).is_ok());
    assert_eq!(issuer.admit(&signer.token(&json!({"alg": "ES256"}), &claims())).err(), Some(BearerFault::Unsigned));
}

#[test]
fn a_token_without_a_name_means_the_key_without_one() {
    let signer = Signer::new();
    let mut jwks = signer.jwks();
    jwks["keys"][0].as_object_mut().unwrap().remove("kid");
    let issuer = issuer(&jwks);
    assert!(issuer.admit(&signer.token(&json!({"alg": "EdDSA"}), &claims())).is_ok());
    assert_eq!(issuer.admit(&signer.token(&json!({"alg": "ES256"}), &claims())).err(), Some(BearerFault::Unsigned));
    assert_eq!(issuer.admit(&signer.token(&header(), &claims())).err(), Some(BearerFault::Unsigned));
    assert_eq!(BearerFault::MissingClaim("aud").to_string(), "it has no `aud`, or none that can be read");
}

proptest::proptest! {
    /// Whatever is shown, it is refused or admitted.
    #[test]
    fn any_text_is_answered(
        text in "\\PC{0,200}",
        parts in proptest::collection::vec("[ -~]{0,60}", 3),
        place in 0_usize..400,
        byte in 0_u8..128,
    ) {
        let signer = Signer::new();
        let issuer = issuer(&signer.jwks());
        proptest::prop_assert!(issuer.admit(&text).is_err());
        let parts: Vec<_> = parts.iter().map(encoded).collect();
        proptest::prop_assert!(issuer.admit(&parts.join(".")).is_err());
        let mut right = signer.token(&header(), &claims()).into_bytes();
        if let Some(other) = right.get_mut(place) {
            let is_same = *other == byte;
            *other = byte;
            let token = String::from_utf8(right).unwrap();
            // The last character of a part may have bits that mean nothing, which the library refuses.
            proptest::prop_assert_eq!(issuer.admit(&token).is_ok(), is_same, "{}", token);
        }
    }
}
