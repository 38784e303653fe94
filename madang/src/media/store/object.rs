//! An object on its way out.

use std::io;

use bytes::Bytes;
use futures_util::stream::BoxStream;

/// The bytes of an object or of a part of it, piece by piece: whoever does not take them keeps them from being read.
pub type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// An object that is being read.
pub struct Object {
    /// The bytes of the whole object, whichever part of it is read.
    pub length: u64,
    /// What was asked for.
    pub pieces: Pieces,
}
