//! TLS from outside.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::command::run;
use crate::support::guarded::{Files, RULES};
use crate::support::registry::Registry;

/// Far longer than the two seconds that a head may take.
const NEVER: Duration = Duration::from_secs(60);

/// A connection that trusts the authority and offers these protocols.
fn connect(files: &Files, registry: &Registry, protocols: &[&[u8]]) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(files.authority().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let stream = TcpStream::connect(registry.host()).unwrap();
    stream.set_read_timeout(Some(NEVER)).unwrap();
    StreamOwned::new(connection, stream)
}

#[test]
fn it_serves_over_tls_and_says_so() {
    let files = Files::new(&["root"], RULES);
    let mut registry = files.start();
    assert!(registry.url().starts_with("https://127.0.0.1:"), "{}", registry.url());
    files.client_of(&registry, "root").get("/v2/").expect("an answer").expecting(200);
    let asked = files.client(&registry).get("/v2/").expect("an answer").expecting(401);
    assert_eq!(asked.header("WWW-Authenticate"), Some("Basic realm=\"tagstone\", charset=\"UTF-8\""));
    let mut plain = TcpStream::connect(registry.host()).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // It is no HTTP that comes back, if anything does.
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    registry.stop();
}

#[test]
fn http_2_is_not_offered() {
    let files = Files::new(&["root"], RULES);
    let registry = files.start();
    let mut stream = connect(&files, &registry, &[b"h2", b"http/1.1"]);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 12]).unwrap();
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[test]
fn a_health_check_asks_over_tls() {
    let files = Files::new(&["root"], RULES);
    let registry = files.start();
    let check = |url: &str| run(Command::new(env!("CARGO_BIN_EXE_tagstone")).args(["healthcheck", "--url", url]));
    assert_eq!(check(registry.url()).succeeded().text(), "ready");
    // One that speaks no TLS to a server that does is not ready, and the other way round.
    check(&registry.url().replace("https", "http")).failed();
    let plain = Registry::start();
    let said = check(&plain.url().replace("http", "https")).failed();
    assert!(said.stderr().contains("https://127.0.0.1:"), "{said}");
}

#[test]
fn a_connection_in_which_nothing_happens_is_cut() {
    let files = Files::new(&["root"], RULES);
    let registry = files.start();
    let mut stream = connect(&files, &registry, &[]);
    // Behind an answered request only the book of connections knows of the time of a head.
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut said = vec![0; 12];
    stream.read_exact(&mut said).unwrap();
    stream.write_all(b"GET /healthz HT").unwrap();
    match stream.read_to_end(&mut said) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the connection was not cut: {error}"),
        // Whether the end is announced or not.
        _ => assert!(said.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&said)),
    }
}
