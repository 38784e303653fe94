//! The board's integration tests: one binary, each test on a database of its own.
//!
//! A test that is written once runs as `name::sqlite`, `name::postgres` and `name::mariadb`; the latter two need the
//! servers that `scripts/test` starts.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on shall panic

mod support;

mod accounts;
mod arch;
mod backup;
mod budgets;
mod check;
mod comments;
mod compat;
mod contract;
mod cors;
mod defects;
mod disconnect;
mod erasure;
mod export;
mod faults;
mod feeds;
mod follows;
mod hostile_access;
mod hostile_auth;
mod hostile_input;
mod hostile_uploads;
mod http_floor;
mod idempotency;
mod image_life;
mod import_old;
mod likes;
mod limits;
mod line;
mod media;
mod metrics;
mod mypage;
mod notifications;
mod pages;
mod privacy;
mod process;
mod profile;
mod sessions;
mod suspension;
mod totals;
