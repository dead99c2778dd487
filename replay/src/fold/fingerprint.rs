//! The fingerprint: one hash over the whole state, the same wherever the same log is folded.
//!
//! It is BLAKE3 over a canonical text of the state; `docs/format.md` ("The fingerprint") specifies it. Bumping the
//! first line is the only way to change what is covered.

use std::fmt;

use serde::{Deserialize, Serialize};
use tagstone_schema::digest::{digits_of, hex};
use tagstone_schema::{Digest, Event, Id, MediaType};

use super::contents::whole::Sorted;
use super::policy::PolicyStatus;
use super::repository::Repository;
use super::state::{Moment, State};

/// BLAKE3 over the canonical text of a state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Whether an event leaves the fingerprint of any state as it is.
    pub fn stays_with(event: &Event) -> bool {
        matches!(event, Event::ServerStarted { .. } | Event::AttemptsRefused { .. })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        tagstone_schema::digest::unhex(&text).map(Self).ok_or_else(|| serde::de::Error::custom("not a fingerprint"))
    }
}

impl State {
    /// The fingerprint of the state. It takes time in proportion to the state's size.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut text = CanonicalText::default();
        text.state(self);
        text.finish()
    }
}

/// Hashes the canonical text: one line an item, fields separated by one space, an absent field as `-`. Texts that
/// people chose stand as JSON strings, so that no field can hold a line break.
///
/// A state of millions of manifests has gigabytes of it, so its fields are written by hand: what `fmt` does for each of them
/// takes three times as long as hashing them.
#[derive(Default)]
struct CanonicalText {
    hasher: blake3::Hasher,
    pending: Vec<u8>,
}

impl CanonicalText {
    /// Large enough that BLAKE3 hashes many chunks side by side.
    const PENDING_BYTES: usize = 64 * 1024;

    fn line(&mut self, fields: &[&dyn Field]) {
        for (at, field) in fields.iter().enumerate() {
            if at > 0 {
                self.pending.push(b' ');
            }
            field.put(&mut self.pending);
        }
        self.pending.push(b'\n');
        if self.pending.len() >= Self::PENDING_BYTES {
            self.hasher.update(&self.pending);
            self.pending.clear();
        }
    }

    fn finish(mut self) -> Fingerprint {
        self.hasher.update(&self.pending);
        Fingerprint(*self.hasher.finalize().as_bytes())
    }

    fn state(&mut self, state: &State) {
        self.line(&[&"tagstone state 2"]);
        self.line(&[&"log", &state.log()]);
        let whole = state.contents.whole();
        for (name, repository) in state.repositories() {
            self.line(&[&"repository", &name.as_str()]);
            self.contents(&whole.sorted(repository));
            self.tags(repository);
        }
        for (id, policy) in state.policies() {
            let status = match policy.status {
                PolicyStatus::Draft => "draft",
                PolicyStatus::Active => "active",
                PolicyStatus::Retired => "retired",
            };
            let (created, activated, in_force) = (&policy.created, &policy.activated, &policy.in_force);
            let definition = json(&(&policy.scope, &policy.rule));
            self.line(&[&"policy", id, &status, created, activated, in_force, &policy.retired, &&*definition]);
        }
        for (scope, demand, until) in state.rules.ended() {
            let definition = json(&(&scope, demand.selector.pattern(), demand.include_referrer_tags));
            self.line(&[&"ended", &until, &&*definition]);
        }
        for (repository, tag, spent) in state.spent_names() {
            self.line(&[&"spent", &repository.as_str(), &tag.as_str(), &spent.only, &spent.removed]);
        }
        for (id, token) in state.tokens() {
            let (hash, expires) = (Hex(&token.secret_hash), token.expires.map(|at| at.0));
            let definition = json(&(&token.subject, &token.scopes, &token.label));
            self.line(&[&"token", id, &token.issued, &token.revoked, &expires, &hash, &&*definition]);
        }
    }

    fn contents(&mut self, contents: &Sorted<'_, '_>) {
        contents.each_blob(|digest, size| self.line(&[&"blob", digest, &size]));
        contents.each_manifest(|manifest, references| {
            let (artifact_type, subject) = (manifest.artifact_type().map(MediaType::as_str), &manifest.subject());
            let (size, media_type, pushed) = (&manifest.size, &manifest.media_type().as_str(), &manifest.pushed);
            self.line(&[&"manifest", &manifest.digest, size, media_type, &artifact_type, subject, pushed]);
            references.for_each(|reference| self.line(&[&"reference", reference]));
        });
    }

    fn tags(&mut self, repository: Repository<'_>) {
        for (tag, state) in repository.tags_after(None) {
            let (locked, expires) = (state.locked(), state.expires().map(|at| at.0));
            let (digest, since, before) = (state.digest(), &state.since(), state.protected_before());
            self.line(&[&"tag", &tag.as_str(), digest, since, &locked, &expires, &before]);
        }
    }
}

/// What stands in a field.
trait Field {
    fn put(&self, text: &mut Vec<u8>);
}

impl Field for &str {
    fn put(&self, text: &mut Vec<u8>) {
        text.extend_from_slice(self.as_bytes());
    }
}

impl<T: Field> Field for &T {
    fn put(&self, text: &mut Vec<u8>) {
        T::put(self, text);
    }
}

impl<T: Field> Field for Option<T> {
    fn put(&self, text: &mut Vec<u8>) {
        match self {
            Some(value) => value.put(text),
            None => text.push(b'-'),
        }
    }
}

impl Field for u64 {
    fn put(&self, text: &mut Vec<u8>) {
        let (mut digits, mut begin, mut rest) = ([0; 20], 20, *self);
        loop {
            begin -= 1;
            digits[begin] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        text.extend_from_slice(&digits[begin..]);
    }
}

impl Field for i64 {
    fn put(&self, text: &mut Vec<u8>) {
        if *self < 0 {
            text.push(b'-');
        }
        self.unsigned_abs().put(text);
    }
}

/// Bytes in lower-case hex.
struct Hex<'a>(&'a [u8]);

impl Field for Hex<'_> {
    fn put(&self, text: &mut Vec<u8>) {
        let begin = text.len();
        text.resize(begin + self.0.len() * 2, 0);
        for (pair, byte) in text[begin..].as_chunks_mut().0.iter_mut().zip(self.0) {
            *pair = digits_of(*byte);
        }
    }
}

impl Field for Id {
    fn put(&self, text: &mut Vec<u8>) {
        text.extend_from_slice(self.to_string().as_bytes());
    }
}

impl Field for Digest {
    fn put(&self, text: &mut Vec<u8>) {
        text.extend_from_slice(self.algorithm().name().as_bytes());
        text.push(b':');
        Hex(self.raw()).put(text);
    }
}

/// `<seq>@<microseconds>`
impl Field for Moment {
    fn put(&self, text: &mut Vec<u8>) {
        self.seq.put(text);
        text.push(b'@');
        self.time.0.put(text);
    }
}

/// Compact JSON. The values here hold nothing that JSON cannot express.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tagstone_schema::Timestamp;

    use super::*;

    fn put(field: &dyn Field) -> String {
        let mut text = Vec::new();
        field.put(&mut text);
        String::from_utf8(text).unwrap()
    }

    proptest! {
        #[test]
        fn fields_are_what_rust_and_the_schema_write(
            seq in prop_oneof![any::<u64>(), 0u64..1000],
            time in prop_oneof![any::<i64>(), -1000i64..1000],
            short in any::<[u8; 32]>(),
            id in any::<[u8; 16]>(),
        ) {
            let (sha256, sha512) = (Digest::sha256(short), Digest::sha512([short[0]; 64]));
            prop_assert_eq!(put(&sha256), sha256.to_string());
            prop_assert_eq!(put(&sha512), sha512.to_string());
            prop_assert_eq!(put(&Moment { seq, time: Timestamp(time) }), format!("{seq}@{time}"));
            prop_assert_eq!(put(&Id(id)), Id(id).to_string());
            prop_assert_eq!(put(&Hex(&short)), hex(&short));
            prop_assert_eq!(put(&Some(&sha256)), sha256.to_string());
        }
    }

    #[test]
    fn a_text_is_hashed_as_a_whole_however_long_it_is() {
        let (mut hashed, mut text) = (CanonicalText::default(), String::new());
        for number in 0..20_000_u64 {
            hashed.line(&[&"line", &number]);
            text += &format!("line {number}\n");
        }
        assert!(text.len() > 3 * CanonicalText::PENDING_BYTES);
        assert_eq!(hashed.finish(), Fingerprint(*blake3::hash(text.as_bytes()).as_bytes()));
    }

    #[test]
    fn the_ends_of_numbers_and_what_is_absent() {
        let written = [put(&0_u64), put(&u64::MAX), put(&i64::MIN), put(&i64::MAX), put(&None::<u64>), put(&"a b")];
        assert_eq!(written, ["0", "18446744073709551615", "-9223372036854775808", "9223372036854775807", "-", "a b"]);
    }
}
