//! A value as somebody gave it, before it is known whether it suits its key.

use std::fmt;

use toml::de::{DeArray, DeInteger, DeValue};

/// Characters of a value that an error repeats; a misplaced certificate need not fill the screen.
const SHOWN_CHARS: usize = 100;

/// Elements of a list that an error repeats.
const SHOWN_ELEMENTS: usize = 5;

/// A value from a flag, a variable, or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Text without a type: a flag or a variable.
    Plain(String),
    /// A TOML string.
    Text(String),
    /// A TOML integer, as written, and its value where it is one that settings know.
    Integer(String, Option<u64>),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML list of values.
    List(Vec<Given>),
    /// A TOML value of a type that no key has, with its name.
    Other(&'static str),
}

impl Given {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Plain(text) | Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list. Text without a type writes them as TOML does, or only separates them by commas.
    pub(super) fn list(&self) -> Option<Vec<Self>> {
        match self {
            Self::Plain(text) if text.starts_with('[') => {
                let value = DeValue::parse(text).ok()?;
                value.get_ref().as_array().map(elements)
            }
            Self::Plain(text) if text.trim().is_empty() => Some(Vec::new()),
            Self::Plain(text) => Some(text.split(',').map(|part| Self::Plain(part.trim().to_owned())).collect()),
            Self::List(elements) => Some(elements.clone()),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Plain(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            Self::Integer(_, value) => *value,
            _ => None,
        }
    }

    pub(super) fn switch(&self) -> Option<bool> {
        match self {
            Self::Plain(text) => text.parse().ok(),
            Self::Boolean(value) => Some(*value),
            _ => None,
        }
    }
}

impl From<&DeValue<'_>> for Given {
    fn from(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(integer) => Self::Integer(integer.to_string(), unsigned(integer)),
            DeValue::Boolean(value) => Self::Boolean(*value),
            DeValue::Float(_) => Self::Other("a number with a fraction"),
            DeValue::Datetime(_) => Self::Other("a date or time"),
            DeValue::Array(array) if is_tables(array) => Self::Other("a list of sections"),
            DeValue::Array(array) => Self::List(elements(array)),
            DeValue::Table(_) => Self::Other("a section"),
        }
    }
}

fn unsigned(integer: &DeInteger<'_>) -> Option<u64> {
    let digits = integer.as_str();
    u64::from_str_radix(digits.strip_prefix('+').unwrap_or(digits), integer.radix()).ok()
}

fn elements(array: &DeArray<'_>) -> Vec<Given> {
    array.iter().map(|element| Given::from(element.get_ref())).collect()
}

fn is_tables(array: &DeArray<'_>) -> bool {
    array.iter().any(|element| element.get_ref().is_table())
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => quoted(f, text),
            Self::Text(text) => {
                f.write_str("the string ")?;
                quoted(f, text)
            }
            Self::Integer(text, _) => write!(f, "the number {text}"),
            Self::Boolean(value) => write!(f, "the boolean {value}"),
            Self::List(elements) if elements.is_empty() => f.write_str("an empty list"),
            Self::List(elements) => {
                f.write_str("a list of ")?;
                for (number, element) in elements.iter().take(SHOWN_ELEMENTS).enumerate() {
                    write!(f, "{}{element}", if number == 0 { "" } else { ", " })?;
                }
                f.write_str(if elements.len() > SHOWN_ELEMENTS { " and so on" } else { "" })
            }
            Self::Other(kind) => f.write_str(kind),
        }
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((cut, _)) => write!(f, "{:?} and so on", &text[..cut]),
        None => write!(f, "{text:?}"),
    }
}
