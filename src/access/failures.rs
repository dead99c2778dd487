//! Failed logins: how many are too many.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use quick_cache::sync::Cache;

/// A user may be tried this many times as often from everywhere as an address may try: whoever attacks one user from many
/// addresses is slowed down, and the user is not locked out by a few mistakes of others.
const USER_FACTOR: u32 = 10;

/// After so many failures what has been forgiven is forgotten.
const HOUSEKEEPING: usize = 1_000;

/// How many addresses and users are remembered that have to wait.
const MOST_BLOCKED: usize = 10_000;

type Limiter = RateLimiter<Who, HashMapStateStore<Who>, MonotonicClock, NoOpMiddleware<Instant>>;

/// Who has failed: an address, or whoever tried to be a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// Of IPv6 the network that one customer has.
    Address(IpAddr),
    /// By a hash of the name.
    User(u64),
}

impl Who {
    pub(super) fn at(address: IpAddr) -> Self {
        Self::Address(network_of(address))
    }
}

/// What counts as one address: of IPv6, the network that one customer has.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

/// Counts failed logins.
pub(super) struct Failures {
    addresses: Limiter,
    users: Limiter,
    clock: MonotonicClock,
    /// Who has to wait, and until when. Governor cannot be asked without being told of one more failure.
    blocked: Cache<Who, Instant>,
    count: AtomicUsize,
}

impl Failures {
    /// `a_minute` are forgiven to one address.
    pub(super) fn new(a_minute: u32) -> Self {
        let a_minute = NonZeroU32::new(a_minute).unwrap_or(NonZeroU32::MIN);
        let for_user = a_minute.saturating_mul(NonZeroU32::MIN.saturating_add(USER_FACTOR - 1));
        let limiter = |quota: NonZeroU32| {
            RateLimiter::new(Quota::per_minute(quota), HashMapStateStore::default(), MonotonicClock)
        };
        Self {
            addresses: limiter(a_minute),
            users: limiter(for_user),
            clock: MonotonicClock,
            blocked: Cache::new(MOST_BLOCKED),
            count: AtomicUsize::new(0),
        }
    }

    /// How long one of these has to wait before it may try again, if it has to.
    pub(super) fn wait(&self, who: &[Who]) -> Option<Duration> {
        let now = Instant::now();
        let waits = who.iter().filter_map(|who| {
            let until = self.blocked.get(who)?;
            let wait = until.saturating_duration_since(now);
            if wait.is_zero() {
                self.blocked.remove(who);
            }
            (!wait.is_zero()).then_some(wait)
        });
        waits.max()
    }

    /// Notes a failure of all these, and says how long they have to wait now.
    pub(super) fn note(&self, who: &[Who]) -> Option<Duration> {
        if self.count.fetch_add(1, Ordering::Relaxed) % HOUSEKEEPING == HOUSEKEEPING - 1 {
            self.addresses.retain_recent();
            self.users.retain_recent();
        }
        let waits = who.iter().filter_map(|who| {
            let limiter = if matches!(who, Who::Address(_)) { &self.addresses } else { &self.users };
            let wait = limiter.check_key(who).err()?.wait_time_from(self.clock.now());
            self.blocked.insert(*who, Instant::now() + wait);
            Some(wait)
        });
        waits.max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Who {
        Who::at(address.parse().unwrap())
    }

    #[test]
    fn an_address_that_fails_too_often_has_to_wait() {
        let failures = Failures::new(3);
        let (one, other) = (at("192.0.2.1"), at("192.0.2.2"));
        for _ in 0..3 {
            assert_eq!((failures.wait(&[one]), failures.note(&[one])), (None, None));
        }
        let wait = failures.note(&[one]).unwrap();
        assert!(wait > Duration::from_secs(10) && wait <= Duration::from_secs(20), "{wait:?}");
        assert!(failures.wait(&[one]).is_some());
        assert_eq!(failures.wait(&[other]), None);
        assert!(failures.wait(&[other, one]).is_some());
    }

    #[test]
    fn a_user_is_protected_from_many_addresses() {
        let failures = Failures::new(1);
        let user = Who::User(7);
        for number in 0..10 {
            assert_eq!(failures.note(&[at(&format!("192.0.2.{number}")), user]), None, "{number}");
        }
        assert!(failures.note(&[at("192.0.2.99"), user]).is_some());
        assert!(failures.wait(&[user]).is_some());
        assert_eq!(failures.wait(&[at("192.0.2.99"), Who::User(8)]), None);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1:2:3"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    }

    #[test]
    fn what_is_forgiven_is_forgotten() {
        let failures = Failures::new(u32::MAX);
        for number in 0..u32::try_from(3 * HOUSEKEEPING).unwrap() {
            failures.note(&[Who::at(IpAddr::from(number.to_be_bytes()))]);
        }
        assert!(failures.addresses.len() <= HOUSEKEEPING, "{}", failures.addresses.len());
    }
}
