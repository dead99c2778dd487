//! Rounds on one disk: serve, lose power, look at what is left, serve again.

use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::disk::Disk;
use crate::evidence;
use crate::pushes::{Acknowledged, Workload, push_until_the_end};
use crate::server::Server;

/// When the power goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// With this acknowledgement; other clients wait for theirs then.
    Acknowledged(u64),
    /// So long after the process was started, whatever it does then.
    Starting { milliseconds: u64 },
}

/// A registry that loses its power again and again.
pub(crate) struct Rounds {
    disk: Disk,
    workload: Workload,
    count: u32,
    random: Random,
    /// Everything acknowledged in all rounds.
    acknowledged: Vec<Acknowledged>,
}

/// Numbers like no other run's.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
        eprintln!("seed {seed}");
        Self(u64::from(seed) << 1 | 1)
    }

    /// A number below `bound`.
    pub(crate) fn random(&mut self, bound: u64) -> u64 {
        // Xorshift (Marsaglia 2003).
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

impl Rounds {
    pub(crate) fn new(disk: Disk, workload: Workload) -> Self {
        Self { disk, workload, count: 0, random: Random::new(), acknowledged: Vec::new() }
    }

    /// A number below `bound`.
    pub(crate) fn random(&mut self, bound: u64) -> u64 {
        self.random.random(bound)
    }

    /// Serves until `moment`, and checks that the next start finds everything that was acknowledged.
    pub(crate) fn round(&mut self, moment: Moment) {
        self.count += 1;
        match moment {
            Moment::Acknowledged(count) => self.serve_until(count),
            Moment::Starting { milliseconds } => self.start_for(Duration::from_millis(milliseconds)),
        }
        self.disk.power_up();
        eprintln!("round {}, {moment:?}: {} acknowledged so far", self.count, self.acknowledged.len());
        evidence::examine(&self.disk.data(), self.disk.beside(), &self.acknowledged);
        let server = Server::start(&self.disk.data());
        evidence::ask(server.address(), &self.acknowledged);
    }

    fn serve_until(&mut self, count: u64) {
        let server = Server::start(&self.disk.data());
        let switch = self.disk.power_switch();
        let (told, hear) = mpsc::channel();
        let (address, workload) = (server.address(), self.workload);
        let clients: Vec<_> = (0..workload.clients)
            .map(|client| {
                let (name, told) = (format!("r{}-c{client}", self.count), told.clone());
                std::thread::spawn(move || push_until_the_end(address, &name, workload.content, &told))
            })
            .collect();
        drop(told);
        let mut switch = Some(switch);
        let mut heard = 0;
        // What is acknowledged after the power is gone counts like everything else: it must not have been.
        for acknowledged in hear {
            heard += 1;
            self.acknowledged.push(acknowledged);
            if heard >= count
                && let Some(switch) = switch.take()
            {
                switch.cut();
            }
        }
        assert!(switch.is_none(), "the clients ended after {heard} acknowledgements, before the power went");
        server.kill();
        for client in clients {
            // An answer that never came is what a client sees of a loss of power.
            let _ = client.join().unwrap();
        }
    }

    fn start_for(&mut self, time: Duration) {
        let mut child = Server::spawn(&self.disk.data());
        let switch = self.disk.power_switch();
        std::thread::sleep(time);
        switch.cut();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
