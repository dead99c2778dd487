//! Files of users: a name and the bcrypt hash of a password on each line, as `htpasswd -nB` writes them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use bcrypt::HashParts;
use tagstone_schema::limits::ACTOR_NAME_BYTES;

/// Bytes of the largest file; a hundred thousand users have about eight million.
const FILE_BYTES: u64 = 16 << 20;

/// The highest cost, which is the highest that `htpasswd` makes: it takes seconds to verify a password of it.
const HIGHEST_COST: u32 = 17;

/// Names that rules use for something else.
const RESERVED: [&str; 3] = ["*", "anonymous", super::tokens::ANY_USER];

/// The users of a file.
#[derive(Clone, Debug, Default)]
pub struct Users {
    hashes: BTreeMap<String, Arc<str>>,
    /// The same hashes, to be chosen from by a number.
    in_order: Vec<Arc<str>>,
}

/// Why a file of users cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is wrong.
    #[error("{}:{line}: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong. No part of a hash is repeated.
        why: String,
    },
}

impl Users {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, UsersError> {
        let failed = |source| UsersError::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(FILE_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
        if bytes.len() as u64 > FILE_BYTES {
            let why = format!("it is larger than {FILE_BYTES} bytes, so it cannot be a file of users");
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, why)));
        }
        Self::parse(&bytes).map_err(|(line, why)| UsersError::Line { path: path.to_owned(), line, why })
    }

    /// Reads lines; an error says in which one.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, (usize, String)> {
        let mut users = Self::default();
        // Editors of some systems put a byte order mark there, which is no part of the first name.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            let line = std::str::from_utf8(line).map_err(|_| (number, "the line is not UTF-8".to_owned()))?;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (user, hash) = user(line).map_err(|why| (number, why))?;
            let hash: Arc<str> = hash.into();
            if users.hashes.insert(user.to_owned(), hash.clone()).is_some() {
                return Err((number, format!("{user:?} stands in the file twice")));
            }
            users.in_order.push(hash);
        }
        Ok(users)
    }

    /// Whether there is such a user.
    pub fn has(&self, user: &str) -> bool {
        self.hashes.contains_key(user)
    }

    /// The hash of a user's password.
    pub(super) fn hash_of(&self, user: &str) -> Option<&Arc<str>> {
        self.hashes.get(user)
    }

    /// A hash of somebody, by a number that is the same whenever the same unknown user is asked for. So it takes as long to find
    /// out that there is no such user as to find out that the password is wrong, also where the hashes have different costs.
    pub(super) fn any_hash(&self, number: u64) -> Option<&Arc<str>> {
        let count = self.in_order.len() as u64;
        let place = number.checked_rem(count)?;
        self.in_order.get(usize::try_from(place).ok()?)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.hashes.len()
    }
}

/// Whether a name means something else than a user.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// The user and the hash of a line.
fn user(line: &str) -> Result<(&str, &str), String> {
    let (user, hash) =
        line.split_once(':').ok_or("there is no colon; a line is `user:hash`, as `htpasswd -nB` writes it")?;
    if user.is_empty() || user.chars().any(char::is_control) {
        return Err("the name of a user is empty or has control characters in it".to_owned());
    }
    if user.len() > ACTOR_NAME_BYTES {
        return Err(format!("the name of a user has more than {ACTOR_NAME_BYTES} bytes, which no record can hold"));
    }
    if is_reserved(user) {
        return Err(format!("{user:?} cannot be the name of a user, since it means others here"));
    }
    let is_bcrypt = ["$2y$", "$2b$", "$2a$"].iter().any(|scheme| hash.starts_with(scheme));
    let parts = is_bcrypt.then(|| HashParts::from_str(hash).ok()).flatten();
    let parts = parts.ok_or_else(|| format!("the hash of {user:?} is not of bcrypt; make it with `htpasswd -B`"))?;
    match parts.get_cost() {
        4..=HIGHEST_COST => Ok((user, hash)),
        cost => Err(format!("the hash of {user:?} has the cost {cost}; 4 to {HIGHEST_COST} can be used")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has the scheme, and nothing else that a hash has.
    const NO_HASH: &str = "$2y$05$HASH";

    #[test]
    fn lines_that_are_read() {
        let hash = bcrypt::hash("x", 4).unwrap();
        let text = format!("# users\n\nalice:{hash}\r\n  bob:{}\n", hash.replace("$2b$", "$2y$"));
        let users = Users::parse(text.as_bytes()).unwrap();
        assert_eq!(users.count(), 2);
        assert_eq!(users.hash_of("alice").unwrap().as_ref(), hash);
        assert!(users.hash_of("bob").unwrap().starts_with("$2y$"));
        assert!(users.hash_of("Alice").is_none() && users.hash_of("").is_none());
        let marked = Users::parse(format!("\u{feff}alice:{hash}\n").as_bytes()).unwrap();
        assert!(marked.has("alice") && marked.count() == 1);
        assert_ne!(users.any_hash(0), users.any_hash(1));
        assert_eq!(users.any_hash(0), users.any_hash(2));
        assert_eq!(Users::parse(b"").unwrap().any_hash(7), None);
    }

    #[test]
    fn lines_that_are_refused() {
        let hash = bcrypt::hash("x", 4).unwrap();
        let costly = hash.replacen("$04$", "$31$", 1);
        for (line, says) in [
            ("alice".to_owned(), "no colon"),
            (format!(":{hash}"), "is empty"),
            (format!("*:{hash}"), "cannot be the name"),
            (format!("anonymous:{hash}"), "cannot be the name"),
            (format!("{}:{hash}", "x".repeat(256)), "more than 255 bytes"),
            ("bob:$apr1$x$y".to_owned(), "htpasswd -B"),
            ("bob:{SHA}xxxx".to_owned(), "htpasswd -B"),
            ("bob:secret".to_owned(), "htpasswd -B"),
            (format!("bob:{NO_HASH}"), "htpasswd -B"),
            (format!("bob:{}", hash.replacen("$2b$", "$2x$", 1)), "htpasswd -B"),
            (format!("bob:{hash}x"), "htpasswd -B"),
            (format!("bob:{costly}"), "cost 31"),
            (format!("bob:{hash}\nbob:{hash}"), "twice"),
        ] {
            let (number, why) = Users::parse(format!("# first\n{line}\n").as_bytes()).unwrap_err();
            assert_eq!(number, 2 + line.matches('\n').count(), "{line}");
            assert!(why.contains(says), "{line}: {why}");
            assert!(!why.contains(&hash), "the error repeats a hash: {why}");
        }
        assert_eq!(Users::parse(b"\n\xff:x").unwrap_err().0, 2);
    }
}
