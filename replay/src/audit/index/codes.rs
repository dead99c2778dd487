//! How numbers and places become bytes: seven bits a byte, the low ones first, the high bit says that more follow (LEB128).

use super::IndexError;
use super::error::READING;
use crate::audit::Place;

/// Places in a record that have a code without a second number.
const SHORT: u64 = 7;

/// Appends a number.
pub(super) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}

/// Takes a number.
pub(super) fn take(bytes: &mut &[u8]) -> Result<u64, IndexError> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or_else(|| damaged("a number is cut off"))?;
        *bytes = rest;
        let low = u64::from(first & 0x7f);
        if (low << shift) >> shift != low {
            break;
        }
        number |= low << shift;
        if first & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(damaged("a number is too large"))
}

/// Appends a place by its distance from the one before. The code is never 0, which ends a list.
pub(super) fn put_place(bytes: &mut Vec<u8>, before: Place, place: Place) -> Result<(), IndexError> {
    let unordered = || IndexError::new("writing", format!("{place} does not follow {before}"));
    let seqs = place.seq.checked_sub(before.seq).ok_or_else(unordered)?;
    let index = match seqs {
        0 => place.index.checked_sub(before.index).and_then(|more| more.checked_sub(1)).ok_or_else(unordered)?,
        _ => place.index,
    };
    let index = u64::from(index);
    let code = seqs.checked_mul(SHORT + 1).and_then(|seqs| seqs.checked_add(index.min(SHORT) + 1));
    put(bytes, code.ok_or_else(unordered)?);
    if index >= SHORT {
        put(bytes, index - SHORT);
    }
    Ok(())
}

/// Takes a place; none at the end of a list.
pub(super) fn take_place(bytes: &mut &[u8], before: Place) -> Result<Option<Place>, IndexError> {
    let Some(code) = take(bytes)?.checked_sub(1) else { return Ok(None) };
    let (seqs, mut index) = (code / (SHORT + 1), code % (SHORT + 1));
    if index == SHORT {
        index = take(bytes)?.saturating_add(SHORT);
    }
    if seqs == 0 {
        index = index.saturating_add(u64::from(before.index) + 1);
    }
    let seq = before.seq.checked_add(seqs).ok_or_else(|| damaged("a place is too large"))?;
    let index = u32::try_from(index).map_err(|_| damaged("a place is too large"))?;
    Ok(Some(Place { seq, index }))
}

pub(super) fn damaged(why: &str) -> IndexError {
    IndexError::new(READING, why)
}
