//! What a request's credentials allow.

use super::route::Needs;
use crate::command::Draft;
use crate::command::scope::{EVERYTHING, Scope, Verb, covers};
use crate::error::{ErrorCode, Fault};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use std::rc::Rc;

/// What somebody may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Whether it is everything: the deployment's own token, or a server that is open.
    pub everything: bool,
    /// What it is otherwise.
    pub scopes: Vec<Scope>,
    /// The only `Tidegate-Key` that publishes may have.
    pub key: Option<String>,
    /// Until when; `None`: for good.
    pub expires_at_ms: Option<Millis>,
    /// Whether it is nobody's, for a queue or topic that says it is for everybody.
    #[serde(default)]
    pub anonymous: bool,
}

/// Anybody's, for such a queue or topic.
pub static ANYBODY: Grant = Grant {
    everything: false,
    scopes: Vec::new(),
    key: None,
    expires_at_ms: None,
    anonymous: true,
};

/// Nobody's: for what is open to all.
pub static NOTHING: Grant = Grant {
    everything: false,
    scopes: Vec::new(),
    key: None,
    expires_at_ms: None,
    anonymous: false,
};

/// All of it.
pub static ALL: Grant = Grant {
    everything: true,
    scopes: Vec::new(),
    key: None,
    expires_at_ms: None,
    anonymous: false,
};

/// What a request holds in its hands: one of those above, or a token's.
#[derive(Clone, Debug)]
pub enum Held {
    /// The same for everybody.
    Fixed(&'static Grant),
    /// A token's.
    Own(Rc<Grant>),
}

impl Deref for Held {
    type Target = Grant;

    fn deref(&self) -> &Grant {
        match self {
            Self::Fixed(grant) => grant,
            Self::Own(grant) => grant,
        }
    }
}

impl Grant {
    /// Whether any of `verbs` is allowed for `name`, a name or a pattern of names.
    #[must_use]
    pub fn allows(&self, verbs: &[Verb], name: &str) -> bool {
        let allows = |scope: &Scope| verbs.contains(&scope.verb) && covers(&scope.pattern, name);
        self.everything || self.scopes.iter().any(allows)
    }

    /// Lets a request for `name` through, or says which scope it lacks.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn check(&self, needs: Needs, name: Option<&str>) -> Result<(), Fault> {
        match (needs, name) {
            (Needs::Nothing | Needs::SetUp | Needs::AnyToken, _) => Ok(()),
            (Needs::One(verbs) | Needs::OrPublic(verbs), Some(name)) => {
                self.check_verbs(verbs, name)
            }
            // Of everything, or of a path that names nothing.
            (Needs::One(verbs) | Needs::OrPublic(verbs), None) | (Needs::All(verbs), _) => {
                self.check_verbs(verbs, EVERYTHING)
            }
        }
    }

    /// As [`Self::check`], for something that a body or a frame names.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn check_verbs(&self, verbs: &[Verb], name: &str) -> Result<(), Fault> {
        if self.allows(verbs, name) {
            return Ok(());
        }
        let wanted: Vec<_> = verbs
            .iter()
            .map(|it| format!("{}:{name}", it.name()))
            .collect();
        let wanted = wanted.join(" or ");
        let detail = format!("the token's scope does not allow this; it takes {wanted}");
        Err(Fault::new(ErrorCode::Forbidden, detail))
    }

    /// The patterns of names that one of `verbs` is allowed for; `None`: all of them.
    #[must_use]
    pub fn patterns(&self, verbs: &[Verb]) -> Option<Vec<&str>> {
        let scopes = self.scopes.iter().filter(|it| verbs.contains(&it.verb));
        let mut patterns: Vec<_> = scopes.map(|it| it.pattern.as_str()).collect();
        patterns.sort_unstable();
        patterns.dedup();
        (!self.everything && !patterns.contains(&EVERYTHING)).then_some(patterns)
    }

    /// A publish under these credentials: with the key they are for, where they are for one.
    ///
    /// # Errors
    /// `forbidden` for another key.
    pub fn bind<'a>(&'a self, mut draft: Draft<'a>) -> Result<Draft<'a>, Fault> {
        let Some(own) = self.key.as_deref() else {
            return Ok(draft);
        };
        if draft.key.is_some_and(|given| given != own) {
            let detail = "the token is for another key than this publish has";
            let fault = Fault::new(ErrorCode::Forbidden, detail);
            return Err(fault.with(|figures| figures.field = Some("Tidegate-Key".to_owned())));
        }
        draft.key = Some(own);
        Ok(draft)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(scopes: &str) -> Grant {
        let scopes = scopes.split(' ').filter_map(Scope::parse).collect();
        Grant {
            scopes,
            ..Grant::default()
        }
    }

    #[test]
    fn a_verb_allows_no_other() {
        let it = grant("publish:orders consume:orders");
        assert!(it.allows(&[Verb::Publish], "orders") && !it.allows(&[Verb::Manage], "orders"));
        assert!(!it.allows(&[Verb::Publish], "orders/eu") && !NOTHING.allows(&Verb::ALL, "a"));
        let fault = it
            .check_verbs(&[Verb::Consume, Verb::Manage], "other")
            .unwrap_err();
        assert!(fault.code == ErrorCode::Forbidden);
        assert!(
            fault.detail.ends_with("consume:other or manage:other"),
            "{}",
            fault.detail
        );
        assert!(ALL.allows(&[Verb::Manage], "a") && ALL.patterns(&[]).is_none());
        assert_eq!(it.patterns(&[Verb::Consume]), Some(vec!["orders"]));
        assert_eq!(it.patterns(&[Verb::Observe]), Some(vec![]));
    }

    #[test]
    fn a_key_binds() {
        let bound = Grant {
            key: Some("anna".into()),
            ..Grant::default()
        };
        let with = |key| Draft {
            key,
            ..Draft::default()
        };
        assert_eq!(bound.bind(with(None)), Ok(with(Some("anna"))));
        assert_eq!(bound.bind(with(Some("anna"))), Ok(with(Some("anna"))));
        assert_eq!(
            bound.bind(with(Some("bert"))).unwrap_err().code,
            ErrorCode::Forbidden
        );
        assert_eq!(NOTHING.bind(with(Some("bert"))), Ok(with(Some("bert"))));
    }
}
