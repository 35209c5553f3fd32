//! Decimal numbers compared by their digits, so that no digit is lost to floating point.

use std::borrow::Cow;
use std::cmp::Ordering;

/// A number as `0.digits × 10^scale`, without zeros at either end of the digits; zero has no
/// digits. Equal numbers are equal values, however they were spelt: `10`, `1e1` and `10.0` are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal<'a> {
    negative: bool,
    scale: i64,
    digits: Cow<'a, str>,
}

impl<'a> Decimal<'a> {
    /// Reads `[+-]digits[.digits][e[+-]digits]`, with digits on at least one side of the point: all
    /// JSON numbers, and what people write into attributes. `None` for anything else.
    pub fn parse(text: &'a str) -> Option<Self> {
        let Parts {
            negative,
            whole,
            fraction,
            exponent,
        } = Parts::split(text)?;
        let whole = whole.trim_start_matches('0');
        let (scale, digits) = if whole.is_empty() {
            let digits = fraction.trim_start_matches('0');
            let zeros = digits.len() as i64 - fraction.len() as i64;
            (zeros, Cow::Borrowed(digits.trim_end_matches('0')))
        } else {
            let fraction = fraction.trim_end_matches('0');
            let digits = match fraction {
                "" => Cow::Borrowed(whole.trim_end_matches('0')),
                fraction => Cow::Owned([whole, fraction].concat()),
            };
            (whole.len() as i64, digits)
        };
        if digits.is_empty() {
            return Some(Self {
                negative: false,
                scale: 0,
                digits,
            });
        }
        Some(Self {
            negative,
            scale: scale.saturating_add(exponent),
            digits,
        })
    }

    /// The same number, independent of the text it was read from.
    pub fn into_owned(self) -> Decimal<'static> {
        let digits = Cow::Owned(self.digits.into_owned());
        Decimal {
            negative: self.negative,
            scale: self.scale,
            digits,
        }
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_size = || (self.scale, &*self.digits).cmp(&(other.scale, &*other.digits));
        match self.sign().cmp(&other.sign()) {
            Ordering::Equal if self.negative => by_size().reverse(),
            Ordering::Equal => by_size(),
            unequal => unequal,
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether the text is a decimal number.
pub fn is_decimal(text: &str) -> bool {
    Parts::split(text).is_some()
}

struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Option<Self> {
        let (negative, text) = signed(text);
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let some = !whole.is_empty() || !fraction.is_empty();
        (some && digits(whole) && digits(fraction)).then_some(Self {
            negative,
            whole,
            fraction,
            exponent,
        })
    }
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// An exponent past 2^62 stays there: no message is long enough to tell such numbers apart by
/// digits.
fn exponent_of(text: &str) -> Option<i64> {
    const FURTHEST: i64 = 1 << 62;
    let (negative, digits) = signed(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse().unwrap_or(FURTHEST).min(FURTHEST);
    Some(if negative { -size } else { size })
}
