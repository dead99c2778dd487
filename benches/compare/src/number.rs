//! Numbers as people read them.

/// A whole number with its thousands apart: `100,000`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits that count, no more.
pub fn rounded(number: f64) -> String {
    match number {
        _ if number >= 100.0 => {
            let whole = format!("{number:.0}");
            whole.parse().map_or(whole, grouped)
        }
        _ if number >= 10.0 => format!("{number:.1}"),
        _ if number >= 1.0 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.1234, 2.345, 10.04, 105_000.4].map(rounded), ["0.123", "2.35", "10.0", "105,000"]);
    }
}
