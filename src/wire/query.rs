//! The query of a URL: `name=value` pairs between `&`.

use super::percent;
use std::borrow::Cow;

/// The value of the first pair called `name`, decoded (`+` is a space). `Some(None)` when it is
/// there but cannot be decoded.
#[must_use]
pub fn value<'a>(query: &'a str, name: &str) -> Option<Option<Cow<'a, str>>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then(|| decode(value))
    })
}

fn decode(value: &str) -> Option<Cow<'_, str>> {
    if value.contains('+') {
        percent::decode(&value.replace('+', " ")).map(|text| Cow::Owned(text.into_owned()))
    } else {
        percent::decode(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_and_decodes_it() {
        let query = "limit=10&cursor=a%2Fb+c&limit=20&flag";
        assert_eq!(value(query, "limit").flatten().as_deref(), Some("10"));
        assert_eq!(value(query, "cursor").flatten().as_deref(), Some("a/b c"));
        assert_eq!(value(query, "flag").flatten().as_deref(), Some(""));
        assert_eq!(value(query, "lim"), None);
        assert_eq!(value("", "limit"), None);
        assert_eq!(value("limit=%f", "limit"), Some(None));
    }
}
