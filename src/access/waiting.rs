//! Requests that wait until their password is verified: how many there may be, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::NotAdmitted;
use super::failures::network_of;

/// Requests that may wait; one more is turned away.
const MOST: usize = 256;

/// Those of one address among them (of IPv6, of one network), so that one alone does not keep everybody from logging in.
const MOST_OF_ONE: usize = 8;

/// How long those have to stay away that found too many waiting.
pub(super) const BUSY: Duration = Duration::from_secs(1);

/// The places in which requests wait.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Networks of which nobody waits are not here. Only tests have no address.
    by_network: HashMap<Option<IpAddr>, usize>,
}

/// A place; it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    room: &'a WaitingRoom,
    network: Option<IpAddr>,
}

impl WaitingRoom {
    /// A place for a request from an address, if there is one.
    pub(super) fn place(&self, address: Option<IpAddr>) -> Result<Place<'_>, NotAdmitted> {
        let network = address.map(network_of);
        let mut taken = self.taken();
        let of_network = taken.by_network.get(&network).copied().unwrap_or(0);
        if taken.all >= MOST || of_network >= MOST_OF_ONE {
            return Err(NotAdmitted::TooMany { retry_after: BUSY });
        }
        taken.all += 1;
        taken.by_network.insert(network, of_network + 1);
        Ok(Place { room: self, network })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Both numbers are written without anything in between that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        taken.all = taken.all.saturating_sub(1);
        if let Some(of_network) = taken.by_network.get_mut(&self.network) {
            *of_network = of_network.saturating_sub(1);
            if *of_network == 0 {
                taken.by_network.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: usize) -> Option<IpAddr> {
        Some(IpAddr::from(u32::try_from(number).unwrap().to_be_bytes()))
    }

    #[test]
    fn so_many_wait_and_no_more() {
        let room = WaitingRoom::default();
        let mut places: Vec<_> = (0..MOST).map(|number| room.place(address(number)).unwrap()).collect();
        let refused = || room.place(address(MOST)).err();
        assert_eq!(refused(), Some(NotAdmitted::TooMany { retry_after: BUSY }));
        // Whoever was turned away does not wait either.
        assert_eq!(room.taken().all, MOST);
        places.pop();
        assert_eq!(refused(), None);
        drop(places);
        assert!(room.taken().by_network.is_empty());
    }

    #[test]
    fn one_network_has_a_few_places() {
        let room = WaitingRoom::default();
        let one = |last: usize| format!("2001:db8::{last:x}").parse().ok();
        let mut places: Vec<_> = (0..MOST_OF_ONE).map(|last| room.place(one(last)).unwrap()).collect();
        assert!(room.place(one(99)).is_err());
        assert!(room.place("2001:db8:0:1::1".parse().ok()).is_ok());
        assert!(room.place(None).is_ok());
        places.pop();
        assert!(room.place(one(99)).is_ok());
    }
}
