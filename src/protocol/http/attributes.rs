//! Attributes of a message: names and values that are text, few and small.

use crate::limits::{ATTRIBUTE_NAME_CHARS_MAX, ATTRIBUTES_BYTES_MAX, ATTRIBUTES_MAX};
use std::borrow::Cow;

/// What the broker itself writes into attributes (the history of a dead letter, say) begins with
/// this.
const RESERVED: &str = "tidegate-";

/// Names and values in the order given; names are unique.
#[derive(Clone, Debug, Default)]
pub struct Attributes<'a> {
    entries: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    bytes: usize,
}

impl<'a> Attributes<'a> {
    /// Adds one.
    ///
    /// # Errors
    /// A sentence on what is wrong with it.
    pub fn add(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) -> Result<(), String> {
        let chars = name.chars().count();
        if chars == 0 || chars > ATTRIBUTE_NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(format!(
                "the name of an attribute has 1 to {ATTRIBUTE_NAME_CHARS_MAX} characters, none of \
                 them a control"
            ));
        }
        if name
            .get(..RESERVED.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(RESERVED))
        {
            return Err(
                "names of attributes that begin with tidegate- are the broker's own".to_owned(),
            );
        }
        if self.entries.iter().any(|(known, _)| *known == name) {
            return Err("the attribute is given twice".to_owned());
        }
        self.bytes += name.len() + value.len();
        if self.entries.len() == ATTRIBUTES_MAX || self.bytes > ATTRIBUTES_BYTES_MAX {
            return Err(format!(
                "a message has at most {ATTRIBUTES_MAX} attributes, of \
                 {ATTRIBUTES_BYTES_MAX} bytes together"
            ));
        }
        self.entries.push((name, value));
        Ok(())
    }

    /// Adds one of the broker's own, whose value was checked; one of this name takes its place.
    pub fn set_own(&mut self, name: &'static str, value: Cow<'a, str>) {
        self.entries.retain(|(known, _)| known != name);
        self.entries.push((Cow::Borrowed(name), value));
    }

    /// The value of one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries
            .iter()
            .find_map(|(key, value)| (key == name).then_some(value.as_ref()))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(attributes: &mut Attributes<'_>, name: &str, value: &str) -> Result<(), String> {
        attributes.add(Cow::Owned(name.to_owned()), Cow::Owned(value.to_owned()))
    }

    #[test]
    fn names_are_bounded_unique_and_not_reserved() {
        let mut attributes = Attributes::default();
        add(&mut attributes, "region", "eu").unwrap();
        let long = "x".repeat(ATTRIBUTE_NAME_CHARS_MAX + 1);
        for bad in [
            "",
            "region",
            "tidegate-source",
            "Tidegate-Source",
            "a\nb",
            &long,
        ] {
            assert!(add(&mut attributes, bad, "v").is_err(), "{bad}");
        }
        add(&mut attributes, "Region", "case counts").unwrap();
        assert_eq!(attributes.get("region"), Some("eu"));
    }

    #[test]
    fn number_and_bytes_are_bounded() {
        let mut attributes = Attributes::default();
        for i in 0..ATTRIBUTES_MAX {
            add(&mut attributes, &format!("a{i}"), "").unwrap();
        }
        assert!(add(&mut attributes, "one-more", "").is_err());
        let mut attributes = Attributes::default();
        add(&mut attributes, "a", &"v".repeat(ATTRIBUTES_BYTES_MAX - 1)).unwrap();
        assert!(add(&mut attributes, "b", "").is_err());
    }
}
