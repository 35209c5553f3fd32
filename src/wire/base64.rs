//! Base 64 (RFC 4648): standard and URL alphabets. Written padded (standard) or bare (URL); read
//! either way.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Marks a byte outside the alphabet.
const NONE: u8 = 0xFF;
static STANDARD_VALUES: [u8; 256] = values(STANDARD);
static URL_VALUES: [u8; 256] = values(URL);

const fn values(alphabet: &[u8; 64]) -> [u8; 256] {
    let mut table = [NONE; 256];
    let mut i = 0;
    while i < 64 {
        table[alphabet[i] as usize] = i as u8;
        i += 1;
    }
    table
}

/// Appends the standard form of `bytes`, padded.
pub fn encode_into(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    encode_with(out, bytes, STANDARD);
    let odd = bytes.len() % 3;
    if odd != 0 {
        out.extend_from_slice(&b"=="[..3 - odd]);
    }
}

/// The standard form of `bytes`, padded.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    encode_into(&mut out, bytes);
    String::from_utf8(out).unwrap_or_default()
}

/// The URL form of `bytes`, without padding.
#[must_use]
pub fn encode_url(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    encode_with(&mut out, bytes, URL);
    String::from_utf8(out).unwrap_or_default()
}

/// Reads the standard form; padding may be left out. `None` when it is not one.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    decode_with(text.as_bytes(), &STANDARD_VALUES)
}

/// Reads the URL form; padding may be left out. `None` when it is not one.
#[must_use]
pub fn decode_url(text: &str) -> Option<Vec<u8>> {
    decode_with(text.as_bytes(), &URL_VALUES)
}

fn encode_with(out: &mut Vec<u8>, bytes: &[u8], alphabet: &[u8; 64]) {
    let mut chunks = bytes.chunks_exact(3);
    for chunk in &mut chunks {
        let word = u32::from(chunk[0]) << 16 | u32::from(chunk[1]) << 8 | u32::from(chunk[2]);
        out.extend_from_slice(&[18, 12, 6, 0].map(|shift| alphabet[(word >> shift & 63) as usize]));
    }
    match *chunks.remainder() {
        [a] => {
            let word = u32::from(a) << 16;
            out.extend_from_slice(&[18, 12].map(|shift| alphabet[(word >> shift & 63) as usize]));
        }
        [a, b] => {
            let word = u32::from(a) << 16 | u32::from(b) << 8;
            out.extend_from_slice(
                &[18, 12, 6].map(|shift| alphabet[(word >> shift & 63) as usize]),
            );
        }
        _ => {}
    }
}

fn decode_with(text: &[u8], values: &[u8; 256]) -> Option<Vec<u8>> {
    let bare = match text {
        [rest @ .., b'=', b'='] | [rest @ .., b'='] if text.len().is_multiple_of(4) => rest,
        _ => text,
    };
    let mut out = Vec::with_capacity(bare.len() / 4 * 3 + 2);
    let mut chunks = bare.chunks_exact(4);
    for chunk in &mut chunks {
        let word = word(chunk, values)?;
        out.extend_from_slice(&[(word >> 16) as u8, (word >> 8) as u8, word as u8]);
    }
    // RFC 4648, 3.5: bits that no byte takes are zero, so that every text has one reading.
    match chunks.remainder() {
        [] => {}
        rest @ [_, _] => {
            let word = word(rest, values)?;
            (word & 0xF == 0).then_some(())?;
            out.push((word >> 4) as u8);
        }
        rest @ [_, _, _] => {
            let word = word(rest, values)?;
            (word & 0x3 == 0).then_some(())?;
            out.extend_from_slice(&[(word >> 10) as u8, (word >> 2) as u8]);
        }
        _ => return None,
    }
    Some(out)
}

fn word(chunk: &[u8], values: &[u8; 256]) -> Option<u32> {
    chunk
        .iter()
        .try_fold(0, |word, byte| match values[usize::from(*byte)] {
            NONE => None,
            value => Some(word << 6 | u32::from(value)),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_rfc_4648_section_10() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
            assert_eq!(
                decode(text.trim_end_matches('=')).as_deref(),
                Some(bytes.as_bytes())
            );
            assert_eq!(encode_url(bytes.as_bytes()), text.trim_end_matches('='));
        }
    }

    #[test]
    fn every_byte_survives_both_alphabets() {
        let all: Vec<u8> = (0..=255).collect();
        for end in 0..=all.len() {
            assert_eq!(decode(&encode(&all[..end])).as_deref(), Some(&all[..end]));
            assert_eq!(
                decode_url(&encode_url(&all[..end])).as_deref(),
                Some(&all[..end])
            );
        }
    }

    #[test]
    fn what_is_not_base_64_is_refused() {
        for bad in [
            "Z", "Zg=", "Z===", "Zg==Zg==", "Zm9v=", "=", "====", "Zm 9", "Zm9é", "Zh==", "Zm9=",
        ] {
            assert_eq!(decode(bad), None, "{bad}");
        }
        assert_eq!(decode("-_-_"), None);
        assert_eq!(decode_url("+/+/"), None);
    }
}
