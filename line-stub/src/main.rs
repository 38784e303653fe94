//! `line-stub`: plays LINE until it is killed. It prints where, and is driven below `/_stub/` on the port of the API.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)] // its output is what it is for

use std::io;

use line_stub::{Channel, Stub};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let stub = Stub::start(Channel::default()).await?;
    println!("line-stub: api {} data {}", stub.api_url(), stub.data_url());
    std::future::pending().await
}
