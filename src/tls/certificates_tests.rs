use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConnection, StreamOwned, SupportedProtocolVersion};
use tempfile::TempDir;

use super::*;

/// An authority that was made for one test.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate and its key, in PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }
}

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, (cert, key): &(String, String)) {
        std::fs::write(self.path("cert"), cert).unwrap();
        std::fs::write(self.path("key"), key).unwrap();
    }

    fn read(&self, client_ca: Option<&str>) -> Result<Certificates, TlsError> {
        let client_ca = client_ca.map(|name| self.path(name));
        Certificates::read(&self.path("cert"), &self.path("key"), client_ca.as_deref())
    }
}

/// A server that sends every byte back, on as many connections as come.
struct Echo(std::net::SocketAddr);

impl Echo {
    fn start(certificates: &Certificates) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let config = Arc::new(certificates.server().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let config = config.clone();
                std::thread::spawn(move || {
                    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).is_ok() {
                        stream.write_all(&byte).unwrap();
                        stream.flush().unwrap();
                    }
                });
            }
        });
        Self(address)
    }

    fn connect(&self, config: ClientConfig, name: &str) -> Result<Open, String> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
        let mut open = Open(StreamOwned::new(connection, TcpStream::connect(self.0).unwrap()));
        open.say()?;
        Ok(open)
    }
}

struct Open(StreamOwned<ClientConnection, TcpStream>);

impl Open {
    fn say(&mut self) -> Result<(), String> {
        let mut answer = [0];
        let said = self.0.write_all(b"x").and_then(|()| self.0.read_exact(&mut answer));
        said.map_err(|error| error.to_string())
    }
}

fn client(authority: &Authority, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(authority.roots())
        .with_no_client_auth()
}

fn client_showing(authority: &Authority, (cert, key): &(String, String)) -> ClientConfig {
    let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority.roots())
        .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
        .unwrap()
}

#[test]
fn both_versions_are_spoken() {
    let (authority, files) = (Authority::new(), Files::new());
    files.write(&authority.issue("registry.test"));
    let server = Echo::start(&files.read(None).unwrap());
    for version in [&TLS12, &TLS13] {
        server.connect(client(&authority, &[version]), "registry.test").unwrap();
    }
    assert!(server.connect(client(&authority, &[&TLS13]), "other.test").is_err());
    assert!(server.connect(client(&Authority::new(), &[&TLS13]), "registry.test").is_err());
}

#[test]
fn a_new_certificate_is_shown_to_new_connections_only() {
    let (old, new, files) = (Authority::new(), Authority::new(), Files::new());
    files.write(&old.issue("registry.test"));
    let certificates = files.read(None).unwrap();
    let server = Echo::start(&certificates);
    let mut open = server.connect(client(&old, &[&TLS13]), "registry.test").unwrap();
    files.write(&new.issue("registry.test"));
    certificates.reload().unwrap();
    server.connect(client(&new, &[&TLS13]), "registry.test").unwrap();
    assert!(server.connect(client(&old, &[&TLS13]), "registry.test").is_err());
    open.say().unwrap();

    // What is wrong changes nothing.
    std::fs::write(files.path("cert"), old.issue("registry.test").0).unwrap();
    let error = certificates.reload().unwrap_err().to_string();
    assert!(error.contains("does not go with"), "{error}");
    server.connect(client(&new, &[&TLS13]), "registry.test").unwrap();
    open.say().unwrap();
}

#[test]
fn a_client_shows_a_certificate_of_the_authority_or_none() {
    let (authority, other, files) = (Authority::new(), Authority::new(), Files::new());
    files.write(&authority.issue("registry.test"));
    std::fs::write(files.path("ca"), authority.0.pem()).unwrap();
    let certificates = files.read(Some("ca")).unwrap();
    let server = Echo::start(&certificates);
    let (good, bad) = (authority.issue("client"), other.issue("client"));
    server.connect(client(&authority, &[&TLS13, &TLS12]), "registry.test").unwrap();
    server.connect(client_showing(&authority, &good), "registry.test").unwrap();
    assert!(server.connect(client_showing(&authority, &bad), "registry.test").is_err());
    std::fs::write(files.path("ca"), other.0.pem()).unwrap();
    certificates.reload().unwrap();
    server.connect(client_showing(&authority, &bad), "registry.test").unwrap();
    assert!(server.connect(client_showing(&authority, &good), "registry.test").is_err());
}

#[test]
fn files_that_are_wrong_are_named() {
    let (authority, files) = (Authority::new(), Files::new());
    let (cert, key) = authority.issue("registry.test");
    for (name, cert, key, says) in [
        ("key", cert.as_str(), "", "key: "),
        ("cert", "", key.as_str(), "no certificate in PEM"),
        ("cert", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", &key, "cert: "),
        ("key", &cert, &authority.issue("x").1, "does not go with"),
    ] {
        files.write(&(cert.to_owned(), key.to_owned()));
        let error = files.read(None).unwrap_err().to_string();
        assert!(error.contains(&format!("/{name}: ")) && error.contains(says), "{error}");
        assert!(!error.contains("PRIVATE"), "{error}");
    }
    files.write(&(cert, key));
    let error = files.read(Some("absent")).unwrap_err().to_string();
    assert!(error.contains("absent: "), "{error}");
}

/// Signed by `openssl x509 -req` without extensions, which makes it one of version 1.
const ANCIENT: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBKzCB0wIUQqEVD2w6Z6o9CPBZ6WX+cz7ZcK8wCgYIKoZIzj0EAwIwGDEWMBQG\n\
A1UEAwwNcmVnaXN0cnkudGVzdDAgFw0yNjExMjEyMTM1MjFaGA8yMTI2MTAyODIx\n\
MzUyMVowGDEWMBQGA1UEAwwNcmVnaXN0cnkudGVzdDBZMBMGByqGSM49AgEGCCqG\n\
SM49AwEHA0IABKfEGGYCSEyo8WX4u6zb2T4PCGm8s9FVIwqfDqIQyPNbJJ722n82\n\
1arO5q2MVb7VmiiOZ6TaZt64ZHfxPMseAPwwCgYIKoZIzj0EAwIDRwAwRAIgQ9KF\n\
ryCJvpTRUeB6PunCqxjx0WRG5sXOewrNu+zvcIcCIDGcr+ygg/zp1rxrvBG8rzSN\n\
9CCX4gGvCqnDsll4mhUo\n\
-----END CERTIFICATE-----\n\
";

#[test]
fn what_is_no_fault_of_the_key_is_told_of_the_certificate() {
    let (authority, files) = (Authority::new(), Files::new());
    files.write(&(ANCIENT.to_owned(), authority.issue("registry.test").1));
    let error = files.read(None).unwrap_err().to_string();
    assert!(error.contains("/cert: it is an X.509 certificate of version 1"), "{error}");
}

#[test]
fn when_a_certificate_expires_is_known_also_after_a_reload() {
    let (authority, files) = (Authority::new(), Files::new());
    let issue = |until| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["registry.test".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), until);
        files.write(&(params.signed_by(&key, &authority.0).unwrap().pem(), key.serialize_pem()));
    };
    issue(rcgen::date_time_ymd(2021, 1, 1));
    let certificates = files.read(None).unwrap();
    // 2021-01-01 and 2030-01-01 in UTC.
    let (first, second, day) = (1_609_459_200, 1_893_456_000, 24 * 3600);
    assert_eq!(certificates.not_after(), Some(first));
    let worry = certificates.worry(first + day).unwrap();
    assert!(worry.contains("/cert: it has expired at 2021-01-01T00:00:00.000000Z"), "{worry}");
    issue(rcgen::date_time_ymd(2030, 1, 1));
    certificates.reload().unwrap();
    assert_eq!((certificates.not_after(), certificates.worry(first + day)), (Some(second), None));
    assert!(certificates.worry(second - 13 * day).unwrap().contains("it expires at 2030-01-01"));
}

#[test]
fn a_probe_takes_any_certificate() {
    let (authority, files) = (Authority::new(), Files::new());
    files.write(&authority.issue("registry.test"));
    let server = Echo::start(&files.read(None).unwrap());
    let (done, answered) = mpsc::channel();
    std::thread::spawn(move || {
        let mut stream = crate::tls::probe(TcpStream::connect(server.0).unwrap(), "[::1]").unwrap();
        let mut answer = [0];
        stream.write_all(b"x").and_then(|()| stream.read_exact(&mut answer)).unwrap();
        done.send(answer).unwrap();
    });
    assert_eq!(answered.recv().unwrap(), *b"x");
}
