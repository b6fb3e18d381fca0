//! Texts behind small numbers, so that a million frames share one copy of each name.

use std::sync::Arc;

use rustc_hash::FxHashMap;

/// Number of a text in its [`Texts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TextId(u32);

/// A set of distinct texts.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    texts: Vec<Arc<str>>,
    index: FxHashMap<Arc<str>, TextId>,
}

impl Texts {
    /// The number of `text`, which is added if it is new.
    pub fn intern(&mut self, text: &str) -> TextId {
        if let Some(&id) = self.index.get(text) {
            return id;
        }
        let id = TextId(u32::try_from(self.texts.len()).expect("fewer than 2^32 names fit memory"));
        let shared: Arc<str> = text.into();
        self.texts.push(Arc::clone(&shared));
        self.index.insert(shared, id);
        id
    }

    /// The text of a number that [`intern`](Self::intern) gave out.
    pub fn get(&self, id: TextId) -> &str {
        &self.texts[id.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_a_number() {
        let mut texts = Texts::default();
        let a = texts.intern("a");
        let b = texts.intern("b");
        assert_ne!(a, b);
        assert_eq!(texts.intern("a"), a);
        assert_eq!(texts.get(b), "b");
    }
}
