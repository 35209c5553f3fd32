//! What takes no credentials, where a configuration says so, at a rate for each client's address: of a
//! queue publishing, of a topic publishing, or reading, or both.

use super::config::{choice, float, object, uint, unknown};
use crate::error::Fault;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Publishes a second and at once from one address, where a configuration does not say: a person
/// with a browser, or an office full of them.
const DEFAULT: (f64, u64) = (20.0, 100);
/// Highest rate.
const RATE_MAX: u64 = 1_000_000;

/// Who may publish, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Access {
    /// Who may publish.
    pub publish: Who,
    /// Publishes a second from one address, in the long run.
    pub per_second: f64,
    /// Publishes at once from one address, after a pause.
    pub burst: u64,
}

/// Whom something is open to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    /// Who has a token with the scope for it.
    Token,
    /// Everybody.
    Public,
}

impl Who {
    const NAMES: [(&'static str, Self); 2] = [("token", Self::Token), ("public", Self::Public)];

    const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Public => "public",
        }
    }
}

impl Default for Access {
    fn default() -> Self {
        Self {
            publish: Who::Token,
            per_second: DEFAULT.0,
            burst: DEFAULT.1,
        }
    }
}

impl Access {
    /// Applies the part of a configuration that is called `access`.
    ///
    /// # Errors
    /// `bad-request` that names the field.
    pub(super) fn patch(&mut self, value: &Value) -> Result<(), Fault> {
        for (name, value) in object(value, "access")? {
            self.patch_field(name, value)?;
        }
        Ok(())
    }

    fn patch_field(&mut self, name: &str, value: &Value) -> Result<(), Fault> {
        match name {
            "publish" => {
                self.publish = choice(value, "access.publish", &Who::NAMES, Who::Token)?;
            }
            "rate_per_address" => self.patch_rate(value)?,
            _ => return Err(unknown(&format!("access.{name}"))),
        }
        Ok(())
    }

    fn patch_rate(&mut self, value: &Value) -> Result<(), Fault> {
        for (name, value) in object(value, "access.rate_per_address")? {
            let field = format!("access.rate_per_address.{name}");
            match name.as_str() {
                "per_second" => {
                    let rate = float(value, &field, 0.001, RATE_MAX as f64)?;
                    self.per_second = rate.unwrap_or(DEFAULT.0);
                }
                "burst" => self.burst = uint(value, &field, 1, RATE_MAX)?.unwrap_or(DEFAULT.1),
                _ => return Err(unknown(&field)),
            }
        }
        Ok(())
    }

    /// In the shape a patch takes.
    #[must_use]
    pub(super) fn to_json(self) -> Value {
        json!({
            "publish": self.publish.name(),
            "rate_per_address": {"per_second": self.per_second, "burst": self.burst},
        })
    }
}

/// What of a topic is open to whom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopicAccess {
    /// As of a queue; the rate counts reads and connections, too.
    pub base: Access,
    /// Who may read, and follow.
    pub subscribe: Who,
}

impl Default for TopicAccess {
    fn default() -> Self {
        Self {
            base: Access::default(),
            subscribe: Who::Token,
        }
    }
}

impl TopicAccess {
    /// As [`Access::patch`].
    ///
    /// # Errors
    /// `bad-request` that names the field.
    pub(super) fn patch(&mut self, value: &Value) -> Result<(), Fault> {
        for (name, value) in object(value, "access")? {
            if name == "subscribe" {
                self.subscribe = choice(value, "access.subscribe", &Who::NAMES, Who::Token)?;
            } else {
                self.base.patch_field(name, value)?;
            }
        }
        Ok(())
    }

    /// In the shape a patch takes.
    #[must_use]
    pub(super) fn to_json(self) -> Value {
        let mut json = self.base.to_json();
        json["subscribe"] = self.subscribe.name().into();
        json
    }
}
