//! A registry with TLS and users, on an authority that is made for one test.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use tempfile::TempDir;

use super::client::Client;
use super::registry::Registry;

/// Settings of whoever needs nothing else: `alice` may do everything below `acme`, `bob` may pull there, `root` is administrator.
pub(crate) const RULES: &str = r#"
[[access]]
subject = "alice"
repositories = ["acme/**"]
actions = ["pull", "push", "delete"]
[[access]]
subject = "bob"
repositories = ["acme/**"]
actions = ["pull"]
"#;

/// The files of a registry that asks who comes. The password of each user is `<name>'s password`.
pub(crate) struct Files {
    directory: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Files {
    /// A certificate for 127.0.0.1 and localhost, the users, and settings that name them all.
    pub(crate) fn new(users: &[&str], rules: &str) -> Self {
        let directory = TempDir::new().expect("create a temporary directory");
        let files = Self { directory, authority: authority() };
        files.issue();
        files.write_users(users);
        files.write_rules(rules);
        files
    }

    /// Writes a new certificate of the same authority.
    pub(crate) fn issue(&self) {
        let key = KeyPair::generate().expect("make a key");
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        let certificate = params.signed_by(&key, &self.authority).expect("sign a certificate");
        fs::write(self.path("cert.pem"), certificate.pem()).expect("write a file");
        fs::write(self.path("key.pem"), key.serialize_pem()).expect("write a file");
        fs::write(self.path("ca.pem"), self.authority.pem()).expect("write a file");
    }

    /// From now on there are these users. The file is replaced, as careful tools do.
    pub(crate) fn write_users(&self, users: &[&str]) {
        let lines = users.iter().map(|user| {
            // With the same salt each time, so that the line of a user changes only with the user.
            let hash = bcrypt::hash_with_salt(password(user), 4, [7; 16]).expect("hash a password");
            format!("{user}:{}\n", hash.format_for_version(bcrypt::Version::TwoY))
        });
        self.replace("users.htpasswd", &lines.collect::<String>());
    }

    /// From now on these rules are in force.
    pub(crate) fn write_rules(&self, rules: &str) {
        let tls = "[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n";
        let settings = format!(
            "{tls}[auth]\nhtpasswd = \"users.htpasswd\"\nadmins = [\"root\"]\n[limits]\nhead_timeout = \"2s\"\n{rules}"
        );
        self.replace("settings.toml", &settings);
    }

    /// Replaces a file by another one.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).expect("write a file");
        fs::rename(self.path("new"), self.path(name)).expect("rename a file");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The authority, in PEM.
    pub(crate) fn authority(&self) -> String {
        self.authority.pem()
    }

    /// Starts the registry.
    #[track_caller]
    pub(crate) fn start(&self) -> Registry {
        Registry::configured(self.path("settings.toml"))
    }

    /// A client of the registry that has not logged in.
    pub(crate) fn client(&self, registry: &Registry) -> Client {
        Client::trusting(registry.url(), &self.authority())
    }

    /// A client of the registry, logged in.
    pub(crate) fn client_of(&self, registry: &Registry, user: &str) -> Client {
        self.client(registry).login(user, &password(user))
    }
}

/// The password of a user.
pub(crate) fn password(user: &str) -> String {
    format!("{user}'s password")
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "an authority of a test");
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("make a key")).expect("sign a certificate")
}
