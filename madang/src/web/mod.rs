//! What all pages have in common: their frame, languages, cookies, scripts and styles, and the shape of their errors.
//!
//! Like [`http`](crate::http) it knows no feature. A feature's pages stand in its `pages.rs`, its templates beside it.

pub mod answer;
pub mod assets;
pub mod cache;
pub mod cookie;
pub mod error;
pub mod frame;
pub mod lang;
pub mod layers;
pub mod look;
pub mod parts;
pub mod redirect;
pub mod routes;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Swap, again, html, part};
pub use frame::{Frame, Me};
pub use lang::Lang;
pub use routes::Pages;
