//! A build with a secret in it is leaked, and removed: the story that `docs/incident-leaked-image.md` tells, over HTTPS, with users.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::document::compared;
use crate::support::client::{Client, digest_of};
use crate::support::command::run_within;
use crate::support::guarded::{Files, password};
use crate::support::replay::{assert_verifies, program};
use crate::support::tool::{text, tool};

const REPOSITORY: &str = "acme/search-indexer";
const MARKER: &str = "AKIAIOSFODNN7EXAMPLE";
const DEADLINE: Duration = Duration::from_secs(120);

/// What `/etc/tagstone/settings.toml` of the story says about users. `ci` pushes, `alice` leads the team.
const RULES: &str = r#"
[[access]]
subject = "ci"
repositories = ["acme/**"]
actions = ["pull", "push"]
[[access]]
subject = "alice"
repositories = ["acme/**"]
actions = ["pull", "push", "delete"]
[content]
small_blob_bytes = 4096
"#;

/// Pushes an image of these layers under tags, as a build does.
fn build(client: &Client, name: &str, layers: &[Vec<u8>], tags: &[&str]) -> Vec<u8> {
    let config = json!({"architecture": "amd64", "os": "linux", "config": {"Labels": {"build": name}}}).to_string();
    let descriptor = |media_type: &str, bytes: &[u8]| {
        client.push_blob(REPOSITORY, bytes);
        json!({"mediaType": media_type, "digest": digest_of(bytes), "size": bytes.len()})
    };
    let layers: Vec<Value> =
        layers.iter().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer)).collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", config.as_bytes()), "layers": layers,
    });
    let manifest = manifest.to_string().into_bytes();
    for tag in tags {
        client.put_manifest(REPOSITORY, tag, &manifest).expect("an answer").expecting(201);
    }
    manifest
}

/// A tar of one file, the same on every machine.
fn layer(name: &str, contents: &str, bytes: usize) -> Vec<u8> {
    let mut contents = contents.as_bytes().to_vec();
    contents.resize(bytes.max(contents.len()), b'.');
    let mut header = [0u8; 512];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", contents.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let padded = contents.len().next_multiple_of(512);
    contents.resize(padded + 1024, 0);
    [header.as_slice(), &contents].concat()
}

/// Whether any file below the directory holds these bytes.
fn lies_on_disk(directory: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(directory).expect("read a directory").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return lies_on_disk(&path, bytes);
        }
        fs::read(&path).expect("read a file").windows(bytes.len()).any(|window| window == bytes)
    })
}

/// A shell in which the names of the document mean what this test has started.
struct Shell<'a> {
    home: &'a Path,
    host: &'a str,
    data: &'a Path,
    authority: &'a Path,
}

impl Shell<'_> {
    fn prints(&self, command: &str) -> String {
        let command = command.replace("registry.example", self.host).replace("/var/lib/tagstone", text(self.data));
        let tools = program().parent().expect("a directory");
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec 2>&1; {command}")]).current_dir(self.home);
        shell.env("HOME", self.home).env("PATH", path).env("TAGSTONE_PASSWORD", password("root"));
        shell.env("CURL_CA_BUNDLE", self.authority).env("SSL_CERT_FILE", self.authority);
        shell.env("REGISTRY_AUTH_FILE", self.home.join("auth.json")).env("NO_COLOR", "1");
        let ran = run_within(&mut shell, DEADLINE);
        let text = String::from_utf8_lossy(ran.stdout()).replace(self.host, "registry.example");
        let text = text.replace(crate::support::tool::text(self.data), "/var/lib/tagstone");
        text.lines().map(|line| format!("{}\n", untimed(line.trim_end()))).collect()
    }
}

/// A line in which every instant is the one of the story.
fn untimed(line: &str) -> String {
    const FORM: &[u8] = b"0000-00-00T00:00:00.000000Z";
    let is_instant = |at: usize| {
        let found = line.as_bytes().get(at..at + FORM.len());
        found.is_some_and(|found| {
            found.iter().zip(FORM).all(|(byte, form)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form })
        })
    };
    let mut written = String::new();
    let mut at = 0;
    while let Some(next) = line[at..].chars().next() {
        if is_instant(at) {
            written.push_str("2026-11-21T09:42:07.000000Z");
            at += FORM.len();
        } else {
            written.push(next);
            at += next.len_utf8();
        }
    }
    written
}

#[test]
fn a_leaked_build_is_removed_as_the_document_tells() {
    let (Some(_curl), Some(skopeo), Some(_python)) = (tool("curl"), tool("skopeo"), tool("python3")) else { return };
    let files = Files::new(&["alice", "ci", "root"], RULES);
    let mut registry = files.start();
    let (ci, root) = (files.client_of(&registry, "ci"), files.client_of(&registry, "root"));
    let policy = br#"{"tagPattern": "v[0-9].*"}"#;
    let created = root.send(ureq::http::Method::POST, "/api/v1/organization/acme/immutabilitypolicy/", &[], policy);
    created.expect("an answer").expecting(201);

    let base = layer("usr/lib/base", "what all builds share", 20_000);
    let app = |version: &str| layer("srv/indexer", &format!("the indexer, {version}"), 6_000);
    let old = build(&ci, "v1.0.0", &[base.clone(), app("v1.0.0")], &["v1.0.0"]);
    let new = build(&ci, "v1.1.0", &[base.clone(), app("v1.1.0")], &["v1.1.0", "latest", "stable"]);
    let secret = layer("root/.aws/credentials", &format!("aws_access_key_id = {MARKER}\n"), 9_000);
    let leaked = build(&ci, "debug-42", &[base.clone(), app("debug-42"), secret.clone()], &["debug-42"]);
    assert!(lies_on_disk(&registry.data(), MARKER.as_bytes()));

    let home = TempDir::new().expect("create a temporary directory");
    let host = registry.host().to_owned();
    let netrc = format!("machine 127.0.0.1\nlogin alice\npassword \"{}\"\n", password("alice"));
    fs::write(home.path().join(".netrc"), netrc).expect("write a file");
    fs::copy(files.path("ca.pem"), home.path().join("ca.pem")).expect("copy a file");
    let auth = home.path().join("auth.json");
    let login = ["login", "--authfile", text(&auth), "--username", "alice", "--password", &password("alice"), &host];
    skopeo.with_env("SSL_CERT_FILE", text(&files.path("ca.pem"))).run(&login).succeeded();
    let (data, authority) = (registry.data(), files.path("ca.pem"));
    let shell = Shell { home: home.path(), host: &host, data: &data, authority: &authority };
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/incident-leaked-image.md");
    let commands = compared(&document, |command| shell.prints(command));
    assert!(commands > 10, "{commands} commands");

    for bytes in [MARKER.as_bytes(), b"the indexer, debug-42", &leaked, b"\"build\":\"debug-42\""] {
        assert!(!lies_on_disk(&data, bytes), "{}", String::from_utf8_lossy(bytes));
    }
    let everything = files.client_of(&registry, "root");
    for (tag, manifest, version) in
        [("v1.0.0", &old, "v1.0.0"), ("v1.1.0", &new, "v1.1.0"), ("latest", &new, "v1.1.0"), ("stable", &new, "v1.1.0")]
    {
        let pulled = everything.get_manifest(REPOSITORY, tag).expect("an answer").expecting(200);
        assert_eq!(pulled.body, *manifest, "{tag}");
        for bytes in [&base, &app(version)] {
            let pulled = everything.get_blob(REPOSITORY, &digest_of(bytes)).expect("an answer").expecting(200);
            assert_eq!(pulled.body, *bytes, "{tag}");
        }
    }
    everything.get_blob(REPOSITORY, &digest_of(&secret)).expect("an answer").expecting(404);
    registry.stop();
    assert!(data.join("promises").is_file(), "a clean stop keeps what clients were told");
    assert_verifies(&data);
}
