//! Where a feature's statements stand: by name, at the top of its `queries.rs`, so that one test can prepare them all.

/// Declares statements as constants, and their list as `STATEMENTS`.
///
/// They may be composed of other constants' text by `concat!`. A list of values stands as `?*`.
#[macro_export]
macro_rules! statements {
    ($($name:ident = $sql:expr;)+) => {
        $(const $name: &str = $sql;)+
        /// Every statement of this feature with its name.
        pub(crate) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),+];
    };
}

/// Every statement of the board with its name, for the test that prepares them on each database.
pub fn statements() -> impl Iterator<Item = (&'static str, &'static str)> {
    let features = [
        crate::account::queries::STATEMENTS,
        crate::feed::queries::STATEMENTS,
        crate::comment::queries::STATEMENTS,
        crate::like::queries::STATEMENTS,
        crate::follow::queries::STATEMENTS,
        crate::media::queries::STATEMENTS,
        crate::notification::queries::STATEMENTS,
        crate::line::queries::STATEMENTS,
        crate::mypage::erase::queries::STATEMENTS,
        crate::mypage::export::queries::STATEMENTS,
        crate::totals::STATEMENTS,
        crate::import_old::queries::STATEMENTS,
        crate::installation::STATEMENTS,
    ];
    features.into_iter().flatten().chain(crate::check::queries::statements()).copied()
}
