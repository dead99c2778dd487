//! Passwords, verified.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use super::NotAdmitted;
use super::basic::Credentials;
use super::failures::{Failures, Who};
use super::htpasswd::Users;
use super::waiting::{BUSY, WaitingRoom};

/// How long a password that was right is not verified again. A client sends it with each of its requests, and to verify one takes
/// as long as to answer a thousand.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Logins that are remembered.
const MOST_REMEMBERED: usize = 10_000;

/// Verifies passwords, a few at a time and beside the workers.
pub(super) struct Logins {
    /// What remembered logins are hashed with, so that memory holds nothing that a password could be guessed by elsewhere.
    key: [u8; 32],
    /// When a login was found to be right. The key is made of the user, the password and the stored hash, so a login is forgotten
    /// together with its hash.
    right: Cache<[u8; 32], Instant>,
    verifying: Arc<Semaphore>,
    waiting: WaitingRoom,
    failures: Failures,
}

impl Logins {
    pub(super) fn new(failed_logins_a_minute: u32) -> io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| io::Error::other(format!("no random key can be drawn: {error}")))?;
        // The other half of the machine goes on serving.
        let at_once = std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2);
        Ok(Self {
            key,
            right: Cache::new(MOST_REMEMBERED),
            verifying: Arc::new(Semaphore::new(at_once)),
            waiting: WaitingRoom::default(),
            failures: Failures::new(failed_logins_a_minute),
        })
    }

    /// Whether a login is right.
    pub(super) async fn verify(
        &self,
        users: &Users,
        login: Credentials,
        address: Option<IpAddr>,
    ) -> Result<(), NotAdmitted> {
        let number = self.number(&login.user);
        let known = users.hash_of(&login.user);
        let Some(hash) = known.or_else(|| users.any_hash(number)) else { return Err(NotAdmitted::Wrong) };
        let remembered = self.digest(&login, hash);
        if known.is_some() && self.remembers(&remembered) {
            return Ok(());
        }
        let who: Vec<_> = address.map(Who::at).into_iter().chain([Who::User(number)]).collect();
        // Whoever is not listened to takes no place from others.
        self.check_failures(&who)?;
        let _place = self.waiting.place(address)?;
        let closed = |_| NotAdmitted::TooMany { retry_after: BUSY };
        let permit = self.verifying.clone().acquire_owned().await.map_err(closed)?;
        // Others may have verified the same login meanwhile, or failed.
        if known.is_some() && self.remembers(&remembered) {
            return Ok(());
        }
        self.check_failures(&who)?;
        let hash = hash.clone();
        let verified = tokio::task::spawn_blocking(move || {
            // What is too long for bcrypt was never hashed as a whole, so it is not the password.
            let is_right = bcrypt::non_truncating_verify(&login.password, &hash).unwrap_or(false);
            drop(permit);
            is_right
        });
        let is_right = verified.await.unwrap_or(false);
        if is_right && known.is_some() {
            self.right.insert(remembered, Instant::now());
            return Ok(());
        }
        match self.failures.note(&who) {
            Some(retry_after) => Err(NotAdmitted::TooMany { retry_after }),
            None => Err(NotAdmitted::Wrong),
        }
    }

    /// Notes that somebody has failed who did not say as which user.
    pub(super) fn failed_at(&self, address: Option<IpAddr>) -> NotAdmitted {
        let who: Vec<_> = address.map(Who::at).into_iter().collect();
        self.failures.note(&who).map_or(NotAdmitted::Wrong, |retry_after| NotAdmitted::TooMany { retry_after })
    }

    fn check_failures(&self, who: &[Who]) -> Result<(), NotAdmitted> {
        self.failures.wait(who).map_or(Ok(()), |retry_after| Err(NotAdmitted::TooMany { retry_after }))
    }

    fn remembers(&self, login: &[u8; 32]) -> bool {
        self.right.get(login).is_some_and(|when| when.elapsed() < REMEMBERED)
    }

    fn digest(&self, login: &Credentials, hash: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for part in [login.user.as_str(), login.password.as_str(), hash] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    /// The same number for the same text, which nobody outside can tell.
    pub(super) fn number(&self, text: &str) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = *blake3::keyed_hash(&self.key, text.as_bytes()).as_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_login_is_one_user_one_password_and_one_hash() {
        let logins = Logins::new(1).unwrap();
        let login = |user: &str, password: &str| Credentials { user: user.to_owned(), password: password.to_owned() };
        let digest = logins.digest(&login("ab", "c"), "hash");
        assert_eq!(digest, logins.digest(&login("ab", "c"), "hash"));
        for (user, password, hash) in
            [("a", "bc", "hash"), ("ab", "ch", "ash"), ("ab", "c", "hasH"), ("abc", "", "hash")]
        {
            assert_ne!(digest, logins.digest(&login(user, password), hash), "{user} {password} {hash}");
        }
        assert_ne!(digest, Logins::new(1).unwrap().digest(&login("ab", "c"), "hash"));
    }

    fn login(user: &str, password: &str) -> Credentials {
        Credentials { user: user.to_owned(), password: password.to_owned() }
    }

    /// Others log in while one address sends more than can be verified.
    #[test]
    fn one_address_keeps_nobody_else_from_logging_in() {
        let logins = Logins::new(1).unwrap();
        let users = format!("alice:{}\n", bcrypt::hash("right", 4).unwrap());
        let users = Users::parse(users.as_bytes()).unwrap();
        let address = |text: &str| text.parse::<IpAddr>().ok();
        let (flooding, other, blocked) = (address("192.0.2.1"), address("192.0.2.2"), address("192.0.2.3"));
        for _ in 0..2 {
            logins.failed_at(blocked);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let all = u32::try_from(logins.verifying.available_permits()).unwrap();
            let held = logins.verifying.clone().acquire_many_owned(all).await.unwrap();
            let mut flood: Vec<_> = (0..1_000)
                .map(|n| Box::pin(logins.verify(&users, login(&format!("u{n}"), "wrong"), flooding)))
                .collect();
            let polled = flood.iter_mut().map(|request| asked_once(request.as_mut()));
            let turned_away = polled.filter(|answer| matches!(answer, Some(Err(NotAdmitted::TooMany { .. })))).count();
            assert!(turned_away > 900, "{turned_away}");
            // Who has to wait anyway is told so at once, and takes no place.
            let mut of_blocked = Box::pin(logins.verify(&users, login("alice", "right"), blocked));
            assert!(matches!(
                asked_once(of_blocked.as_mut()),
                Some(Err(NotAdmitted::TooMany { retry_after })) if retry_after > BUSY
            ));
            let mut of_other = Box::pin(logins.verify(&users, login("alice", "right"), other));
            assert_eq!(asked_once(of_other.as_mut()), None, "it waits for its turn");
            drop((flood, held));
            assert_eq!(of_other.await, Ok(()));
        });
    }

    /// What a future answers if it is asked once.
    fn asked_once<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(answer) => Some(answer),
            std::task::Poll::Pending => None,
        }
    }
}
