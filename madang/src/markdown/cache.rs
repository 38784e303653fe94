//! What was rendered lately.

use std::{collections::HashMap, mem, sync::Arc};

/// Bytes of one generation, of texts and their HTML.
pub(super) const GENERATION: usize = 4 << 20;

/// Two generations: when the young one is full, it becomes the old one, and the old one goes. What is asked for becomes young
/// again, so that a busy page stays.
#[derive(Default)]
pub(super) struct Cache {
    young: HashMap<Box<str>, Arc<str>>,
    old: HashMap<Box<str>, Arc<str>>,
    /// Of the young generation.
    bytes: usize,
}

impl Cache {
    /// The HTML of a text that is known.
    pub(super) fn get(&mut self, text: &str) -> Option<Arc<str>> {
        if let Some(html) = self.young.get(text) {
            return Some(html.clone());
        }
        let html = self.old.remove(text)?;
        self.put(text, html.clone());
        Some(html)
    }

    pub(super) fn put(&mut self, text: &str, html: Arc<str>) {
        // Also what an entry costs besides its text, so that many small ones are bounded too.
        let bytes = text.len() + html.len() + 100;
        if self.bytes + bytes > GENERATION {
            self.old = mem::take(&mut self.young);
            self.bytes = 0;
        }
        if self.young.insert(text.into(), html).is_none() {
            self.bytes += bytes;
        }
    }

    /// Bytes of both generations.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.young.iter().chain(&self.old).map(|(text, html)| text.len() + html.len()).sum()
    }
}
