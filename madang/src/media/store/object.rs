//! An object on its way out, and what is known of it without its bytes.

use std::io;

use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::clock::Timestamp;

/// The bytes of an object or of a part of it, piece by piece: whoever does not take them keeps them from being read.
pub type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// What is known of an object without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of its bytes.
    pub length: u64,
    /// When it was stored, by the store's clock.
    pub modified: Timestamp,
}

/// An object that is being read.
pub struct Object {
    /// The bytes of the whole object, whichever part of it is read.
    pub length: u64,
    /// What was asked for.
    pub pieces: Pieces,
}
