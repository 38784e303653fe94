//! Kills a board under load, again and again, and looks each time whether it kept its word.
//!
//! A [`Campaign`](campaign::Campaign) has a board on a database and a store of its own. In each round a board starts that is
//! to die at one [`Point`](madang::fault::Point), the [load](mod@load) writes until it is dead, and another board starts on what is
//! left. Then the [oracle] compares everything with the [history]: what clients sent, and what they were told.

#![forbid(unsafe_code)]

pub mod board;
pub mod campaign;
pub mod client;
pub mod history;
pub mod load;
pub mod oracle;
pub mod pictures;
pub mod place;
pub mod report;
mod rng;

pub use rng::Rng;

/// Something that must not be: which promise was broken, by the letter of the [oracle]'s list, and how it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// One of `a` to `h`.
    pub promise: char,
    /// What was seen.
    pub seen: String,
}

impl Breach {
    /// A breach of this promise.
    pub fn new(promise: char, seen: impl Into<String>) -> Breach {
        Breach { promise, seen: seen.into() }
    }
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({}) {}", self.promise, self.seen)
    }
}

/// Why a campaign could not go on; it says nothing about the board's word.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
