//! What clients were told, kept over a clean stop. Without it, as after a crash, a start counts as having told everything.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tagstone_replay::log::directory::sync_directory;
use tagstone_schema::{Actor, Digest, RepositoryName, Timestamp};

use super::promises::{How, Promises, Told};

/// The file, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    version: u32,
    /// Since when everything is noted that clients are told, in microseconds.
    began: i64,
    told: Vec<RememberedTold>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RememberedTold {
    digest: Digest,
    repository: RepositoryName,
    at: i64,
    stored: bool,
    by: Option<Actor>,
}

const VERSION: u32 = 1;

/// Writes down what was told, at a clean stop.
pub fn remember(promises: &Promises, path: &Path) -> io::Result<()> {
    let told = promises.all_told().into_iter().map(|(digest, told)| RememberedTold {
        digest,
        repository: told.repository,
        at: told.at.0,
        stored: told.how == How::Stored,
        by: told.by,
    });
    let remembered = Remembered { version: VERSION, began: promises.began().0, told: told.collect() };
    let fresh = path.with_extension("new");
    fs::write(&fresh, serde_json::to_vec(&remembered)?)?;
    fs::File::open(&fresh)?.sync_all()?;
    fs::rename(&fresh, path)?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// What an earlier process has told, if it has stopped cleanly; otherwise it begins now. The file is removed: it is true once.
pub fn recall(path: &Path, now: Timestamp) -> Arc<Promises> {
    let read = fs::read(path);
    let removed = || fs::remove_file(path).and_then(|()| sync_directory(path.parent().unwrap_or(Path::new("."))));
    if read.is_ok()
        && let Err(error) = removed()
    {
        // It would be found again after a crash or a loss of power, and would not know what was told until then.
        tracing::warn!(%error, path = %path.display(), "what clients were told cannot be removed, and is not used");
        return Promises::begin(now);
    }
    let remembered = match read.map_err(|error| error.to_string()).and_then(|bytes| parsed(&bytes)) {
        Ok(remembered) => remembered,
        Err(why) => {
            tracing::debug!(why, "nothing is known of what clients were told before");
            return Promises::begin(now);
        }
    };
    // A clock that was put back must not make things older than they are.
    let told = remembered.told.into_iter().map(|told| {
        let how = if told.stored { How::Stored } else { How::Found };
        (told.digest, Told { repository: told.repository, at: Timestamp(told.at), how, by: told.by })
    });
    Promises::go_on(Timestamp(remembered.began), told)
}

fn parsed(bytes: &[u8]) -> Result<Remembered, String> {
    let remembered: Remembered = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if remembered.version == VERSION { Ok(remembered) } else { Err(format!("its version is {}", remembered.version)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_free(promises: &Promises, n: u8) -> bool {
        promises.is_free(&Digest::sha256([n; 32]), |told| told.at > Timestamp(10))
    }

    #[test]
    fn what_was_told_is_known_after_a_clean_stop_and_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("promises");
        let promises = Promises::begin(Timestamp(5));
        let told = |n: u8, at: i64, how: How| {
            let by = (how == How::Stored).then(Actor::anonymous);
            let told = Told { repository: "a/b".parse().unwrap(), at: Timestamp(at), how, by };
            promises.note(&Digest::sha256([n; 32]), &told);
        };
        told(1, 20, How::Stored);
        told(2, 8, How::Found);
        remember(&promises, &path).unwrap();
        let again = recall(&path, Timestamp(100));
        assert_eq!(again.began(), Timestamp(5));
        assert_eq!([1, 2, 3].map(|n| is_free(&again, n)), [false, true, true]);
        let mut both = [promises.all_told(), again.all_told()];
        both.iter_mut().for_each(|told| told.sort_by(|(one, _), (other, _)| one.cmp(other)));
        assert_eq!(both[0], both[1]);
        // A crash follows: nothing is known any more.
        assert_eq!(recall(&path, Timestamp(100)).began(), Timestamp(100));
    }

    #[test]
    fn what_is_no_such_file_counts_as_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("promises");
        for bytes in [
            "",
            "{}",
            "nothing",
            r#"{"version": 2, "began": 1, "told": []}"#,
            r#"{"version": 1, "began": 1, "told": [{}]}"#,
        ] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(recall(&path, Timestamp(100)).began(), Timestamp(100), "{bytes}");
            assert!(!path.exists());
        }
    }
}
