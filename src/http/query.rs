//! Query parameters.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::error::{Code, Refusal};

/// The parameters of a request, in the order in which they stand.
pub(super) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Every parameter with its value.
    pub(super) fn pairs(&self) -> impl Iterator<Item = Result<(&'a str, Cow<'a, str>), Refusal>> {
        let pairs = self.0.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(key, value)| Ok((key, decoded(key, value)?)))
    }

    /// The parameters as they were sent, but for one.
    pub(super) fn without(&self, name: &str) -> String {
        let others = self.0.split('&').filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name));
        others.collect::<Vec<_>>().join("&")
    }

    /// All values of a parameter.
    pub(super) fn all(&self, name: &str) -> Result<Vec<Cow<'a, str>>, Refusal> {
        self.0
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter(|(key, _)| *key == name)
            .map(|(key, value)| decoded(key, value))
            .collect()
    }

    /// The value of a parameter that may stand once.
    pub(super) fn one(&self, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
        let mut values = self.all(name)?;
        if values.len() > 1 {
            let message = format!("the parameter `{name}` stands {} times; give it once", values.len());
            return Err(Refusal::bad_request(Code::Unsupported, message));
        }
        Ok(values.pop())
    }
}

/// A `+` stays a plus: tags and digests hold none, media types do, and clients send it as it is.
fn decoded<'a>(key: &str, value: &'a str) -> Result<Cow<'a, str>, Refusal> {
    percent_decode_str(value).decode_utf8().map_err(|_| {
        Refusal::bad_request(Code::Unsupported, format!("the parameter `{key}` is not UTF-8 when percent-decoded"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let query = Query::new("tag=a&tag=b%2Fc&n=1&flag&type=x/y+z&bad=%ff");
        assert_eq!(query.all("tag").unwrap(), ["a", "b/c"]);
        assert_eq!(query.one("n").unwrap().unwrap(), "1");
        assert_eq!(query.one("flag").unwrap().unwrap(), "");
        assert_eq!(query.one("type").unwrap().unwrap(), "x/y+z");
        assert!(query.one("none").unwrap().is_none());
        assert!(query.one("tag").is_err(), "given twice");
        assert!(query.one("bad").is_err(), "not UTF-8");
        assert_eq!(query.without("tag"), "n=1&flag&type=x/y+z&bad=%ff");
        let pairs: Vec<_> = Query::new("&a=b%2Fc&&flag&").pairs().map(Result::unwrap).collect();
        assert_eq!(pairs, [("a", "b/c".into()), ("flag", "".into())]);
        assert!(Query::new("bad=%ff").pairs().any(|pair| pair.is_err()));
    }
}
