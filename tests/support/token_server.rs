//! A token server of the Docker protocol: it listens on a free port of 127.0.0.1 and signs what it is asked for.
//!
//! `carol` may pull and push everywhere, `dave` may pull; the password of each is `<name>'s password`. Without credentials nothing is
//! granted, and that is no error, as the specification wants it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::guarded::password;
use super::issuer::{Issuer, SERVICE};

/// A token server that runs until the process of the test ends.
pub(crate) struct TokenServer {
    port: u16,
    issuer: Arc<Issuer>,
    /// The scopes that it was asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl TokenServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let port = listener.local_addr().expect("an address").port();
        let (issuer, asked) = (Arc::new(Issuer::new()), Arc::<Mutex<Vec<String>>>::default());
        let (signing, asking) = (issuer.clone(), asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (signing, asking) = (signing.clone(), asking.clone());
                // A client that breaks off is no failure of the server.
                thread::spawn(move || answer(&stream, &signing, &asking).ok());
            }
        });
        Self { port, issuer, asked }
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The settings of a registry that takes its tokens; the keys are in `jwks.json`. crane asks no address that is private, but any name.
    pub(crate) fn settings(&self) -> String {
        let issuer = super::issuer::ISSUER;
        format!(
            "[auth.bearer]\nrealm = \"http://localhost:{}/token\"\nservice = \"{SERVICE}\"\nissuer = \"{issuer}\"\njwks = \"jwks.json\"\n",
            self.port
        )
    }

    /// The scopes that it was asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads one request and answers it.
fn answer(mut stream: &TcpStream, issuer: &Issuer, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut authorization = String::new();
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        {
            authorization = format!("{name}:{}", value.trim());
        }
    }
    let (status, body) = match request.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()) {
        Some(target) => token(target, &authorization, issuer, asked),
        // Some clients try OAuth 2 first.
        None => ("405 Method Not Allowed", "{}".to_owned()),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn token(target: &str, authorization: &str, issuer: &Issuer, asked: &Mutex<Vec<String>>) -> (&'static str, String) {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let parameters = query.split('&').filter_map(|pair| pair.split_once('='));
    let scopes: Vec<String> = parameters
        .filter(|(name, _)| *name == "scope")
        .flat_map(|(_, value)| {
            let value = percent_decode_str(value).decode_utf8_lossy().replace('+', " ");
            value.split(' ').map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    asked.lock().unwrap_or_else(PoisonError::into_inner).extend(scopes.clone());
    let user = match login(authorization) {
        None => String::new(),
        Some((user, given)) if given == password(&user) && ["carol", "dave"].contains(&user.as_str()) => user,
        Some(_) => return ("401 Unauthorized", "{}".to_owned()),
    };
    let granted: Vec<String> = scopes.iter().filter_map(|scope| granted(&user, scope)).collect();
    let granted: Vec<&str> = granted.iter().map(String::as_str).collect();
    let token = issuer.token(&user, &granted);
    ("200 OK", json!({"token": token, "access_token": token, "expires_in": 300}).to_string())
}

fn login(authorization: &str) -> Option<(String, String)> {
    let encoded = authorization.split_once("Basic ")?.1;
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    (!user.is_empty()).then(|| (user.to_owned(), password.to_owned()))
}

/// What of a scope somebody is granted.
fn granted(user: &str, scope: &str) -> Option<String> {
    let (resource, actions) = scope.rsplit_once(':')?;
    let may = |action: &&str| match user {
        "carol" => true,
        "dave" => *action == "pull",
        _ => false,
    };
    let actions: Vec<_> = actions.split(',').filter(may).collect();
    Some(format!("{resource}:{}", actions.join(",")))
}
