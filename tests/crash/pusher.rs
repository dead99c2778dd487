//! One client that pushes, moves and deletes until the server dies, and notes what it was promised.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use crate::history::{Attempt, Key, Moments, Value};
use crate::support::client::{Client, Lost, Sent, digest_of, manifest};

/// The repositories that all clients share.
pub(crate) const REPOSITORIES: [&str; 3] = ["crash/one", "crash/two", "crash/deep/three"];

/// The tags of each repository that all clients move and delete.
const SHARED_TAGS: [&str; 2] = ["latest", "stable"];

/// The config of every manifest, which is pushed to each repository before a client begins.
pub(crate) const CONFIG: &[u8] = b"{}";

pub(crate) struct Pusher<'a> {
    client: Client,
    moments: &'a Moments,
    random: StdRng,
    /// Makes the names of this client's own tags unique.
    name: String,
    noted: Vec<(Key, Attempt)>,
    /// Blobs that no manifest names, so that they may be deleted.
    loose: Vec<(&'static str, String)>,
    /// Manifests under a tag that nobody else uses.
    tagged: Vec<(&'static str, String, String)>,
}

impl<'a> Pusher<'a> {
    pub(crate) fn new(client: Client, moments: &'a Moments, random: StdRng, name: String) -> Self {
        Self { client, moments, random, name, noted: Vec::new(), loose: Vec::new(), tagged: Vec::new() }
    }

    /// Works until a request gets no answer, and returns everything that was attempted.
    ///
    /// # Panics
    /// On an answer that no crash explains.
    pub(crate) fn work(mut self) -> Vec<(Key, Attempt)> {
        while self.step().is_ok() {}
        self.noted
    }

    fn step(&mut self) -> Result<(), Lost> {
        let repository = REPOSITORIES[self.random.random_range(0..REPOSITORIES.len())];
        match self.random.random_range(0..20) {
            0..4 => self.push_loose_blob(repository),
            4..10 => self.push_under_own_tag(repository),
            10..14 => self.push_under_shared_tag(repository),
            14 => self.delete_shared_tag(repository),
            15 | 16 => self.delete_loose_blob(),
            17 => self.move_own_tag(),
            18 => self.delete_own_tag(),
            _ => self.delete_own_manifest(),
        }
    }

    fn push_loose_blob(&mut self, repository: &'static str) -> Result<(), Lost> {
        let (digest, _) = self.push_blob(repository)?;
        self.loose.push((repository, digest));
        Ok(())
    }

    fn push_under_own_tag(&mut self, repository: &'static str) -> Result<(), Lost> {
        let tag = format!("{}-{}", self.name, self.noted.len());
        let digest = self.push_manifest(repository, &tag)?;
        self.tagged.push((repository, tag, digest));
        Ok(())
    }

    fn push_under_shared_tag(&mut self, repository: &'static str) -> Result<(), Lost> {
        let tag = SHARED_TAGS[self.random.random_range(0..SHARED_TAGS.len())];
        self.push_manifest(repository, tag).map(drop)
    }

    fn move_own_tag(&mut self) -> Result<(), Lost> {
        let Some((repository, tag, _)) = take_any(&mut self.tagged, &mut self.random) else { return Ok(()) };
        let digest = self.push_manifest(repository, &tag)?;
        self.tagged.push((repository, tag, digest));
        Ok(())
    }

    fn delete_shared_tag(&mut self, repository: &'static str) -> Result<(), Lost> {
        let tag = SHARED_TAGS[self.random.random_range(0..SHARED_TAGS.len())];
        let written = [(Key::Tag(repository, tag.to_owned()), None)];
        // Another client may have deleted it, and then there is nothing to note.
        self.attempt(&written, &[202, 404], |client| client.delete_manifest(repository, tag))
    }

    fn delete_own_tag(&mut self) -> Result<(), Lost> {
        let Some((repository, tag, _)) = take_any(&mut self.tagged, &mut self.random) else { return Ok(()) };
        let written = [(Key::Tag(repository, tag.clone()), None)];
        self.attempt(&written, &[202], |client| client.delete_manifest(repository, &tag))
    }

    fn delete_own_manifest(&mut self) -> Result<(), Lost> {
        let Some((repository, tag, digest)) = take_any(&mut self.tagged, &mut self.random) else { return Ok(()) };
        let written = [(Key::Tag(repository, tag), None), (Key::Manifest(repository, digest.clone()), None)];
        self.attempt(&written, &[202], |client| client.delete_manifest(repository, &digest))
    }

    fn delete_loose_blob(&mut self) -> Result<(), Lost> {
        let Some((repository, digest)) = take_any(&mut self.loose, &mut self.random) else { return Ok(()) };
        let written = [(Key::Blob(repository, digest.clone()), None)];
        self.attempt(&written, &[202], |client| client.delete(&format!("/v2/{repository}/blobs/{digest}")))
    }

    /// Pushes a manifest like no other under a tag, with a layer of its own, and returns its digest.
    fn push_manifest(&mut self, repository: &'static str, tag: &str) -> Result<String, Lost> {
        let (layer, size) = self.push_blob(repository)?;
        let note = format!("{} {}", self.name, self.noted.len());
        let bytes = manifest((&digest_of(CONFIG), CONFIG.len()), &[(&layer, size)], &note);
        let digest = digest_of(&bytes);
        let written = [
            (Key::Manifest(repository, digest.clone()), Some(digest.clone())),
            (Key::Tag(repository, tag.to_owned()), Some(digest.clone())),
        ];
        self.attempt(&written, &[201], |client| client.put_manifest(repository, tag, &bytes))?;
        Ok(digest)
    }

    /// Pushes a blob like no other: most are small and travel in one PUT, some in chunks, some are larger than a buffer.
    fn push_blob(&mut self, repository: &'static str) -> Result<(String, usize), Lost> {
        let (length, chunks) = match self.random.random_range(0..10) {
            0..6 => (self.random.random_range(16..4096), 0),
            6 | 7 => (self.random.random_range(3000..60_000), self.random.random_range(1..4)),
            8 => (self.random.random_range(65_537..300_000), 0),
            _ => (self.random.random_range(100_000..400_000), 2),
        };
        let mut bytes = vec![0; length];
        self.random.fill_bytes(&mut bytes);
        let digest = digest_of(&bytes);
        let mut location = self.client.open_upload(repository)?.expecting(202).location();
        let mut sent = 0;
        for _ in 0..chunks {
            let chunk = &bytes[sent..sent + length / (chunks + 1)];
            location = self.client.patch(&location, sent, chunk)?.expecting(202).location();
            sent += chunk.len();
        }
        let written = [(Key::Blob(repository, digest.clone()), Some(digest.clone()))];
        self.attempt(&written, &[201], |client| client.close_upload(&location, &digest, &bytes[sent..]))?;
        Ok((digest, length))
    }

    /// Sends the one request that writes some registers, and notes how it went. Only the first of `statuses` means that it did.
    fn attempt(
        &mut self,
        written: &[(Key, Value)],
        statuses: &[u16],
        send: impl FnOnce(&Client) -> Sent,
    ) -> Result<(), Lost> {
        let begun = self.moments.now();
        let (answered, sent) = match send(&self.client) {
            Ok(answer) => {
                assert!(statuses.contains(&answer.status), "expected one of {statuses:?}: {answer}");
                if answer.status != statuses[0] {
                    return Ok(());
                }
                (Some(self.moments.acknowledged()), Ok(()))
            }
            Err(lost) => (None, Err(lost)),
        };
        self.noted.extend(
            written.iter().map(|(key, value)| (key.clone(), Attempt { value: value.clone(), begun, answered })),
        );
        sent
    }
}

/// Takes one of `things` out, if there are any.
fn take_any<T>(things: &mut Vec<T>, random: &mut StdRng) -> Option<T> {
    if things.is_empty() {
        return None;
    }
    Some(things.swap_remove(random.random_range(0..things.len())))
}
