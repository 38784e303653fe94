//! What administrators do to others. They may delete any feed or comment too, which those features know.

mod api;

pub(crate) use api::api;
