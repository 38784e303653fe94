//! The laws of greenlit, each a test of its number, on every database.
//!
//! A law is an ordinary function over a [`support::TestDb`]; `laws!` makes a test of it for each database. What a
//! database cannot show is listed in `not_shown.rs` with the reason.

// Tests end at the first thing that is not as it should be, and say what they saw.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod blocking;
mod cancellation;
mod cluster_galera;
mod cluster_mariadb;
mod cluster_postgres;
mod commit_retry;
mod deadlines;
mod depth;
mod effects;
mod group_commit;
mod group_failures;
mod group_witness;
mod lost;
mod migrations;
mod not_shown;
mod ownership;
mod pipelining;
mod prepared;
mod proxy;
mod raw;
mod replicas;
mod requires_new;
mod scopes;
mod state_mariadb;
mod stats;
mod stopping;
mod support;
mod time_reads;
mod tls;
mod tools;
mod values;
