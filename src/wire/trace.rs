//! W3C Trace Context, level 1: which headers say what a request belongs to
//! (<https://www.w3.org/TR/trace-context/>).
//!
//! Owns what is valid. A broker has no span of its own to name as the parent: it hands on what it
//! was given. What is not valid is as good as absent (3.2.2.6, 3.3.1.5), never an error.

/// The header, and the attribute of a message.
pub const TRACEPARENT: &str = "traceparent";
/// The header that goes with it, and its attribute.
pub const TRACESTATE: &str = "tracestate";

/// `00-{32 hex}-{16 hex}-{2 hex}`.
const CHARS: usize = 55;
/// 3.3.1.1: at least these are to be handed on. Ours is that bound.
const TRACESTATE_CHARS_MAX: usize = 512;
/// 3.3.1.1.
const TRACESTATE_MEMBERS_MAX: usize = 32;

/// What a `traceparent` says, without what a later version may have added after it; `None` where it
/// is not valid.
#[must_use]
pub fn parent(text: &str) -> Option<&str> {
    let known = text.get(..CHARS)?;
    let mut parts = known.split('-');
    let mut part = |chars: usize| parts.next().filter(|it| is_hex(it, chars));
    let version = part(2)?;
    let (trace, span) = (part(32)?, part(16)?);
    part(2)?;
    let is_zero = |id: &str| id.bytes().all(|digit| digit == b'0');
    let rest = &text[CHARS..];
    let ends = rest.is_empty() || (version != "00" && rest.starts_with('-'));
    (version != "ff" && ends && !is_zero(trace) && !is_zero(span)).then_some(known)
}

/// A `tracestate` that may be handed on; `None` where it is not valid, empty or too long.
#[must_use]
pub fn state(text: &str) -> Option<&str> {
    let members = || text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let fits = text.len() <= TRACESTATE_CHARS_MAX
        && (1..=TRACESTATE_MEMBERS_MAX).contains(&members().count());
    (fits && members().all(is_member)).then_some(text)
}

fn is_hex(text: &str, chars: usize) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.len() == chars && text.bytes().all(digit)
}

/// 3.3.1.3: `key=value`.
fn is_member(text: &str) -> bool {
    let Some((key, value)) = text.split_once('=') else {
        return false;
    };
    let in_key = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/@".contains(&b);
    let in_value = |b: u8| (b' '..=b'~').contains(&b) && b != b'=';
    (1..=256).contains(&key.len())
        && (1..=256).contains(&value.len())
        && key.bytes().all(in_key)
        && value.bytes().all(in_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_parent_is_taken_as_it_is() {
        assert_eq!(parent(GOOD), Some(GOOD));
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = GOOD.replacen("00", "cc", 1);
        assert_eq!(parent(&later), Some(&*later));
        assert_eq!(parent(&format!("{later}-what-comes")), Some(&*later));
        assert_eq!(parent(&format!("{later}.what-comes")), None);
    }

    #[test]
    fn what_is_not_valid_is_absent() {
        for bad in [
            "",
            &GOOD[..54],
            &format!("{GOOD}-"),
            &format!("{GOOD}, {GOOD}"),
            &GOOD.to_ascii_uppercase(),
            &GOOD.replacen("00", "ff", 1),
            &GOOD.replace('-', "_"),
            &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &GOOD.replace('4', "g"),
            &GOOD.replace('4', "é"),
        ] {
            assert_eq!(parent(bad), None, "{bad}");
        }
        for end in 0..GOOD.len() {
            assert_eq!(parent(&GOOD[..end]), None);
        }
    }

    #[test]
    fn a_state_is_a_list_of_members() {
        for good in [
            "a=1",
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
            "a@b=1 , ,c=2",
        ] {
            assert_eq!(state(good), Some(good));
        }
        let many = vec!["a=1"; 33].join(",");
        let long = format!("a={}", "x".repeat(257));
        let longer = vec![format!("a={}", "x".repeat(200)); 3].join(",");
        for bad in [
            "", " ", "a", "=1", "a=", "A=1", "a=b=c", "a=é", &many, &long, &longer,
        ] {
            assert_eq!(state(bad), None, "{bad}");
        }
    }
}
