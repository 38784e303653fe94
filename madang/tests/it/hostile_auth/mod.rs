//! Those who want to be somebody else: forged tokens, odd passwords, addresses that look alike, and secrets that must not
//! come out.

mod canary;
mod cookies;
mod passwords;
mod tokens;
