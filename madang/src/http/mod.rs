//! The HTTP floor that every feature stands on: it knows HTTP, and nothing of accounts, feeds or the database.
//!
//! - [`serve`] accepts connections and bounds what each of them may cost.
//! - [`admission`] bounds how many requests are in work.
//! - [`client`] finds out who asks, also behind proxies; [`cors`] says which other sites' scripts may.
//! - [`layers`] wraps the router: request ids, log, deadlines, panics, security headers, and the one place where an
//!   [`Error`](crate::error::Error) becomes a body.
//! - [`routes`] answers what no route does: 404, 405, and the redirect to the other spelling of a trailing slash.
//! - [`input`] checks fields, whether they come from a path, a query, a JSON body or a form; [`json`], [`query`] and
//!   [`form`] read those four.
//!
//! HTTP/1.1 only. A request that hyper itself cannot parse is answered by hyper: 400, 414 or 431 with an empty body, and
//! the connection ends.

pub mod admission;
pub mod body;
pub mod client;
pub mod cors;
pub mod form;
pub mod input;
pub mod json;
pub mod layers;
mod linger;
mod multipart;
pub mod query;
pub mod routes;
pub mod serve;
mod shares;
