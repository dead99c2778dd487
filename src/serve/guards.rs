//! What stands between the registry and its clients: users, rules of access and certificates, read at the start and again later.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::access::{Gate, Issuer, Keys, KeysError, Known, Users, UsersError, doubts};
use crate::settings::{Auth, Bearer, Settings, Sources};
use crate::tls::{Certificates, TlsError};

/// Why nobody can be let in.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The file of users is wrong.
    #[error("auth.htpasswd: {0}")]
    Users(#[from] UsersError),
    /// The keys of the outside issuer are wrong.
    #[error("auth.bearer.jwks: {0}")]
    Keys(#[from] KeysError),
    /// The certificates are wrong.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// The machine has no randomness.
    #[error("{0}")]
    Random(#[from] io::Error),
}

/// The gate and the certificates, and where they came from. Clones are the same.
#[derive(Clone, Debug)]
pub struct Guards {
    pub(super) gate: Gate,
    pub(super) certificates: Option<Certificates>,
    sources: Sources,
    started: Arc<Settings>,
    watched: Arc<Mutex<Watched>>,
}

/// What files of users and rules looked like.
#[derive(Debug, Default)]
struct Watched {
    /// When they were read.
    read: Vec<Stamp>,
    /// At the last look.
    looked: Vec<Stamp>,
}

/// What changes when a file is written or replaced: device, inode, size, and times in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp(PathBuf, Option<[i128; 5]>);

impl Guards {
    /// Reads the files that the settings name. `sources` is where the settings came from, to be asked again.
    pub fn read(settings: &Settings, sources: Sources) -> Result<Self, GuardError> {
        let mut watched = Watched { read: stamps(&sources, settings), looked: Vec::new() };
        watched.looked.clone_from(&watched.read);
        let gate = match known(settings)? {
            Some(known) => {
                let failed_logins = u32::try_from(settings.limits.failed_logins).unwrap_or(u32::MAX);
                Gate::guarded(known, failed_logins)?
            }
            None => Gate::open(),
        };
        let tls = settings.tls.as_ref();
        let certificates =
            tls.map(|tls| Certificates::read(&tls.cert, &tls.key, tls.client_ca.as_deref())).transpose()?;
        let (started, watched) = (Arc::new(settings.clone()), Arc::new(Mutex::new(watched)));
        let guards = Self { gate, certificates, sources, started, watched };
        guards.certificate_worry().iter().for_each(|worry| tracing::warn!("{worry}"));
        Ok(guards)
    }

    /// What is doubtful about users and rules, a sentence each; nothing where they cannot be read, of which [`Guards::read`] tells.
    pub fn doubts(settings: &Settings) -> Vec<String> {
        let users = settings.auth.htpasswd.as_deref().map(Users::read).transpose();
        let users = users.ok().filter(|_| settings.auth.is_on());
        users.map(|users| doubts(&settings.auth.rules(), users.as_ref())).unwrap_or_default()
    }

    /// Who lets callers in.
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// What should be looked at about the certificate that clients are shown.
    pub fn certificate_worry(&self) -> Option<String> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        self.certificates.as_ref()?.worry(now.as_secs().cast_signed())
    }

    /// Reads users, rules and certificates again. What is wrong leaves what is in force, and says so in the log.
    pub(super) fn reload(&self) {
        self.reload_access();
        match self.certificates.as_ref().map(Certificates::reload) {
            Some(Ok(())) => {
                tracing::info!("read the certificates again; new connections are shown them");
                self.certificate_worry().iter().for_each(|worry| tracing::warn!("{worry}"));
            }
            Some(Err(error)) => tracing::error!(%error, "the certificates cannot be used; those in force stay"),
            None => {}
        }
    }

    /// Reads users, rules and keys again if a file of theirs has changed, and was left alone since the last look: a file that is being
    /// written may lack any of its lines.
    pub(super) fn reload_if_changed(&self) {
        if !self.started.auth.is_on() {
            return;
        }
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamps(&self.sources, &self.started);
        let is_settled = now == watched.looked;
        watched.looked.clone_from(&now);
        if is_settled && now != watched.read {
            watched.read = now;
            drop(watched);
            self.reload_access();
        }
    }

    fn reload_access(&self) {
        if !self.started.auth.is_on() {
            tracing::info!("there are no users and no rules to read again: [auth] is looked for only at the start");
            return;
        }
        match self.newly_known() {
            Ok(known) => {
                let (users, rules) = (known.users.count(), known.rules.rules.len());
                self.gate.replace(known);
                tracing::info!(users, rules, "read users and rules of access again");
            }
            Err(error) => tracing::error!(error, "users and rules of access cannot be used; those in force stay"),
        }
    }

    fn newly_known(&self) -> Result<Known, String> {
        let problems = |problems: Vec<crate::settings::Problem>| {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        let settings = Settings::load(self.sources.clone()).map_err(problems)?.settings;
        if settings.auth.htpasswd != self.started.auth.htpasswd {
            return Err("auth.htpasswd names another file, or none; that takes a restart".to_owned());
        }
        let jwks = |settings: &Settings| settings.auth.bearer.as_ref().map(|bearer| bearer.jwks.clone());
        if jwks(&settings) != jwks(&self.started) {
            return Err("auth.bearer.jwks names another file, or none; that takes a restart".to_owned());
        }
        let started = Settings { auth: settings.auth.clone(), ..(*self.started).clone() };
        if started != settings {
            tracing::warn!(
                "other settings than users and rules of access have changed; they take effect at the next start"
            );
        }
        known(&settings).map_err(|error| error.to_string())?.ok_or_else(|| "[auth] is gone".to_owned())
    }
}

/// Whom the settings make known, if anybody is asked.
fn known(settings: &Settings) -> Result<Option<Known>, GuardError> {
    let auth = &settings.auth;
    if !auth.is_on() {
        return Ok(None);
    }
    let users = auth.htpasswd.as_deref().map(Users::read).transpose()?.unwrap_or_default();
    let rules = auth.rules();
    let has_file = auth.htpasswd.is_some();
    for doubt in doubts(&rules, has_file.then_some(&users)) {
        tracing::warn!("{doubt}");
    }
    warn_of_gaps(auth, &users);
    let issuer = auth.bearer.as_ref().map(issuer).transpose()?.map(Arc::new);
    Ok(Some(Known { users, rules: Arc::new(rules), issuer }))
}

/// What is right as a setting, and leaves a door closed to everybody.
fn warn_of_gaps(auth: &Auth, users: &Users) {
    if let (Some(file), 0) = (&auth.htpasswd, users.count()) {
        tracing::warn!(file = %file.display(), "the file of users has none in it, so nobody can log in with a password");
    }
    if auth.admins.is_empty() && auth.bearer.as_ref().is_none_or(|bearer| bearer.admins.is_empty()) {
        tracing::warn!(
            "there is no administrator (auth.admins): nobody can change policies, unlock, erase, collect, or export the log"
        );
    }
}

fn issuer(bearer: &Bearer) -> Result<Issuer, KeysError> {
    let Bearer { realm, service, issuer, jwks, admins } = bearer.clone();
    Ok(Issuer::new(realm, service, issuer, admins.into_iter().collect(), Keys::read(&jwks)?))
}

fn stamps(sources: &Sources, settings: &Settings) -> Vec<Stamp> {
    let auth = &settings.auth;
    let jwks = auth.bearer.as_ref().map(|bearer| bearer.jwks.as_path());
    [sources.file.as_deref(), auth.htpasswd.as_deref(), jwks].into_iter().flatten().map(stamp).collect()
}

fn stamp(path: &Path) -> Stamp {
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let seen = fs::metadata(path).ok().map(|found| {
        let modified = nanoseconds(found.mtime(), found.mtime_nsec());
        let changed = nanoseconds(found.ctime(), found.ctime_nsec());
        [i128::from(found.dev()), i128::from(found.ino()), i128::from(found.size()), modified, changed]
    });
    Stamp(path.to_owned(), seen)
}
