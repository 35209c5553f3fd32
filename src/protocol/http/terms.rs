//! The terms of a message's deliveries that it is published with: how often it is tried, and how
//! long it waits in between.

use crate::limits::{ATTEMPTS_MAX, DELAY_MS_MAX, MULTIPLIER_MAX};

/// Checks how often a message is tried; the number, written plainly.
///
/// # Errors
/// A sentence on what it may be.
pub fn check_attempts(text: &str) -> Result<String, String> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse::<u64>().ok().filter(|_| digits);
    number
        .filter(|n| (1..=ATTEMPTS_MAX).contains(n))
        .map(|n| n.to_string())
        .ok_or_else(|| format!("a whole number from 1 to {ATTEMPTS_MAX} belongs here"))
}

/// Checks `initial_ms=1000, max_ms=60000, multiplier=2`, each at most once; as it is written.
///
/// # Errors
/// A sentence on what it may be.
pub fn check_backoff(text: &str) -> Result<String, String> {
    let bad = || {
        format!(
            "initial_ms=, max_ms= (up to {DELAY_MS_MAX}) and multiplier= (1 to {MULTIPLIER_MAX}) \
             belong here, any of them, with commas between"
        )
    };
    let mut seen = Vec::new();
    for member in text.split(',') {
        let (name, value) = member.trim().split_once('=').ok_or_else(bad)?;
        let is_number = value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let is_good = match name {
            "initial_ms" | "max_ms" => value.parse::<u64>().is_ok_and(|n| n <= DELAY_MS_MAX),
            "multiplier" => {
                is_number
                    && value
                        .parse::<f64>()
                        .is_ok_and(|n| (1.0..=MULTIPLIER_MAX).contains(&n))
            }
            _ => false,
        };
        if !is_good || seen.contains(&name) {
            return Err(bad());
        }
        seen.push(name);
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_checked() {
        for good in ["1", "1000", "007"] {
            assert!(check_attempts(good).is_ok(), "{good}");
        }
        for bad in ["", "0", "1001", "-1", "+1", "1.5", "x"] {
            assert!(check_attempts(bad).is_err(), "{bad}");
        }
        for good in ["initial_ms=0", "initial_ms=5, max_ms=10,multiplier=1.5"] {
            assert!(check_backoff(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "5",
            "initial_ms",
            "initial_ms=-5",
            "initial_ms=5, initial_ms=6",
            "max_ms=604800001",
            "multiplier=0.5",
            "multiplier=inf",
            "multiplier=1e1",
            "initial_ms=5;max_ms=6",
        ] {
            assert!(check_backoff(bad).is_err(), "{bad}");
        }
    }
}
