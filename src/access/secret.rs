//! Secrets of access tokens: `tagstone_`, and 60 characters.
//!
//! The characters are the URL-safe base64 of 45 bytes: the token's id (16), what is drawn (25), and the first four bytes of SHA-256
//! over those 41. The id finds the token without a search; 200 random bits are beyond guessing, so a fast hash of the secret is as
//! safe as a slow one; and by prefix and checksum a scanner knows a secret that was committed somewhere from any other text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use tagstone_schema::Id;

pub(super) const PREFIX: &str = "tagstone_";
const ID_BYTES: usize = 16;
const RANDOM_BYTES: usize = 25;
const CHECKED_BYTES: usize = ID_BYTES + RANDOM_BYTES;
const CHECKSUM_BYTES: usize = 4;
const BYTES: usize = CHECKED_BYTES + CHECKSUM_BYTES;

/// A secret that was just made. It is shown once, and nothing but its hash is kept.
pub struct Secret(String);

impl Secret {
    /// Draws the secret of a new token. The error is the operating system's.
    pub fn draw(token: Id) -> Result<Self, getrandom::Error> {
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random)?;
        Ok(Self::of(token, random))
    }

    fn of(token: Id, random: [u8; RANDOM_BYTES]) -> Self {
        let mut bytes = [0; BYTES];
        bytes[..ID_BYTES].copy_from_slice(&token.0);
        bytes[ID_BYTES..CHECKED_BYTES].copy_from_slice(&random);
        let checksum = checksum(&bytes[..CHECKED_BYTES]);
        bytes[CHECKED_BYTES..].copy_from_slice(&checksum);
        Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// What its holder is to keep.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(self.0.as_bytes()).as_bytes()
    }
}

/// A secret that somebody shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShownSecret {
    pub(super) token: Id,
    hash: blake3::Hash,
}

impl ShownSecret {
    /// Reads what has the form of a secret. Anything else is none, and may be a password.
    pub(super) fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let bytes: [u8; BYTES] = bytes.try_into().ok()?;
        let (checked, sum) = bytes.split_at(CHECKED_BYTES);
        let token = Id(checked.first_chunk::<ID_BYTES>().copied()?);
        (checksum(checked) == sum).then(|| Self { token, hash: blake3::hash(text.as_bytes()) })
    }

    /// Whether it is the secret of which this was kept. It takes the same time wherever the two differ.
    pub(super) fn has_hash(&self, kept: &[u8; 32]) -> bool {
        // Hashes of this library are compared in constant time.
        self.hash == blake3::Hash::from_bytes(*kept)
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(bytes));
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_what_scanners_look_for() {
        let secret = Secret::of(Id([7; 16]), [0xa5; RANDOM_BYTES]);
        // Made by Python: base64.urlsafe_b64encode(p + hashlib.sha256(p).digest()[:4]), p = b"\7" * 16 + b"\xa5" * 25
        assert_eq!(secret.text(), "tagstone_BwcHBwcHBwcHBwcHBwcHB6WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU0E1z2");
        let form = regex::Regex::new("^tagstone_[A-Za-z0-9_-]{60}$").unwrap();
        for _ in 0..100 {
            let secret = Secret::draw(Id([9; 16])).unwrap();
            assert!(form.is_match(secret.text()), "{}", secret.text());
            let shown = ShownSecret::read(secret.text()).unwrap();
            assert!(shown.token == Id([9; 16]) && shown.has_hash(&secret.hash()));
            assert!(!shown.has_hash(&Secret::draw(Id([9; 16])).unwrap().hash()));
        }
    }

    #[test]
    fn other_texts_are_no_secrets() {
        let right = Secret::draw(Id([9; 16])).unwrap().text().to_owned();
        for place in 0..right.len() {
            let mut other = right.clone().into_bytes();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            assert!(ShownSecret::read(std::str::from_utf8(&other).unwrap()).is_none(), "{place}");
        }
        let upper = right.to_uppercase();
        for wrong in ["", "tagstone_", &right[..68], &format!("{right}A"), &format!("{right}="), &upper, &right[9..]] {
            assert!(ShownSecret::read(wrong).is_none(), "{wrong}");
        }
    }
}
