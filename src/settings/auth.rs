//! `[auth]` and `[[access]]`: who is known, and who may do what.

use std::path::PathBuf;

use super::bearer::Bearer;
use super::form::{OneOf, OptionalFile};
use super::lists::{ACTIONS, Glob, ListOf, SubjectName, UserName};
use super::reader::Reader;
use super::tables::Table;
use crate::access::{Anonymous, Rule, Rules};

/// Who is known, and who may do what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The file of users; without one, and without an outside issuer, access is not controlled.
    pub htpasswd: Option<PathBuf>,
    /// Users who may do everything.
    pub admins: Vec<String>,
    /// What clients without credentials may do where no rule is about them.
    pub anonymous: Anonymous,
    /// `[auth.bearer]`; without it, tokens of nobody else are taken.
    pub bearer: Option<Bearer>,
    /// `[[access]]`, in order.
    pub access: Vec<Rule>,
}

const ANONYMOUS: &[(&str, Anonymous)] = &[("none", Anonymous::None), ("pull", Anonymous::Pull)];

impl Auth {
    pub(super) fn gather(reader: &mut Reader) -> Self {
        let mut section = reader.section("auth");
        let htpasswd = section.take_path("htpasswd", &OptionalFile);
        let admins = section.take("admins", Vec::new(), &ListOf(UserName, "names of users"));
        let anonymous = section.take("anonymous", Anonymous::None, &OneOf(ANONYMOUS));
        let problems = reader.problems.len();
        let bearer = Bearer::gather(&mut reader.section("auth.bearer"));
        // Where an issuer was meant, what is missing of it is told, and not that there is neither it nor a file of users.
        let is_meant = bearer.is_some() || reader.problems.len() > problems;
        let (is_on, has_users) = (htpasswd.is_some() || is_meant, htpasswd.is_some());
        let mut section = reader.section("auth");
        // A server that let everybody in because a line is missing would be less safe than its file looks.
        if let (false, Some(place)) = (is_on, section.without("htpasswd")) {
            section.note(place, "[auth] has no `htpasswd`, so nobody could log in; name the file of users");
        } else {
            if !has_users && !admins.is_empty() {
                section.refuse("admins", "auth.admins names users, but there is no auth.htpasswd to know them by");
            }
            if !is_on && anonymous != Anonymous::None {
                section.refuse(
                    "anonymous",
                    "auth.anonymous means nothing without auth.htpasswd: everybody may do everything",
                );
            }
        }
        let access = reader.tables("access", rule);
        if let (false, Some(place)) = (is_on, reader.first_table("access")) {
            reader
                .section("access")
                .note(place, "[[access]] means nothing without auth.htpasswd: everybody may do everything");
        }
        Self { htpasswd, admins, anonymous, bearer, access }
    }

    /// Whether anybody is asked who he is.
    pub fn is_on(&self) -> bool {
        self.htpasswd.is_some() || self.bearer.is_some()
    }

    /// The rules of access.
    pub fn rules(&self) -> Rules {
        Rules {
            rules: self.access.clone(),
            administrators: self.admins.iter().cloned().collect(),
            anonymous: self.anonymous,
        }
    }
}

fn rule(table: &mut Table<'_>) -> Option<Rule> {
    let subject = table.require("subject", &SubjectName);
    let repositories = table.require("repositories", &ListOf(Glob, "globs over repositories"));
    let actions = table.require("actions", &ListOf(OneOf(&ACTIONS), "\"pull\", \"push\", \"delete\""));
    let (subject, repositories, actions) = (subject?, repositories?, actions?);
    if repositories.is_empty() {
        table.refuse(
            "repositories",
            "access.repositories is empty, so the rule is about nothing; name repositories, or \"**\" for all",
        );
    }
    for (glob, why) in repositories.iter().filter_map(|glob| Some((glob, glob.why_nothing()?))) {
        let what = format!("access.repositories has {:?}, which no repository can be called: {why}", glob.as_str());
        table.refuse("repositories", &what);
    }
    Some(Rule { subject, repositories, actions: actions.into_iter().collect() })
}
