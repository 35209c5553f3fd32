//! JSON text, written straight into bytes. Reading is `serde_json`'s.

use std::borrow::Cow;

/// Appends `text` as a JSON string. Runs that need no escape are copied whole.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = first_escaped(rest) {
        out.extend_from_slice(&rest[..at]);
        escape(out, rest[at]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Where the first byte is that JSON wants escaped. Looks at eight at a time.
fn first_escaped(bytes: &[u8]) -> Option<usize> {
    let is_escaped = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let (words, _) = bytes.as_chunks::<8>();
    let plain = words.iter().take_while(|word| !has_escaped(**word)).count();
    let at = bytes[plain * 8..].iter().position(is_escaped)?;
    Some(plain * 8 + at)
}

/// Whether one of these bytes is below 0x20, a quote or a backslash: "has less" and "has zero" of
/// Anderson's Bit Twiddling Hacks.
const fn has_escaped(bytes: [u8; 8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(bytes);
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let below = word.wrapping_sub(ONES * 0x20) & !word;
    let zeros = (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash);
    (below | zeros) & (ONES * 0x80) != 0
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

/// Appends `number` in decimal.
pub fn number(out: &mut Vec<u8>, mut number: u64) {
    // u64::MAX has 20 digits.
    let mut digits = [b'0'; 20];
    let mut end = digits.len();
    // Eight digits at a time: a division of 64 bits is dear where this runs, one of 32 is not.
    while number >= 100_000_000 {
        put_digits((number % 100_000_000) as u32, &mut digits[..end]);
        number /= 100_000_000;
        end -= 8;
    }
    let at = put_digits(number as u32, &mut digits[..end]);
    out.extend_from_slice(&digits[at..]);
}

/// Writes `number` to the end of `digits`; where it begins there.
fn put_digits(mut number: u32, digits: &mut [u8]) -> usize {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return at;
        }
    }
}

/// Appends `"name":` after a comma, unless the object or array is still empty. `name` needs no
/// escape.
pub fn name(out: &mut Vec<u8>, name: &str) {
    if !matches!(out.last(), Some(b'{' | b'[' | b',') | None) {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends a member that is a string.
pub fn member_string(out: &mut Vec<u8>, key: &str, text: &str) {
    name(out, key);
    string(out, text);
}

/// Appends a member that is an object of strings.
pub fn member_strings(out: &mut Vec<u8>, key: &str, members: &[(String, String)]) {
    name(out, key);
    out.push(b'{');
    for (at, (key, value)) in members.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        string(out, key);
        out.push(b':');
        string(out, value);
    }
    out.push(b'}');
}

/// Appends a member that is a number.
pub fn member_number(out: &mut Vec<u8>, key: &str, value: u64) {
    name(out, key);
    number(out, value);
}

/// Appends a member that is a number, where there is one.
pub fn member_number_if(out: &mut Vec<u8>, key: &str, value: Option<u64>) {
    if let Some(value) = value {
        member_number(out, key, value);
    }
}

/// `json`, which is valid JSON, without the blanks between its tokens; numbers and strings stay as
/// written.
#[must_use]
pub fn compact(json: &str) -> Cow<'_, str> {
    let mut out: Option<Vec<u8>> = None;
    let (mut in_string, mut escaped) = (false, false);
    for (at, byte) in json.bytes().enumerate() {
        let blank = !in_string && matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        if in_string {
            in_string = byte != b'"' || escaped;
            escaped = byte == b'\\' && !escaped;
        } else {
            in_string = byte == b'"';
        }
        if blank {
            out.get_or_insert_with(|| json.as_bytes()[..at].to_vec());
        } else if let Some(out) = &mut out {
            out.push(byte);
        }
    }
    match out.map(String::from_utf8) {
        Some(Ok(text)) => Cow::Owned(text),
        _ => Cow::Borrowed(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_read_back_as_they_were() {
        let mut all: String = (0..0x250).filter_map(char::from_u32).collect();
        all.push_str("\u{2028}😀\"\\end");
        let each: Vec<String> = (0..0x250)
            .filter_map(char::from_u32)
            .flat_map(|c| (0..17).map(move |at| format!("{}{c}\u{ff}", "~".repeat(at))))
            .collect();
        let some = [all.as_str(), "", "plain", "\"", "tail\\"];
        for text in each.iter().map(String::as_str).chain(some) {
            let mut out = Vec::new();
            string(&mut out, text);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn numbers_read_back_as_they_were() {
        let tens = (0..20).flat_map(|n| [10u64.pow(n) - 1, 10u64.pow(n), 10u64.pow(n) + 7]);
        for value in tens.chain([1_700_000_000_000, 900_000_001, u64::MAX]) {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(out, value.to_string().into_bytes());
        }
    }

    #[test]
    fn members_get_their_commas() {
        let mut out = b"{".to_vec();
        member_string(&mut out, "a", "x");
        member_number(&mut out, "b", 2);
        member_number_if(&mut out, "c", None);
        member_number_if(&mut out, "d", Some(4));
        out.push(b'}');
        assert_eq!(out, br#"{"a":"x","b":2,"d":4}"#);
    }

    #[test]
    fn compact_drops_blanks_outside_strings_only() {
        let json = "{ \"a b\" : [ 1.50 , \"x \\\" y\\\\\" ,\n\ttrue ] }";
        assert_eq!(compact(json), r#"{"a b":[1.50,"x \" y\\",true]}"#);
        assert!(matches!(compact(r#"{"a":1}"#), Cow::Borrowed(_)));
    }
}
