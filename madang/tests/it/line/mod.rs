//! The chat in LINE, against a stub of LINE that keeps LINE's rules.

mod linking;
mod posting;
mod pushing;
mod reading;
mod storm;
mod webhook;
