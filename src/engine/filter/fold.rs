//! Text compared without regard to case.

/// Text in the form in which upper and lower case are the same. Folding goes by character, down,
/// up and down again, so that `ß`, `ẞ` and `SS` are equal and every Greek sigma is one.
#[derive(Clone, Debug)]
pub struct Folded(String);

impl Folded {
    /// Folds the text.
    pub fn new(text: &str) -> Self {
        Self(fold(text).collect())
    }

    /// Whether the texts are the same but for case.
    pub fn equals(&self, text: &str) -> bool {
        fold(text).eq(self.0.chars())
    }

    /// Whether the text begins with this one but for case.
    pub fn begins(&self, text: &str) -> bool {
        let mut others = fold(text);
        self.0.chars().all(|own| others.next() == Some(own))
    }

    /// Whether the text ends with this one but for case.
    pub fn ends(&self, text: &str) -> bool {
        let mut others = fold(text).rev();
        self.0.chars().rev().all(|own| others.next() == Some(own))
    }
}

fn fold(text: &str) -> impl DoubleEndedIterator<Item = char> {
    // The capital sharp s has no upper case of its own: it is folded down first.
    text.chars()
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
}
