//! How long a message waits between deliveries.

use super::config::{float, object, uint, unknown};
use crate::error::Fault;
use crate::limits::{DELAY_MS_MAX, MULTIPLIER_MAX};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The delay after the n-th failed delivery: `initial × multiplier^(n−1)`, at most `max`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// After the first. Zero: at once, always.
    pub initial_ms: Millis,
    /// At most.
    pub max_ms: Millis,
    /// Growth.
    pub multiplier: f64,
}

impl Backoff {
    /// The delay after `attempts` deliveries (1 and up).
    #[must_use]
    pub fn delay_ms(&self, attempts: u32) -> Millis {
        let power = i32::try_from(attempts.saturating_sub(1).min(1_000)).unwrap_or(0);
        let delay = self.initial_ms as f64 * self.multiplier.powi(power);
        if delay >= self.max_ms as f64 {
            self.max_ms
        } else {
            delay as Millis
        }
    }

    /// Applies the part of a configuration that is about it.
    ///
    /// # Errors
    /// `bad-request` that names the field.
    pub(super) fn patch(&mut self, value: &Value, default: &Self) -> Result<(), Fault> {
        for (name, value) in object(value, "delivery.backoff")? {
            let field = format!("delivery.backoff.{name}");
            let field = field.as_str();
            match name.as_str() {
                "initial_ms" => {
                    self.initial_ms =
                        uint(value, field, 0, DELAY_MS_MAX)?.unwrap_or(default.initial_ms);
                }
                "max_ms" => {
                    self.max_ms = uint(value, field, 0, DELAY_MS_MAX)?.unwrap_or(default.max_ms)
                }
                "multiplier" => {
                    self.multiplier =
                        float(value, field, 1.0, MULTIPLIER_MAX)?.unwrap_or(default.multiplier);
                }
                _ => return Err(unknown(field)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_bound() {
        let backoff = Backoff {
            initial_ms: 100,
            max_ms: 1_000,
            multiplier: 2.0,
        };
        let delays: Vec<u64> = (1..=6).map(|n| backoff.delay_ms(n)).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(
            Backoff {
                initial_ms: 0,
                max_ms: 5,
                multiplier: 9.0
            }
            .delay_ms(1_000),
            0
        );
    }
}
