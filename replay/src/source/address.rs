//! The address of a running registry, and who asks.

use base64::Engine as _;
use percent_encoding::percent_decode_str;

/// A user of a registry, with his password.
#[derive(Clone)]
pub struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// Credentials as a person gave them.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    /// The value of the header `Authorization` (RFC 7617).
    pub(super) fn authorization(&self) -> String {
        let pair = format!("{}:{}", self.user, self.password);
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
    }
}

/// Where a registry is reached, as it can be shown: without what was secret in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address(String);

/// The text names no registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme than those of the web.
    #[error("the URL of a registry begins with http:// or https://")]
    Scheme,
    /// Nothing that could be a host.
    #[error("the URL names no host")]
    Host,
    /// A query or a fragment.
    #[error("the URL of a registry has neither `?` nor `#`")]
    Query,
    /// The part before the `@` is no text when percent-decoded.
    #[error("the user or the password in the URL is not UTF-8 when percent-decoded")]
    Credentials,
}

impl Address {
    /// Reads a URL; a user and a password in it are taken out.
    pub(super) fn parse(text: &str) -> Result<(Self, Option<Credentials>), AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(AddressError::Scheme);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if path.contains(['?', '#']) {
            return Err(AddressError::Query);
        }
        let (given, host) = match authority.rsplit_once('@') {
            Some((given, host)) => (Some(credentials(given)?), host),
            None => (None, authority),
        };
        if host.is_empty() || host.starts_with(':') || host.contains(char::is_whitespace) {
            return Err(AddressError::Host);
        }
        Ok((Self(format!("{scheme}://{host}{}", path.trim_end_matches('/'))), given))
    }

    /// The URL of a resource of the registry.
    pub(super) fn of(&self, resource: &str) -> String {
        format!("{}{resource}", self.0)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The user that a URL names without a password, whom somebody else may know the password of.
pub fn user_alone(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (given, _) = authority.rsplit_once('@')?;
    credentials(given).ok().filter(|_| !given.contains(':')).map(|credentials| credentials.user)
}

fn credentials(given: &str) -> Result<Credentials, AddressError> {
    let (user, password) = given.split_once(':').unwrap_or((given, ""));
    let decoded = |part: &str| {
        percent_decode_str(part).decode_utf8().map(|part| part.into_owned()).map_err(|_| AddressError::Credentials)
    };
    Ok(Credentials::new(decoded(user)?, decoded(password)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_alone() {
        for (url, user) in [
            ("https://me@host/x", Some("me")),
            ("http://m%65@host", Some("me")),
            ("http://me:@host", None),
            ("http://me:secret@host", None),
            ("http://host/me@x", None),
            ("me@host", None),
            ("http://%ff@host", None),
        ] {
            assert_eq!(user_alone(url).as_deref(), user, "{url}");
        }
    }

    #[test]
    fn addresses() {
        type Read = Result<(&'static str, Option<&'static str>), AddressError>;
        let cases: [(&str, Read); 12] = [
            ("http://localhost:5000", Ok(("http://localhost:5000", None))),
            ("HTTPS://registry.example/", Ok(("https://registry.example", None))),
            ("https://a.example/tags//", Ok(("https://a.example/tags", None))),
            // RFC 7617, section 2.
            (
                "http://Aladdin:open%20sesame@[::1]:80/x",
                Ok(("http://[::1]:80/x", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="))),
            ),
            ("http://me@host", Ok(("http://host", Some("Basic bWU6")))),
            ("http://a:b:c%40@host", Ok(("http://host", Some("Basic YTpiOmNA")))),
            ("ftp://host", Err(AddressError::Scheme)),
            ("host:5000", Err(AddressError::Scheme)),
            ("http://", Err(AddressError::Host)),
            ("http://user@/path", Err(AddressError::Host)),
            ("http://host/?next=1", Err(AddressError::Query)),
            ("http://%ff@host", Err(AddressError::Credentials)),
        ];
        for (text, expected) in cases {
            let found = Address::parse(text).map(|(address, given)| (address.0, given.map(|one| one.authorization())));
            let expected = expected.map(|(address, given)| (address.to_owned(), given.map(str::to_owned)));
            assert_eq!(found, expected, "{text}");
        }
    }
}
