//! Reading the bytes of records.
//!
//! bincode writes them, and could read them too: the tests hold this reader against it, so that both read the same and refuse
//! the same. This one says at which byte it went wrong, and takes far fewer instructions, of which a replay of millions of records
//! spends a good part here.

mod format;
mod recent;

use std::borrow::Borrow;
use std::cell::Cell;
use std::fmt;
use std::str::FromStr;

use ascii::AsciiStr;
use smol_str::SmolStr;

use self::recent::Recent;
use crate::{MediaType, RepositoryName};

/// Why bytes are no value, and where that shows. It is boxed, since nearly every reading has none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {}: {}", .0.at, .0.why)]
pub(crate) struct Malformed(Box<Reason>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Reason {
    at: usize,
    why: String,
}

/// A value that records hold.
pub(crate) trait Stored: Sized {
    /// Reads the value that comes next.
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// Bytes, and how far they are read. Whatever they are, reading returns, and takes no more memory than some dozen times their length.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
    texts: &'a mut Texts,
}

/// Texts that come again in one record after the other.
#[derive(Default)]
struct Texts {
    /// Room for thousands: one that takes the place of another one is read anew each time.
    repositories: Recent<RepositoryName, 4096>,
    media_types: Recent<MediaType, 16>,
    actors: Recent<SmolStr, 64>,
    addresses: Recent<SmolStr, 64>,
    user_agents: Recent<SmolStr, 16>,
}

thread_local! {
    /// Those of late, unless they are in use.
    static TEXTS: Cell<Option<Box<Texts>>> = const { Cell::new(None) };
}

/// The value that the bytes begin with, and how many of them it takes.
pub(crate) fn first<T: Stored>(bytes: &[u8]) -> Result<(T, usize), Malformed> {
    reading(bytes, |reader| Ok((T::read(reader)?, reader.at())))
}

/// The value that all of the bytes are.
#[inline]
pub(crate) fn whole<T: Stored>(bytes: &[u8]) -> Result<T, Malformed> {
    reading(bytes, |reader| {
        let value = T::read(reader)?;
        match reader.rest.len() {
            0 => Ok(value),
            more => Err(reader.malformed(format_args!("{more} bytes follow where the end should be"))),
        }
    })
}

/// The texts are taken out meanwhile, and not borrowed: a value that the closure of `with_borrow_mut` returns would be moved once more.
#[inline(always)]
fn reading<T>(bytes: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Result<T, Malformed>) -> Result<T, Malformed> {
    let mut texts = TEXTS.take().unwrap_or_default();
    let value = read(&mut Reader { rest: bytes, length: bytes.len(), texts: &mut texts });
    TEXTS.set(Some(texts));
    value
}

impl<'a> Reader<'a> {
    /// How many bytes were read.
    fn at(&self) -> usize {
        self.length - self.rest.len()
    }

    /// What is wrong with the bytes that were just read, or are to be read next.
    #[cold]
    pub(crate) fn malformed(&self, why: impl fmt::Display) -> Malformed {
        Malformed(Box::new(Reason { at: self.at(), why: why.to_string() }))
    }

    #[cold]
    fn too_short(&self, wanted: u64, of: &str) -> Malformed {
        self.malformed(format_args!("{wanted} {of} are announced, but only {} bytes follow", self.rest.len()))
    }

    /// A value of a fixed length.
    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        match self.rest.split_first_chunk() {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(*bytes)
            }
            None => Err(self.malformed(format_args!("{N} bytes should follow, but only {} do", self.rest.len()))),
        }
    }

    /// A string of bytes, with its length before it.
    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = u64::read(self)?;
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let (bytes, rest) = split.ok_or_else(|| self.too_short(length, "bytes"))?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A text that is most often a new one.
    #[inline]
    pub(crate) fn text<T: FromStr<Err: fmt::Display>>(&mut self) -> Result<T, Malformed> {
        let bytes = self.bytes()?;
        parse(bytes).map_err(|why| self.malformed(why))
    }

    /// A text that is most often one that was read just now, as one of the same kind.
    #[inline]
    fn again<T: Borrow<str> + Clone + FromStr<Err: fmt::Display>, const PLACES: usize>(
        &mut self,
        recent: impl FnOnce(&mut Texts) -> &mut Recent<T, PLACES>,
    ) -> Result<T, Malformed> {
        let bytes = self.bytes()?;
        recent(self.texts).parse(bytes).map_err(|why| self.malformed(why))
    }
}

/// The value that the bytes of a text stand for, or what is wrong with them.
fn parse<T: FromStr<Err: fmt::Display>>(bytes: &[u8]) -> Result<T, String> {
    // Nearly all texts are ASCII, which is seen sooner than that they are UTF-8.
    let text = match AsciiStr::from_ascii(bytes) {
        Ok(text) => text.as_str(),
        Err(_) => std::str::from_utf8(bytes).map_err(|error| format!("a text is not UTF-8: {error}"))?,
    };
    text.parse().map_err(|error: T::Err| error.to_string())
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Stored for $number {
            #[inline]
            fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                from.fixed().map(Self::from_le_bytes)
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64 i64);

impl<const N: usize> Stored for [u8; N] {
    #[inline]
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.fixed()
    }
}

impl Stored for bool {
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        match u8::read(from)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(from.malformed(format_args!("{other} stands for neither false (0) nor true (1)"))),
        }
    }
}

impl<T: Stored> Stored for Option<T> {
    #[inline]
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        match u8::read(from)? {
            0 => Ok(None),
            1 => T::read(from).map(Some),
            other => Err(from.malformed(format_args!("{other} stands neither for none (0) nor for something (1)"))),
        }
    }
}

impl Stored for String {
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.text()
    }
}

impl Stored for Box<str> {
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        String::read(from).map(Self::from)
    }
}

/// For so many elements room is made at once: a length may claim anything.
const ROOM: u64 = 64;

impl<T: Stored> Stored for Vec<T> {
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let length = u64::read(from)?;
        // No element takes less than a byte.
        if length > from.rest.len() as u64 {
            return Err(from.too_short(length, "elements"));
        }
        let mut list = Self::with_capacity(usize::try_from(length.min(ROOM)).unwrap_or_default());
        for _ in 0..length {
            list.push(T::read(from)?);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests;
