//! Durations as settings write them: a whole number and one unit, such as `30s` or `24h`.

use std::time::Duration;

/// Units with their milliseconds, the largest first, and the number from which they are written: a minute is better
/// known as `60s` and a day as `24h`.
const UNITS: [(&str, u64, u128); 5] =
    [("d", 86_400_000, 2), ("h", 3_600_000, 1), ("m", 60_000, 2), ("s", 1_000, 1), ("ms", 1, 1)];

/// The duration that `text` writes; `None` if it is not a whole number and a unit, or too long to count.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, millis, _) = UNITS.iter().find(|(name, ..)| *name == unit)?;
    let number: u64 = number.parse().ok()?;
    number.checked_mul(*millis).map(Duration::from_millis)
}

/// The usual way to write `duration`, which is a whole number of milliseconds.
pub(super) fn write(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (name, unit, least) in UNITS {
        let number = millis / u128::from(unit);
        if millis.is_multiple_of(u128::from(unit)) && number >= least {
            return format!("{number}{name}");
        }
    }
    "0s".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_written() {
        for (text, seconds) in [("24h", 86_400), ("30s", 30), ("7d", 604_800), ("90m", 5_400), ("0s", 0)] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["500ms", "30s", "60s", "90m", "1h", "24h", "7d", "0s"] {
            assert_eq!(parse(text).map(write).as_deref(), Some(text));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "s", "30", "30 s", "-1s", "+1s", "1.5h", "1h30m", "30S", "30sec", " 30s", "99999999999999999999d"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(parse("18446744073709551615d"), None);
    }
}
