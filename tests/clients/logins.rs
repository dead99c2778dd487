//! Clients that log in, over TLS with an authority that is made on the spot: skopeo, podman, crane, oras' and docker's way of sending
//! credentials among them, which is all the same one.

use std::fs;

use tempfile::TempDir;

use crate::podman::Engine;
use crate::support::guarded::{Files, RULES, password};
use crate::support::images::{self, TAG};
use crate::support::layout::{Layout, assert_same_image};
use crate::support::registry::Registry;
use crate::support::tool::{Tool, tool};

/// A registry, and the directory with its authority as `--cert-dir` wants it.
fn started() -> (Files, Registry, TempDir) {
    let files = Files::new(&["alice", "bob", "root"], RULES);
    let registry = files.start();
    let authorities = TempDir::new().expect("create a temporary directory");
    fs::write(authorities.path().join("ca.crt"), files.authority()).expect("write a file");
    (files, registry, authorities)
}

/// What skopeo and podman need to log in as a user.
fn login<'a>(cert_dir: &'a str, authfile: &'a str, user: &'a str, password: &'a str, host: &'a str) -> [&'a str; 10] {
    ["login", "--cert-dir", cert_dir, "--authfile", authfile, "--username", user, "--password", password, host]
}

#[test]
fn skopeo_logs_in_and_pushes_what_it_may() {
    let Some(skopeo) = tool("skopeo") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(pushed) = images::tiny(&scratch.path().join("pushed"), "skopeo over TLS") else { return };
    let (_files, registry, authorities) = started();
    let (certs, auth) = (authorities.path().to_str().expect("ASCII"), skopeo.at_home("auth.json"));
    let (from, image) = (format!("oci:{}", pushed.image(TAG)), format!("docker://{}/acme/app:{TAG}", registry.host()));
    let copy = |skopeo: &Tool, from: &str, to: &str| {
        let side = if to.starts_with("docker") { "--dest-cert-dir" } else { "--src-cert-dir" };
        skopeo.run(&["--insecure-policy", "copy", "--authfile", &auth, side, certs, from, to])
    };
    let refused = skopeo.run(&login(certs, &auth, "alice", "wrong", registry.host())).failed();
    assert!(refused.stderr().contains("unauthorized") || refused.stderr().contains("invalid username"), "{refused}");
    fs::write(&auth, "{}").expect("write a file");
    copy(&skopeo, &from, &image).failed();

    skopeo.run(&login(certs, &auth, "bob", &password("bob"), registry.host())).succeeded();
    let refused = copy(&skopeo, &from, &image).failed();
    assert!(refused.stderr().contains("bob may not push to acme/app"), "{refused}");

    skopeo.run(&login(certs, &auth, "alice", &password("alice"), registry.host())).succeeded();
    copy(&skopeo, &from, &image).succeeded();
    skopeo.run(&login(certs, &auth, "bob", &password("bob"), registry.host())).succeeded();
    let pulled = Layout::at(scratch.path().join("pulled"));
    copy(&skopeo, &image, &format!("oci:{}", pulled.image(TAG))).succeeded();
    assert_same_image(&pushed, &pulled, &pushed.digest(TAG));
    skopeo.run(&["delete", "--cert-dir", certs, "--authfile", &auth, &image]).failed();
    skopeo.run(&login(certs, &auth, "alice", &password("alice"), registry.host())).succeeded();
    skopeo.run(&["delete", "--cert-dir", certs, "--authfile", &auth, &image]).succeeded();
}

#[test]
fn podman_logs_in_pulls_and_pushes() {
    let (Some(podman), Some(skopeo)) = (Engine::find("podman"), tool("skopeo")) else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(pushed) = images::tiny(&scratch.path().join("pushed"), "podman over TLS") else { return };
    let (files, registry, authorities) = started();
    let (certs, auth) = (authorities.path().to_str().expect("ASCII"), skopeo.at_home("auth.json"));
    podman.run(&login(certs, &auth, "alice", "wrong", registry.host())).failed();
    podman.run(&login(certs, &auth, "alice", &password("alice"), registry.host())).succeeded();
    let image = format!("{}/acme/app:{TAG}", registry.host());
    let (from, to) = (format!("oci:{}", pushed.image(TAG)), format!("docker://{image}"));
    // What one of them has logged in with, the other one uses.
    skopeo.run(&["--insecure-policy", "copy", "--authfile", &auth, "--dest-cert-dir", certs, &from, &to]).succeeded();

    let pull = podman.run(&["pull", "--quiet", "--cert-dir", certs, "--authfile", &auth, &image]).succeeded();
    let again = format!("{}/acme/again:{TAG}", registry.host());
    podman.run(&["push", "--quiet", "--cert-dir", certs, "--authfile", &auth, pull.text(), &again]).succeeded();
    let tags = files.client_of(&registry, "bob").tags("acme/again").expect("an answer");
    assert_eq!(tags, [TAG]);
    podman.run(&["logout", "--authfile", &auth, registry.host()]).succeeded();
    podman.run(&["pull", "--quiet", "--cert-dir", certs, "--authfile", &auth, &again]).failed();
}

#[test]
fn crane_logs_in_pushes_and_pulls() {
    let Some(crane) = tool("crane") else { return };
    let scratch = TempDir::new().expect("create a temporary directory");
    let Some(pushed) = images::tiny(&scratch.path().join("pushed"), "crane over TLS") else { return };
    let (files, registry, _authorities) = started();
    // Programs in Go trust what this variable names.
    let crane = crane.with_env("SSL_CERT_FILE", files.path("ca.pem").to_str().expect("ASCII"));
    let image = format!("{}/acme/app:{TAG}", registry.host());
    let login = |user: &str, password: &str| {
        crane.run(&["auth", "login", "--username", user, "--password", password, registry.host()])
    };
    crane.run(&["push", pushed.dir(), &image]).failed();
    login("bob", &password("bob")).succeeded();
    let refused = crane.run(&["push", pushed.dir(), &image]).failed();
    assert!(refused.stderr().contains("bob may not push to acme/app"), "{refused}");
    login("alice", &password("alice")).succeeded();
    crane.run(&["push", pushed.dir(), &image]).succeeded();
    login("bob", &password("bob")).succeeded();
    let pulled = Layout::at(scratch.path().join("pulled"));
    crane.run(&["pull", "--format=oci", &image, pulled.dir()]).succeeded();
    assert_same_image(&pushed, &pulled, &pushed.digest(TAG));
    // The catalog is what the user may pull.
    assert_eq!(crane.run(&["catalog", registry.host()]).succeeded().text(), "acme/app");
    login("bob", "wrong").succeeded();
    let refused = crane.run(&["digest", &image]).failed();
    assert!(refused.stderr().contains("401") || refused.stderr().contains("UNAUTHORIZED"), "{refused}");
}

#[test]
fn curl_trusts_the_authority_and_sends_a_login() {
    let Some(curl) = tool("curl") else { return };
    let (files, registry, _authorities) = started();
    let (authority, url) = (files.path("ca.pem"), format!("{}/v2/", registry.url()));
    let authority = authority.to_str().expect("ASCII");
    let base = [
        "--silent",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code} %{ssl_verify_result}",
        "--cacert",
        authority,
    ];
    let ask = |more: &[&str]| curl.run(&[&base, more, &[&url]].concat());
    assert_eq!(ask(&[]).succeeded().text(), "401 0");
    let bob = format!("bob:{}", password("bob"));
    for versions in [["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3", "--tls-max", "1.3"]] {
        assert_eq!(ask(&[&["--user", &bob][..], &versions].concat()).succeeded().text(), "200 0", "{versions:?}");
    }
    ask(&["--tls-max", "1.1"]).failed();
    curl.run(&["--silent", &url]).failed();
}
