//! Who can reach the server, and whether it may start like that.

use std::net::SocketAddr;

use thiserror::Error;

use super::Settings;

/// The server would be open to everyone who reaches its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "refusing to listen on {0}: it can be reached from other machines, and without [auth] whoever reaches it is \
     administrator; name a file of users (htpasswd = \"users.htpasswd\" in [auth]), or set listen to a loopback address (listen = \"127.0.0.1:{port}\" in the \
     file, TAGSTONE_LISTEN, or --listen), or pass --insecure-open if everyone there may read, write and delete", port = .0.port()
)]
pub struct Exposed(
    /// The address that others can reach.
    pub SocketAddr,
);

impl Settings {
    /// An error if others than this machine would be served without authentication.
    pub fn check_exposure(&self) -> Result<(), Exposed> {
        // An IPv4 address in IPv6 clothes (`::ffff:127.0.0.1`) is judged by what is inside.
        let is_closed = self.auth.is_on() || self.listen.ip().to_canonical().is_loopback();
        if is_closed { Ok(()) } else { Err(Exposed(self.listen)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_closed() {
        let exposed = |listen: &str| {
            let settings = Settings { listen: listen.parse().unwrap(), ..Settings::default() };
            settings.check_exposure().is_err()
        };
        for listen in ["127.0.0.1:5000", "127.8.9.1:0", "[::1]:5000", "[::ffff:127.0.0.1]:5000"] {
            assert!(!exposed(listen), "{listen}");
        }
        for listen in ["0.0.0.0:5000", "[::]:5000", "192.168.1.2:5000", "[::ffff:10.0.0.1]:5000", "[fe80::1]:5000"] {
            assert!(exposed(listen), "{listen}");
        }
        let mut settings = Settings { listen: "0.0.0.0:5000".parse().unwrap(), ..Settings::default() };
        settings.auth.htpasswd = Some("users".into());
        assert!(settings.check_exposure().is_ok());
    }
}
