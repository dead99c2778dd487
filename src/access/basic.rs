//! Credentials as an `Authorization` header carries them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::secret::PREFIX;

/// A name and a password, as RFC 7617 sends them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

/// A header says something that this gate does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What a header carries.
pub(super) enum Given<'a> {
    /// Neither a name nor a password: an empty one of each is how some clients say that they have none.
    Nothing,
    Password(Credentials),
    /// A token (RFC 6750).
    Bearer(&'a str),
}

impl<'a> Given<'a> {
    /// Reads the value of a header.
    pub(super) fn read(authorization: &'a [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(authorization).map_err(|_| Malformed)?;
        let (scheme, rest) = text.split_once(' ').ok_or(Malformed)?;
        let rest = rest.trim_matches(' ');
        if scheme.eq_ignore_ascii_case("bearer") {
            return if rest.is_empty() { Err(Malformed) } else { Ok(Self::Bearer(rest)) };
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(Malformed);
        }
        let decoded = String::from_utf8(STANDARD.decode(rest).map_err(|_| Malformed)?).map_err(|_| Malformed)?;
        // A password may have colons in it, a name may not.
        let (user, password) = decoded.split_once(':').ok_or(Malformed)?;
        if decoded.chars().any(char::is_control) {
            return Err(Malformed);
        }
        if user.is_empty() && password.is_empty() {
            return Ok(Self::Nothing);
        }
        Ok(Self::Password(Credentials { user: user.to_owned(), password: password.to_owned() }))
    }
}

/// Bytes of a name that is told; longer than any that a file of users would sensibly have.
const TOLD_CHARS: usize = 255;

/// The user that a header names, as it was sent, for whoever watches failed logins. Never a password: where nothing parts
/// the two, nothing is told, and neither is an access token that was given in the place of the name.
pub fn user_given(authorization: &[u8]) -> Option<String> {
    let (scheme, rest) = std::str::from_utf8(authorization).ok()?.split_once(' ')?;
    let decoded = STANDARD.decode(rest.trim_matches(' ')).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let user = String::from_utf8_lossy(&decoded[..colon]);
    (!user.contains(PREFIX)).then(|| user.chars().take(TOLD_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Result<Option<(String, String)>, Malformed> {
        Ok(match Given::read(header.as_bytes())? {
            Given::Nothing => None,
            Given::Password(given) => Some((given.user, given.password)),
            Given::Bearer(token) => Some(("bearer".to_owned(), token.to_owned())),
        })
    }

    fn basic(text: &[u8]) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn names_and_passwords() {
        for (text, user, password) in [
            ("alice:secret", "alice", "secret"),
            ("alice:", "alice", ""),
            (":secret", "", "secret"),
            ("alice:a:b:c", "alice", "a:b:c"),
            ("Zoë:пароль", "Zoë", "пароль"),
            (" alice : secret ", " alice ", " secret "),
        ] {
            assert_eq!(read(&basic(text.as_bytes())), Ok(Some((user.to_owned(), password.to_owned()))), "{text}");
        }
        assert_eq!(read("bAsIc  OjE="), Ok(Some((String::new(), "1".to_owned()))));
        assert_eq!(read(&basic(b":")), Ok(None));
        assert_eq!(read("bEARER  a.b.c "), Ok(Some(("bearer".to_owned(), "a.b.c".to_owned()))));
    }

    #[test]
    fn the_user_that_is_told_is_never_a_password() {
        let long = format!("{}:secret", "u".repeat(300));
        for (text, user) in [
            (&b"alice:secret"[..], Some("alice")),
            (b"alice:a:b", Some("alice")),
            (b":secret", Some("")),
            (b"a\n\x1b[2J:secret", Some("a\n\u{1b}[2J")),
            (b"\xff:secret", Some("\u{fffd}")),
            (b"secret", None),
            (b"tagstone_AAAA:x", None),
            (long.as_bytes(), Some(&long[..255])),
        ] {
            assert_eq!(user_given(basic(text).as_bytes()).as_deref(), user, "{text:?}");
        }
        for header in ["Bearer YTpi", "Basic YTpi!", "Basic", "", "YTpi"] {
            assert_eq!(user_given(header.as_bytes()), None, "{header}");
        }
    }

    #[test]
    fn what_is_not_taken() {
        for header in [
            "",
            "Basic",
            "Basic ",
            "Bearer",
            "Bearer  ",
            "Digest YTpi",
            "BasicYTpi",
            "Basic YTpi!",
            "Basic YTo",
            "Basic YTp",
            "YTpi",
        ] {
            assert_eq!(read(header), Err(Malformed), "{header}");
        }
        for text in [&b"nocolon"[..], b"", b"a:\xff", b"a:b\0", b"a\n:b", b"a:\x7f"] {
            assert_eq!(read(&basic(text)), Err(Malformed), "{text:?}");
        }
        assert_eq!(Given::read(b"Basic \xff").err(), Some(Malformed));
    }
}
