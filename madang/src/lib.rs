//! Madang: a community board server. One binary serves accounts and feeds with images as a JSON API with its
//! documentation, on an embedded SQLite database and local files with no set-up, or on PostgreSQL or MariaDB.
//!
//! Each feature has a folder of its own; `docs/architecture.md` tells what is where, and `docs/request.md` follows one
//! request through all of it.

#![forbid(unsafe_code)]

pub mod account;
mod admin;
pub mod app;
pub mod backup;
pub mod check;
pub mod cli;
pub mod clock;
pub mod command_line;
mod comment;
pub mod config;
pub mod error;
pub mod fault;
mod feed;
mod follow;
pub mod http;
mod idempotency;
pub mod import_old;
mod installation;
pub mod jobs;
mod like;
pub mod limits;
pub mod line;
pub mod markdown;
pub mod media;
pub mod metrics;
pub mod migration;
mod mypage;
mod notification;
mod openapi;
mod paging;
pub mod router;
pub mod secret;
pub mod serve;
pub mod sql;
pub mod store_url;
mod totals;
mod turns;
pub mod wakes;
pub mod web;
