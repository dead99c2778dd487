//! The forms of lists, and of what stands in them.

use ipnet::IpNet;
use tagstone_schema::event::Action;

use super::form::{Form, quoted};
use super::given::Given;
use crate::access::{RepositoryGlob, Subject, is_reserved};

/// Several of one form; the text says of what, to follow "a list of".
pub(super) struct ListOf<F>(pub(super) F, pub(super) &'static str);

impl<F: Form> Form for ListOf<F> {
    type Value = Vec<F::Value>;

    fn read(&self, given: &Given) -> Option<Vec<F::Value>> {
        given.list()?.iter().map(|element| self.0.read(element)).collect()
    }

    fn write(&self, value: &Vec<F::Value>) -> String {
        let elements: Vec<_> = value.iter().map(|element| self.0.write(element)).collect();
        format!("[{}]", elements.join(", "))
    }

    fn takes(&self) -> String {
        format!("a list of {}", self.1)
    }

    fn fault(&self, given: &Given) -> Option<String> {
        let elements = given.list()?;
        let wrong = elements.iter().find(|element| self.0.read(element).is_none())?;
        let why =
            self.0.fault(wrong).map_or_else(|| format!("is not {}", self.0.takes()), |why| format!("is wrong: {why}"));
        Some(format!("{wrong} in it {why}"))
    }
}

/// The name of a user, as a file of users can have it.
pub(super) struct UserName;

impl Form for UserName {
    type Value = String;

    fn read(&self, given: &Given) -> Option<String> {
        let text = given.text()?;
        let is_name =
            !text.is_empty() && !is_reserved(text) && !text.chars().any(|char| char == ':' || char.is_control());
        is_name.then(|| text.to_owned())
    }

    fn write(&self, value: &String) -> String {
        quoted(value)
    }

    fn takes(&self) -> String {
        "the name of a user".to_owned()
    }
}

/// Whom a rule of access is about.
pub(super) struct SubjectName;

impl Form for SubjectName {
    type Value = Subject;

    fn read(&self, given: &Given) -> Option<Subject> {
        match given.text()? {
            "*" => Some(Subject::AnyUser),
            "anonymous" => Some(Subject::Anonymous),
            _ => UserName.read(given).map(Subject::User),
        }
    }

    fn write(&self, value: &Subject) -> String {
        match value {
            Subject::AnyUser => quoted("*"),
            Subject::Anonymous => quoted("anonymous"),
            Subject::User(name) => quoted(name),
        }
    }

    fn takes(&self) -> String {
        "the name of a user, \"*\" for any user, or \"anonymous\"".to_owned()
    }
}

/// A glob over names of repositories.
pub(super) struct Glob;

impl Form for Glob {
    type Value = RepositoryGlob;

    fn read(&self, given: &Given) -> Option<RepositoryGlob> {
        RepositoryGlob::parse(given.text()?).ok()
    }

    fn write(&self, value: &RepositoryGlob) -> String {
        quoted(value.as_str())
    }

    fn takes(&self) -> String {
        "a glob over repositories".to_owned()
    }

    fn fault(&self, given: &Given) -> Option<String> {
        RepositoryGlob::parse(given.text()?).err().map(|error| error.to_string())
    }
}

/// What can be allowed.
pub(super) const ACTIONS: [(&str, Action); 3] =
    [("pull", Action::Pull), ("push", Action::Push), ("delete", Action::Delete)];

/// A name of a host, in lower case.
pub(super) struct HostName;

impl Form for HostName {
    type Value = String;

    fn read(&self, given: &Given) -> Option<String> {
        let text = given.text()?.to_ascii_lowercase();
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        (text.len() <= 253 && text.split('.').all(is_label)).then_some(text)
    }

    fn write(&self, value: &String) -> String {
        quoted(value)
    }

    fn takes(&self) -> String {
        "the name of a host, without a port".to_owned()
    }
}

/// A network of addresses, or one address.
pub(super) struct Network;

impl Form for Network {
    type Value = IpNet;

    fn read(&self, given: &Given) -> Option<IpNet> {
        let text = given.text()?;
        text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
    }

    fn write(&self, value: &IpNet) -> String {
        quoted(&value.to_string())
    }

    fn takes(&self) -> String {
        "a network such as 10.0.0.0/8, or an address".to_owned()
    }
}
