//! What every command is told beside its own arguments.

use std::path::PathBuf;

use clap::Args;
use tagstone_replay::source::{self, Asking, Credentials, OpenSource, Trust};

use super::Unable;
use super::output::Format;

/// Where the password of `--user` stands: on the command line everyone on the machine could read it.
const PASSWORD: &str = "TAGSTONE_PASSWORD";

/// Options of all commands.
#[derive(Debug, Args)]
pub(super) struct Invocation {
    /// How the report is written to stdout.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// Who asks a running registry; the password is taken from the environment variable TAGSTONE_PASSWORD.
    #[arg(long, global = true, value_name = "NAME")]
    user: Option<String>,
    /// Authorities in PEM; a running registry has to show a certificate of one of them, and no other counts.
    #[arg(long, global = true, value_name = "FILE")]
    cacert: Option<PathBuf>,
}

impl Invocation {
    /// Opens a source that holds a whole log.
    pub(super) fn open(&self, given: &str) -> Result<OpenSource, Unable> {
        Ok(source::open_whole(given, &self.asking(given)?)?)
    }

    /// Opens a source that may be a part of a log.
    pub(super) fn open_any(&self, given: &str) -> Result<OpenSource, Unable> {
        Ok(source::open_any(given, &self.asking(given)?)?)
    }

    fn asking(&self, given: &str) -> Result<Asking, Unable> {
        let trust = self.cacert.as_deref().map_or(Ok(Trust::Public), Trust::only);
        let trust = trust.map_err(|error| Unable(error.to_string()))?;
        Ok(Asking { credentials: self.credentials(given)?, trust })
    }

    fn credentials(&self, given: &str) -> Result<Option<Credentials>, Unable> {
        let Some(user) = &self.user else {
            // Without a password the URL's user is as good as --user, but he may also have none.
            let named = source::user_alone(given).zip(std::env::var(PASSWORD).ok());
            return Ok(named.map(|(user, password)| Credentials::new(user, password)));
        };
        let password = std::env::var(PASSWORD)
            .map_err(|error| Unable(format!("--user needs the password in {PASSWORD}: {error}")))?;
        Ok(Some(Credentials::new(user, password)))
    }
}
