//! Clients with tokens: access tokens as a password, and tokens that an outside token server gives them.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use crate::podman::Engine;
use crate::support::guarded::{Files, RULES, password};
use crate::support::images::{self, TAG};
use crate::support::layout::{Layout, assert_same_image};
use crate::support::registry::Registry;
use crate::support::token_server::TokenServer;
use crate::support::tool::{Tool, tool};

/// A registry over TLS, and a directory with its authority as `--cert-dir` wants it.
struct Setup {
    files: Files,
    registry: Registry,
    authorities: TempDir,
}

impl Setup {
    fn new(more: &str) -> Self {
        Self::of(Files::new(&["alice", "bob", "root"], &format!("{more}{RULES}")))
    }

    /// One that takes the tokens of a token server.
    fn with_issuer(server: &TokenServer) -> Self {
        let files = Files::new(&["alice", "bob", "root"], &format!("{}{RULES}", server.settings()));
        files.replace("jwks.json", &server.issuer().jwks());
        Self::of(files)
    }

    /// One without TLS, as some clients send no password to a token server without it where the registry has it.
    fn in_the_clear(server: &TokenServer) -> Self {
        let files = Files::new(&["alice", "bob", "root"], "");
        files.replace("jwks.json", &server.issuer().jwks());
        files.replace("settings.toml", &format!("[auth]\nhtpasswd = \"users.htpasswd\"\n{}", server.settings()));
        Self::of(files)
    }

    fn of(files: Files) -> Self {
        let registry = files.start();
        let authorities = TempDir::new().expect("create a temporary directory");
        fs::write(authorities.path().join("ca.crt"), files.authority()).expect("write a file");
        Self { files, registry, authorities }
    }

    fn image(&self, name: &str) -> String {
        format!("{}/{name}:{TAG}", self.registry.host())
    }

    /// Issues an access token to a user, and answers its secret.
    fn token(&self, user: &str, glob: &str, actions: &[&str]) -> String {
        let body = json!({"label": "CI", "scopes": [{"repositories": glob, "actions": actions}]}).to_string();
        let client = self.files.client_of(&self.registry, user);
        let issued = client.send(ureq::http::Method::POST, "/api/v1/tokens", &[], body.as_bytes());
        issued.expect("an answer").expecting(201).json()["secret"].as_str().expect("a secret").to_owned()
    }
}

/// skopeo or podman with a home of its own, logged in or not.
struct Session<'a> {
    skopeo: &'a Tool,
    certs: String,
    auth: String,
}

impl<'a> Session<'a> {
    fn new(skopeo: &'a Tool, setup: &Setup) -> Self {
        let certs = setup.authorities.path().to_str().expect("ASCII").to_owned();
        Self { skopeo, certs, auth: skopeo.at_home("auth.json") }
    }

    fn login(&self, setup: &Setup, user: &str, password: &str) -> crate::support::command::Outcome {
        let host = setup.registry.host();
        let (certs, auth) = (&self.certs, &self.auth);
        self.skopeo.run(&[
            "login",
            "--cert-dir",
            certs,
            "--authfile",
            auth,
            "--username",
            user,
            "--password",
            password,
            host,
        ])
    }

    fn log_out(&self) {
        fs::write(&self.auth, "{}").expect("write a file");
    }

    fn push(&self, layout: &Layout, image: &str) -> crate::support::command::Outcome {
        let (from, to) = (format!("oci:{}", layout.image(TAG)), format!("docker://{image}"));
        self.skopeo.run(&[
            "--insecure-policy",
            "copy",
            "--authfile",
            &self.auth,
            "--dest-cert-dir",
            &self.certs,
            &from,
            &to,
        ])
    }

    fn pull(&self, image: &str, layout: &Layout) -> crate::support::command::Outcome {
        let (from, to) = (format!("docker://{image}"), format!("oci:{}", layout.image(TAG)));
        self.skopeo.run(&[
            "--insecure-policy",
            "copy",
            "--authfile",
            &self.auth,
            "--src-cert-dir",
            &self.certs,
            &from,
            &to,
        ])
    }
}

#[test]
fn a_robot_logs_in_with_a_token() {
    let Some(skopeo) = tool("skopeo") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(pushed) = images::tiny(&scratch.path().join("pushed"), "an access token") else { return };
    let setup = Setup::new("");
    let secret = setup.token("alice", "acme/app", &["pull", "push"]);
    let session = Session::new(&skopeo, &setup);
    session.login(&setup, "bob", &secret).failed();
    for user in ["alice", "$token"] {
        session.login(&setup, user, &secret).succeeded();
        session.push(&pushed, &setup.image("acme/app")).succeeded();
        let pulled = Layout::at(scratch.path().join(user));
        session.pull(&setup.image("acme/app"), &pulled).succeeded();
        assert_same_image(&pushed, &pulled, &pushed.digest(TAG));
        let refused = session.push(&pushed, &setup.image("acme/other")).failed();
        assert!(refused.stderr().contains("403"), "{refused}");
    }
    if let Some(crane) = tool("crane") {
        let crane = crane.with_env("SSL_CERT_FILE", setup.files.path("ca.pem").to_str().expect("ASCII"));
        crane.run(&["auth", "login", "--username", "alice", "--password", &secret, setup.registry.host()]).succeeded();
        assert_eq!(crane.run(&["digest", &setup.image("acme/app")]).succeeded().text(), pushed.digest(TAG));
    }
    if let Some(curl) = tool("curl") {
        let (authority, bearer) = (setup.files.path("ca.pem"), format!("Authorization: Bearer {secret}"));
        let url = format!("{}/v2/acme/app/tags/list", setup.registry.url());
        let asked = curl.run(&["--silent", "--cacert", authority.to_str().expect("ASCII"), "--header", &bearer, &url]);
        assert!(asked.succeeded().text().contains(TAG), "the tags");
    }
}

#[test]
fn skopeo_and_podman_fetch_tokens_from_the_issuer() {
    let Some(skopeo) = tool("skopeo") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(pushed) = images::tiny(&scratch.path().join("pushed"), "an outside issuer") else { return };
    let server = TokenServer::start();
    let setup = Setup::with_issuer(&server);
    let session = Session::new(&skopeo, &setup);
    session.log_out();
    session.push(&pushed, &setup.image("labs/x")).failed();
    session.login(&setup, "carol", "wrong").failed();
    // Nothing is asked of the rules, which know nobody of this name.
    session.login(&setup, "carol", &password("carol")).succeeded();
    session.push(&pushed, &setup.image("labs/x")).succeeded();
    assert!(server.asked().iter().any(|scope| scope == "repository:labs/x:pull,push"), "{:?}", server.asked());
    session.login(&setup, "dave", &password("dave")).succeeded();
    let pulled = Layout::at(scratch.path().join("pulled"));
    session.pull(&setup.image("labs/x"), &pulled).succeeded();
    assert_same_image(&pushed, &pulled, &pushed.digest(TAG));
    let other = images::tiny(&scratch.path().join("other"), "pushed by dave").expect("umoci is there");
    session.push(&other, &setup.image("labs/x")).failed();
    let root = setup.files.client_of(&setup.registry, "root");
    let events = root.get("/api/v1/events?actor=user:carol&kind=tag_moved").expect("an answer").expecting(200).json();
    assert_eq!(events["events"][0]["repository"], "labs/x", "{events}");

    let Some(podman) = Engine::find("podman") else { return };
    let (certs, auth, image) = (&session.certs, &session.auth, setup.image("labs/x"));
    podman.run(&["pull", "--quiet", "--cert-dir", certs, "--authfile", auth, &image]).succeeded();
}

#[test]
fn crane_fetches_tokens_from_the_issuer() {
    let Some(crane) = tool("crane") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(pushed) = images::tiny(&scratch.path().join("pushed"), "crane and an issuer") else { return };
    let server = TokenServer::start();
    let setup = Setup::in_the_clear(&server);
    let login = |user: &str| {
        let secret = password(user);
        crane.run(&["auth", "login", "--username", user, "--password", &secret, setup.registry.host()]).succeeded();
    };
    let (image, copy) = (setup.image("labs/x"), setup.image("labs/copy"));
    crane.run(&["push", pushed.dir(), &image]).failed();
    login("carol");
    crane.run(&["push", pushed.dir(), &image]).succeeded();
    // Its layers are mounted, which takes a token for both repositories.
    crane.run(&["copy", &image, &copy]).succeeded();
    assert_eq!(crane.run(&["catalog", setup.registry.host()]).succeeded().text(), "labs/copy\nlabs/x");
    login("dave");
    assert_eq!(crane.run(&["digest", &copy]).succeeded().text(), pushed.digest(TAG));
    crane.run(&["tag", &copy, "other"]).failed();
}

#[test]
fn docker_fetches_tokens_from_the_issuer() {
    let (Some(docker), Some(skopeo)) = (tool("docker"), tool("skopeo")) else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(pushed) = images::tiny(&scratch.path().join("pushed"), "docker and an issuer") else { return };
    let server = TokenServer::start();
    let setup = Setup::with_issuer(&server);
    let session = Session::new(&skopeo, &setup);
    session.login(&setup, "carol", &password("carol")).succeeded();
    session.push(&pushed, &setup.image("labs/x")).succeeded();
    // This command speaks with the registry itself, in the way in which the daemon does.
    let docker = docker.with_env("SSL_CERT_FILE", setup.files.path("ca.pem").to_str().expect("ASCII"));
    let (config, image) = (docker.at_home("docker"), setup.image("labs/x"));
    fs::create_dir_all(&config).expect("create a directory");
    let inspect = || docker.run(&["--config", &config, "manifest", "inspect", "--verbose", &image]);
    inspect().failed();
    fs::copy(&session.auth, format!("{config}/config.json")).expect("copy a file");
    let inspected = inspect().succeeded();
    assert!(inspected.text().contains(&pushed.digest(TAG)), "{inspected}");
}

/// Anybody may pull from `public`, and whoever logs in may do more.
const PUBLIC: &str = "[[access]]\nsubject = \"anonymous\"\nrepositories = [\"public/**\"]\nactions = [\"pull\"]\n";

#[test]
fn clients_log_in_where_nobody_has_to() {
    let Some(skopeo) = tool("skopeo") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(pushed) = images::tiny(&scratch.path().join("pushed"), "nobody has to log in") else { return };
    let setup = Setup::new(PUBLIC);
    let session = Session::new(&skopeo, &setup);
    let (public, private) = (setup.image("public/x"), setup.image("acme/app"));
    session.log_out();
    session.push(&pushed, &public).failed();
    session.login(&setup, "root", "wrong").failed();
    session.login(&setup, "root", &password("root")).succeeded();
    session.push(&pushed, &public).succeeded();
    session.push(&pushed, &private).succeeded();
    session.login(&setup, "alice", &setup.token("alice", "acme/**", &["pull", "push"])).succeeded();
    session.push(&pushed, &setup.image("acme/by-token")).succeeded();
    let logged_in = fs::read_to_string(&session.auth).expect("read a file");
    session.log_out();
    let pulled = Layout::at(scratch.path().join("pulled"));
    session.pull(&public, &pulled).succeeded();
    assert_same_image(&pushed, &pulled, &pushed.digest(TAG));
    session.pull(&private, &Layout::at(scratch.path().join("refused"))).failed();

    let authority = setup.files.path("ca.pem");
    let authority = authority.to_str().expect("ASCII");
    if let Some(docker) = tool("docker") {
        let docker = docker.with_env("SSL_CERT_FILE", authority);
        let config = docker.at_home("docker");
        fs::create_dir_all(&config).expect("create a directory");
        let inspect = |image: &str| docker.run(&["--config", &config, "manifest", "inspect", "--verbose", image]);
        assert!(inspect(&public).succeeded().text().contains(&pushed.digest(TAG)));
        inspect(&private).failed();
        fs::write(format!("{config}/config.json"), &logged_in).expect("write a file");
        assert!(inspect(&private).succeeded().text().contains(&pushed.digest(TAG)));
    }
    if let Some(crane) = tool("crane") {
        let crane = crane.with_env("SSL_CERT_FILE", authority);
        assert_eq!(crane.run(&["digest", &public]).succeeded().text(), pushed.digest(TAG));
        crane.run(&["push", pushed.dir(), &private]).failed();
        crane
            .run(&["auth", "login", "--username", "alice", "--password", &password("alice"), setup.registry.host()])
            .succeeded();
        crane.run(&["push", pushed.dir(), &private]).succeeded();
    }
    if let Some(podman) = Engine::find("podman") {
        podman
            .run(&["pull", "--quiet", "--cert-dir", &session.certs, "--authfile", &session.auth, &public])
            .succeeded();
    }
}
