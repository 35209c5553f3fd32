//! JSON objects, read member by member, so that every fault names the field it is about.
//!
//! Values stay raw text until their reader is known; nothing but the list of members is allocated.
//! The depth of a document is bounded by `serde_json` (128).

use crate::error::Fault;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

/// Characters of a client's own field name that a fault repeats.
pub(super) const NAME_CHARS_SHOWN: usize = 64;

/// Where an object stands in a request: the entry of a list, or the document itself.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    list: &'static str,
    index: usize,
}

impl Place {
    /// The document itself.
    pub const TOP: Self = Self { list: "", index: 0 };

    /// The entry `index` of `list`.
    #[must_use]
    pub const fn entry(list: &'static str, index: usize) -> Self {
        Self { list, index }
    }

    /// The path of the object: `messages[3]`, or `body` for the document.
    #[must_use]
    pub fn path(self) -> String {
        if self.list.is_empty() {
            "body".to_owned()
        } else {
            format!("{}[{}]", self.list, self.index)
        }
    }

    /// The path of a field: `messages[3].priority`, or `priority` in the document.
    #[must_use]
    pub fn field(self, name: &str) -> String {
        let name: String = name.chars().take(NAME_CHARS_SHOWN).collect();
        if self.list.is_empty() {
            name
        } else {
            format!("{}[{}].{name}", self.list, self.index)
        }
    }
}

/// An item that should be an object.
#[derive(Debug)]
pub enum Item<'a> {
    /// It is; its members in the order written.
    Object(Vec<(Cow<'a, str>, &'a RawValue)>),
    /// It is something else.
    Other,
}

impl<'a> Item<'a> {
    /// The members, with their place.
    ///
    /// # Errors
    /// `bad-request` when it is no object.
    pub fn fields(&self, place: Place) -> Result<impl Iterator<Item = Field<'_, 'a>>, Fault> {
        match self {
            Self::Object(members) => {
                Ok(members
                    .iter()
                    .map(move |(name, raw)| Field { place, name, raw }))
            }
            Self::Other => Err(Fault::bad(place.path(), "a JSON object belongs here")),
        }
    }
}

/// Reads `body` as JSON of any shape; an empty one is `None`.
///
/// # Errors
/// `bad-request` for what is no UTF-8 or no JSON.
pub fn document<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<Option<T>, Fault> {
    let text =
        std::str::from_utf8(body).map_err(|_| Fault::bad("body", "the body is not UTF-8 text"))?;
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text)
        .map(Some)
        .map_err(|e| not_json("the body", &e))
}

/// The fault of a text that is no JSON, or not of the shape that belongs there.
#[must_use]
pub fn not_json(what: &str, error: &serde_json::Error) -> Fault {
    Fault::bad(
        "body",
        format!("{what} is not the JSON that belongs here: {error}"),
    )
}

/// A name and a value, both text.
pub type TextPair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// One member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field<'s, 'a> {
    place: Place,
    /// Its name, as sent.
    pub name: &'s str,
    raw: &'a RawValue,
}

impl<'a> Field<'_, 'a> {
    /// A fault about this field.
    #[must_use]
    pub fn fault(&self, detail: impl Into<String>) -> Fault {
        Fault::bad(self.place.field(self.name), detail)
    }

    /// The fault of a field that does not belong here; `known` are those that do.
    #[must_use]
    pub fn unknown(&self, known: &str) -> Fault {
        self.fault(format!("there is no such field here; there are: {known}"))
    }

    /// Whether it is `null`, which is as good as absent.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.raw.get() == "null"
    }

    /// The JSON text.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        self.raw.get()
    }

    /// A string.
    ///
    /// # Errors
    /// `bad-request` naming the field.
    pub fn text(&self) -> Result<Cow<'a, str>, Fault> {
        self.read::<Text<'a>>("a string belongs here")
            .map(|text| text.0)
    }

    /// A whole number in `range`.
    ///
    /// # Errors
    /// `bad-request` naming the field.
    pub fn uint(&self, range: &RangeInclusive<u64>) -> Result<u64, Fault> {
        let number = serde_json::from_str::<u64>(self.raw.get()).ok();
        number
            .filter(|n| range.contains(n))
            .ok_or_else(|| self.fault(range_words(range)))
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// `bad-request` naming the field.
    pub fn boolean(&self) -> Result<bool, Fault> {
        self.read("true or false belongs here")
    }

    /// A list of objects.
    ///
    /// # Errors
    /// `bad-request` naming the field.
    pub fn items(&self) -> Result<Vec<Item<'a>>, Fault> {
        self.read("a list belongs here")
    }

    /// An object whose values are strings.
    ///
    /// # Errors
    /// `bad-request` naming the field, or the member of it that is no string.
    pub fn texts(&self) -> Result<Vec<TextPair<'a>>, Fault> {
        let Item::Object(members) = self.read::<Item<'a>>("an object belongs here")? else {
            return Err(self.fault("an object of strings belongs here"));
        };
        let read = |(name, raw): (Cow<'a, str>, &'a RawValue)| {
            let text = serde_json::from_str::<Text<'a>>(raw.get());
            let path = || self.place.field(&format!("{}.{name}", self.name));
            let text =
                text.map_err(|_| Fault::bad(path(), "the value of an attribute is a string"))?;
            Ok((name, text.0))
        };
        members.into_iter().map(read).collect()
    }

    fn read<T: Deserialize<'a>>(&self, expected: &str) -> Result<T, Fault> {
        serde_json::from_str(self.raw.get()).map_err(|_| self.fault(expected))
    }
}

/// What to say of a number that is none, or out of `range`.
#[must_use]
pub fn range_words(range: &RangeInclusive<u64>) -> String {
    format!(
        "a whole number from {} to {} belongs here",
        range.start(),
        range.end()
    )
}

/// A string that is borrowed where it holds no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Item<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            members.push((name, map.next_value()?));
        }
        Ok(Item::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Item::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Item::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Item::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Item::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Item::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Item::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Item::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field<T>(json: &str, read: impl Fn(Field<'_, '_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let item: Item<'_> = document(json.as_bytes())?.unwrap_or(Item::Other);
        let first = item.fields(Place::entry("acks", 2))?.next();
        read(first.ok_or_else(|| Fault::bad("test", "no field"))?)
    }

    #[test]
    fn values_are_read_by_type_and_faults_name_the_field() {
        assert_eq!(field(r#"{"n": 7}"#, |f| f.uint(&(1..=7))).unwrap(), 7);
        assert_eq!(
            field(r#"{"a\tb": "\u00e4"}"#, |f| f.text().map(Cow::into_owned)).unwrap(),
            "ä"
        );
        assert!(field(r#"{"b": true}"#, |f| f.boolean()).unwrap());
        assert!(field(r#"{"b": null}"#, |f| Ok(f.is_null())).unwrap());
        for bad in [
            "8",
            "0",
            "-1",
            "1.5",
            "\"1\"",
            "true",
            "[]",
            "null",
            "18446744073709551616",
        ] {
            let fault = field(&format!("{{\"n\":{bad}}}"), |f| f.uint(&(1..=7))).unwrap_err();
            assert_eq!(fault.figures.field.as_deref(), Some("acks[2].n"), "{bad}");
        }
        assert!(field(r#"{"t": 5}"#, |f| f.text().map(drop)).is_err());
        assert!(field(r#"{"t": "true"}"#, |f| f.boolean()).is_err());
    }

    #[test]
    fn what_is_no_object_is_told_apart_from_what_is_no_json() {
        let items: Vec<Item<'_>> =
            document(br#"[{}, 1, -1, 1.5, "x", null, true, [[1], {}], {"a": [1]}]"#)
                .unwrap()
                .unwrap();
        let objects = items
            .iter()
            .filter(|item| matches!(item, Item::Object(_)))
            .count();
        assert_eq!((items.len(), objects), (9, 2));
        assert_eq!(
            items[1]
                .fields(Place::entry("m", 1))
                .err()
                .unwrap()
                .figures
                .field
                .as_deref(),
            Some("m[1]")
        );
        for bad in [&b"{"[..], b"{}x", b"\xff", b"nul", b"[1,]"] {
            assert!(document::<Vec<Item<'_>>>(bad).is_err());
        }
        assert!(document::<Item<'_>>(b" \n").unwrap().is_none());
        let deep = "[".repeat(100_000);
        assert!(document::<Item<'_>>(deep.as_bytes()).is_err());
    }

    #[test]
    fn a_long_name_is_cut_in_the_fault() {
        let json = format!("{{\"{}\":1}}", "x".repeat(100_000));
        let fault = field(&json, |f| Err::<(), _>(f.unknown("a, b"))).unwrap_err();
        assert!(fault.figures.field.unwrap().len() < 100);
    }
}
