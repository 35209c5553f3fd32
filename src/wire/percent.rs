//! Percent encoding (RFC 3986, 2.1) of path segments and query values.

use std::borrow::Cow;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// `text` with its `%XX` resolved; borrowed where there are none. `None` when an escape is broken
/// or the result is not UTF-8.
#[must_use]
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    let Some(first) = text.bytes().position(|b| b == b'%') else {
        return Some(Cow::Borrowed(text));
    };
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(&bytes[..first]);
    let mut at = first;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'%' {
            let high = digit(*bytes.get(at + 1)?)?;
            let low = digit(*bytes.get(at + 2)?)?;
            out.push(high << 4 | low);
            at += 3;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

/// `text` as one path segment: all but the unreserved characters escaped.
#[must_use]
pub fn encode(text: &str) -> Cow<'_, str> {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'~');
    if text.as_bytes().iter().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.as_bytes() {
        if plain(byte) {
            out.push(char::from(*byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    Cow::Owned(out)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        for text in ["orders", "eu/orders", "ä b%c", ""] {
            assert_eq!(decode(&encode(text)).as_deref(), Some(text));
        }
        assert_eq!(encode("eu/orders"), "eu%2Forders");
        assert!(matches!(decode("plain"), Some(Cow::Borrowed(_))));
        assert_eq!(decode("a%2fb").as_deref(), Some("a/b"));
    }

    #[test]
    fn every_prefix_of_an_escape_is_refused() {
        for bad in ["%", "a%2", "%zz", "%2", "%ff", "%e2%82", "%+1", "%é1"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
