//! The gate: the one way from credentials to a caller.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tagstone_schema::Timestamp;

use super::basic::Given;
use super::login_tokens::{Holder, LoginToken, LoginTokens};
use super::logins::Logins;
use super::secret::ShownSecret;
use super::tokens::TokenHolders;
use super::{BearerFault, Caller, IssuedTokens, Issuer, Rules, Users};

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
    holders: TokenHolders,
    login_tokens: LoginTokens,
}

/// Whom a gate knows, and what they may do; replaced as a whole.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Who can log in with a password.
    pub users: Users,
    /// Who may do what.
    pub rules: Arc<Rules>,
    /// Who else says what his users may do.
    pub issuer: Option<Arc<Issuer>>,
}

/// How clients can show who they are.
#[derive(Clone, Debug, Default)]
pub struct Challenges {
    /// Whether there are passwords.
    pub passwords: bool,
    /// Who issues tokens.
    pub issuer: Option<Arc<Issuer>>,
    /// Whether login tokens are given, also to nobody.
    pub login_tokens: bool,
}

/// Why somebody was not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The credentials are wrong, in whatever way: nothing tells a user that is unknown from a password that is wrong.
    #[error("the credentials are not valid")]
    Wrong,
    /// The access token was revoked.
    #[error("the access token was revoked")]
    TokenRevoked,
    /// The time of the access token is over.
    #[error("the access token has expired; issue another one")]
    TokenExpired,
    /// The user whose token it is is not known any more.
    #[error("the user of the access token is not known any more")]
    TokenWithoutUser,
    /// The login token is over, or of a process that is gone.
    #[error("the login is over; log in again")]
    LoginOver,
    /// The token of an outside issuer is not valid.
    #[error("the bearer token is not valid: {0}")]
    Bearer(BearerFault),
    /// There were too many wrong credentials, or there are too many to be verified now.
    #[error("there were too many attempts to log in; try again in {} s", whole_seconds(*retry_after))]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
}

impl NotAdmitted {
    /// Every kind of reason, in a word.
    pub const REASONS: [&'static str; 5] = ["credentials", "access_token", "login_token", "bearer_token", "too_many"];

    /// The kind of the reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Wrong => "credentials",
            Self::TokenRevoked | Self::TokenExpired | Self::TokenWithoutUser => "access_token",
            Self::LoginOver => "login_token",
            Self::Bearer(_) => "bearer_token",
            Self::TooMany { .. } => "too_many",
        }
    }
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
        let login_tokens =
            LoginTokens::new().map_err(|error| io::Error::other(format!("no random key can be drawn: {error}")))?;
        let guarded = Guarded { known, logins, holders: TokenHolders::new(), login_tokens };
        Ok(Self(Arc::new(Kind::Guarded(Box::new(guarded)))))
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

    /// Admits a caller by the `Authorization` header of its request, if it sent one, and the address that it comes from. `tokens` are the
    /// access tokens that there are.
    pub async fn admit(
        &self,
        authorization: Option<&[u8]>,
        address: Option<IpAddr>,
        tokens: IssuedTokens<'_>,
    ) -> Result<Caller, NotAdmitted> {
        let Kind::Guarded(guarded) = &*self.0 else { return Ok(Caller::of_open_registry()) };
        let Some(authorization) = authorization else { return Ok(self.nobody()) };
        let known = guarded.known.load_full();
        let login = match Given::read(authorization).map_err(|_| NotAdmitted::Wrong)? {
            Given::Nothing => return Ok(self.nobody()),
            Given::Bearer(token) => return guarded.by_token(&known, token, address, &tokens),
            Given::Password(login) => login,
        };
        if let Some(secret) = ShownSecret::read(&login.password) {
            return guarded.by_secret(&known, &secret, Some(&login.user), address, &tokens);
        }
        let user = login.user.clone();
        guarded.logins.verify(&known.users, login, address).await?;
        let login = known.users.hash_of(&user).map_or(0, |hash| guarded.logins.number(hash));
        Ok(Caller::user(&user, known.rules.clone()).logged_in_by(login))
    }

    /// A caller who was admitted a while ago, as it would be admitted now: judged by the rules in force, and not at all where the user is
    /// gone or has another password, or the token cannot be used any more.
    pub fn renewed(&self, caller: &Caller, tokens: IssuedTokens<'_>) -> Option<Caller> {
        let Kind::Guarded(guarded) = &*self.0 else { return Some(caller.clone()) };
        if caller.until().is_some_and(|until| until <= tokens.now()) {
            return None;
        }
        let known = guarded.known.load();
        let renewed = guarded.renewed(&known, caller, &tokens)?;
        Some(match caller.until() {
            Some(until) => renewed.by_login_token(until),
            None => renewed,
        })
    }

    /// A login token for a caller, where there are any. One that holds a login token is given no other.
    pub fn login_token(&self, caller: &Caller, now: Timestamp) -> Option<LoginToken> {
        let Kind::Guarded(guarded) = &*self.0 else { return None };
        if guarded.known.load().issuer.is_some() || caller.until().is_some() {
            return None;
        }
        let holder = match caller.token_id() {
            Some(id) => Holder::Token { id },
            None if caller.is_user() => Holder::User { name: caller.actor().name.to_string(), login: caller.login() },
            None => Holder::Nobody,
        };
        guarded.login_tokens.issue(holder, now)
    }

    /// How clients can show who they are.
    pub fn challenges(&self) -> Challenges {
        let Kind::Guarded(guarded) = &*self.0 else { return Challenges::default() };
        let known = guarded.known.load();
        let issuer = known.issuer.clone();
        let passwords = issuer.is_none() || known.users.count() > 0;
        Challenges { passwords, login_tokens: issuer.is_none() && known.rules.admit_anonymous(), issuer }
    }

    /// Whether there is such a user, who could log in with a password.
    pub fn knows_user(&self, user: &str) -> bool {
        match &*self.0 {
            Kind::Open => false,
            Kind::Guarded(guarded) => guarded.known.load().users.has(user),
        }
    }

    /// Somebody without credentials.
    pub fn nobody(&self) -> Caller {
        match &*self.0 {
            Kind::Open => Caller::of_open_registry(),
            Kind::Guarded(guarded) => Caller::anonymous(guarded.known.load().rules.clone()),
        }
    }
}

impl Guarded {
    fn renewed(&self, known: &Known, caller: &Caller, tokens: &IssuedTokens<'_>) -> Option<Caller> {
        if let Some(token) = caller.token_id() {
            return self.holders.renewed(token, tokens, &known.users, &known.rules);
        }
        if let Some(granted) = caller.grants() {
            let stands = known.issuer.as_ref().is_some_and(|issuer| issuer.stands_by(granted, tokens.now()));
            return stands.then(|| caller.clone());
        }
        if caller.is_judged_by(&known.rules) {
            return Some(caller.clone());
        }
        if !caller.is_known() {
            return Some(Caller::anonymous(known.rules.clone())).filter(Caller::may_enter);
        }
        self.user(known, &caller.actor().name, caller.login())
    }

    /// A user, as long as it has the password that it has logged in with.
    fn user(&self, known: &Known, name: &str, login: u64) -> Option<Caller> {
        let has = self.logins.number(known.users.hash_of(name)?);
        (has == login).then(|| Caller::user(name, known.rules.clone()).logged_in_by(login))
    }

    /// Whoever shows a login token.
    fn by_login_token(&self, known: &Known, text: &str, tokens: &IssuedTokens<'_>) -> Option<Caller> {
        let (holder, until) = self.login_tokens.read(text, tokens.now())?;
        let caller = match holder {
            Holder::Nobody => Some(Caller::anonymous(known.rules.clone())),
            Holder::User { name, login } => self.user(known, &name, login),
            Holder::Token { id } => self.holders.renewed(id, tokens, &known.users, &known.rules),
        };
        Some(caller?.by_login_token(until))
    }

    /// Whoever shows a token: one of ours, or one of the outside issuer.
    fn by_token(
        &self,
        known: &Known,
        token: &str,
        address: Option<IpAddr>,
        tokens: &IssuedTokens<'_>,
    ) -> Result<Caller, NotAdmitted> {
        if let Some(secret) = ShownSecret::read(token) {
            return self.by_secret(known, &secret, None, address, tokens);
        }
        if LoginTokens::is_meant(token) {
            return self.by_login_token(known, token, tokens).ok_or(NotAdmitted::LoginOver);
        }
        // Nobody guesses a signature, and clients commonly show a token until it has expired, so these failures are not counted.
        let issuer = known.issuer.as_ref().ok_or(NotAdmitted::Bearer(BearerFault::NotTaken))?;
        issuer.admit(token).map_err(NotAdmitted::Bearer)
    }

    fn by_secret(
        &self,
        known: &Known,
        secret: &ShownSecret,
        user: Option<&str>,
        address: Option<IpAddr>,
        tokens: &IssuedTokens<'_>,
    ) -> Result<Caller, NotAdmitted> {
        let admitted = self.holders.admit(secret, user, tokens, &known.users, &known.rules);
        match admitted {
            // A right one that is over is no attempt to guess.
            Err(NotAdmitted::Wrong) => Err(self.logins.failed_at(address)),
            admitted => admitted,
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
