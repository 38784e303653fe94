//! The routes of pages, with the list of their patterns.

use axum::{Router, routing::MethodRouter};

/// A feature's pages.
pub struct Pages<S> {
    /// The routes.
    pub router: Router<S>,
    /// Their patterns, such as `/feed/{feed_id}`.
    pub patterns: Vec<String>,
}

impl<S: Clone + Send + Sync + 'static> Pages<S> {
    /// None yet.
    pub fn new() -> Pages<S> {
        Pages { router: Router::new(), patterns: Vec::new() }
    }

    /// One more.
    #[must_use]
    pub fn at(mut self, pattern: &str, handlers: MethodRouter<S>) -> Pages<S> {
        self.patterns.push(pattern.to_owned());
        Pages { router: self.router.route(pattern, handlers), ..self }
    }

    /// These and others.
    #[must_use]
    pub fn and(mut self, other: Pages<S>) -> Pages<S> {
        self.patterns.extend(other.patterns);
        Pages { router: self.router.merge(other.router), ..self }
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Pages<S> {
    fn default() -> Pages<S> {
        Pages::new()
    }
}
