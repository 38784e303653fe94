//! The board's tables, in the format of SeaORM 2. A relation goes where a query here joins.

#![allow(dead_code)] // the tables are more than these routes use

pub mod comment;
pub mod comment_like;
pub mod feed;
pub mod feed_like;
pub mod follow;
pub mod image;
pub mod login;
pub mod total;
pub mod user;
