//! The gate: the one way from credentials to a caller.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::basic::Credentials;
use super::logins::Logins;
use super::{Caller, Rules, Users};

/// Lets callers in. Clones are the same gate.
#[derive(Clone)]
pub struct Gate(Arc<Kind>);

enum Kind {
    /// Whoever comes may do everything.
    Open,
    Guarded(Box<Guarded>),
}

struct Guarded {
    known: ArcSwap<Known>,
    logins: Logins,
}

/// Whom a gate knows, and what they may do; replaced as a whole.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Who can log in with a password.
    pub users: Users,
    /// Who may do what.
    pub rules: Arc<Rules>,
}

/// Why somebody was not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The credentials are wrong, in whatever way: nothing tells a user that is unknown from a password that is wrong.
    #[error("the credentials are not valid")]
    Wrong,
    /// There were too many wrong credentials, or there are too many to be verified now.
    #[error("there were too many attempts to log in; try again in {} s", whole_seconds(*retry_after))]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
}

/// A duration in whole seconds, so that whoever waits for so long has waited long enough.
pub fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl Gate {
    /// A gate that lets everybody do everything.
    pub fn open() -> Self {
        Self(Arc::new(Kind::Open))
    }

    /// A gate that asks who comes. So many failed logins a minute are forgiven to one address.
    pub fn guarded(known: Known, failed_logins: u32) -> io::Result<Self> {
        let (known, logins) = (ArcSwap::from_pointee(known), Logins::new(failed_logins)?);
        Ok(Self(Arc::new(Kind::Guarded(Box::new(Guarded { known, logins })))))
    }

    /// Whether everybody may do everything.
    pub fn is_open(&self) -> bool {
        matches!(*self.0, Kind::Open)
    }

    /// From now on these are known. Nothing that is under way is ended, and an open gate stays open.
    pub fn replace(&self, known: Known) {
        if let Kind::Guarded(guarded) = &*self.0 {
            guarded.known.store(Arc::new(known));
        }
    }

    /// Admits a caller by the `Authorization` header of its request, if it sent one, and the address that it comes from.
    pub async fn admit(&self, authorization: Option<&[u8]>, address: Option<IpAddr>) -> Result<Caller, NotAdmitted> {
        let Kind::Guarded(guarded) = &*self.0 else { return Ok(Caller::of_open_registry()) };
        let Some(authorization) = authorization else { return Ok(self.nobody()) };
        let Some(login) = Credentials::read(authorization).map_err(|_| NotAdmitted::Wrong)? else {
            return Ok(self.nobody());
        };
        let known = guarded.known.load_full();
        let user = login.user.clone();
        guarded.logins.verify(&known.users, login, address).await?;
        let login = known.users.hash_of(&user).map_or(0, |hash| guarded.logins.number(hash));
        Ok(Caller::user(&user, known.rules.clone()).logged_in_by(login))
    }

    /// A caller who was admitted a while ago, as it would be admitted now: judged by the rules in force, and not at all where the user is
    /// gone or has another password.
    pub fn renewed(&self, caller: &Caller) -> Option<Caller> {
        let Kind::Guarded(guarded) = &*self.0 else { return Some(caller.clone()) };
        let known = guarded.known.load();
        if caller.is_judged_by(&known.rules) {
            return Some(caller.clone());
        }
        if !caller.is_known() {
            return Some(self.nobody()).filter(Caller::may_enter);
        }
        let user = &caller.actor().name;
        let login = guarded.logins.number(known.users.hash_of(user)?);
        (login == caller.login()).then(|| Caller::user(user, known.rules.clone()).logged_in_by(login))
    }

    /// Somebody without credentials.
    pub fn nobody(&self) -> Caller {
        match &*self.0 {
            Kind::Open => Caller::of_open_registry(),
            Kind::Guarded(guarded) => Caller::anonymous(guarded.known.load().rules.clone()),
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.0 {
            Kind::Open => "Gate(open)",
            Kind::Guarded(_) => "Gate(guarded)",
        })
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
