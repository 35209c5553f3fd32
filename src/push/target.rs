//! What a push calls: a URL, or a Worker or Cloudflare Queue that is bound to the deployment.
//!
//! Bindings are the operator's: a configuration names one, and only those that a setting offers.
//! They lead to no address, so there is nothing about them for `endpoint` to guard.

use super::endpoint::{self, URL_CHARS_MAX};
use crate::error::Fault;
use crate::limits::BINDING_NAME_CHARS_MAX;
use crate::wire::binding;
use serde_json::{Map, Value, json};

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An endpoint of HTTP.
    Url(String),
    /// A service binding, called as an endpoint is.
    Worker(String),
    /// The producer's binding of a Cloudflare Queue.
    Queue(String),
}

/// What a deployment lets pushes call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Whether endpoints on private networks may be called, and without TLS.
    pub allows_private: bool,
    /// Service bindings: the setting `PUSH_WORKERS`.
    pub workers: Vec<String>,
    /// Producers' bindings: the setting `PUSH_QUEUES`.
    pub queues: Vec<String>,
}

type Make = fn(String) -> Target;
const KINDS: [(&str, Make); 3] = [
    ("url", Target::Url),
    ("worker", Target::Worker),
    ("cloudflare_queue", Target::Queue),
];

/// Whether a field of a push names what it calls.
#[must_use]
pub fn is_field(name: &str) -> bool {
    KINDS.iter().any(|(known, _)| *known == name)
}

/// What a patch at `place` names as what is called, `old` where it names nothing else.
///
/// # Errors
/// `bad-request` that names the field.
pub fn patched(
    old: Option<&Target>,
    fields: &Map<String, Value>,
    place: &str,
) -> Result<Target, Fault> {
    let mut named: Option<Target> = None;
    let mut kept = old;
    for (name, make) in KINDS {
        let field = format!("{place}.{name}");
        match fields.get(name) {
            None => {}
            Some(Value::Null) => kept = kept.filter(|target| target.field() != name),
            Some(_) if named.is_some() => {
                let detail = "a push calls one of url, worker and cloudflare_queue";
                return Err(Fault::bad(field, detail));
            }
            Some(value) => named = Some(read(value, &field, make)?),
        }
    }
    named.or_else(|| kept.cloned()).ok_or_else(|| {
        let detail = "push needs what is called: a url, a worker or a cloudflare_queue";
        Fault::bad(format!("{place}.url"), detail)
    })
}

/// Its form alone: whether it may be called depends on the deployment.
fn read(value: &Value, field: &str, make: Make) -> Result<Target, Fault> {
    let bad = |why: String| Fault::bad(field, format!("{field}: {why}"));
    let target = make(value.as_str().unwrap_or_default().to_owned());
    match &target {
        Target::Url(_) if !value.is_string() => Err(bad(format!(
            "this is a URL of at most {URL_CHARS_MAX} characters"
        ))),
        Target::Url(url) => endpoint::check(url, true).map_err(|why| bad(why.to_owned())),
        Target::Worker(name) | Target::Queue(name) if binding::is_name(name) => Ok(()),
        Target::Worker(_) | Target::Queue(_) => Err(bad(format!(
            "the name of a binding: letters, digits and _, at most {BINDING_NAME_CHARS_MAX} characters"
        ))),
    }?;
    Ok(target)
}

impl Reach {
    /// What the settings `PUSH_WORKERS` and `PUSH_QUEUES` list, and `ALLOW_PRIVATE_TARGETS`. What
    /// is wrong with them the edge says, to every request.
    #[must_use]
    pub fn new(allows_private: bool, workers: &str, queues: &str) -> Self {
        Self {
            allows_private,
            workers: binding::names(workers).unwrap_or_default(),
            queues: binding::names(queues).unwrap_or_default(),
        }
    }
}

impl Target {
    /// The field that names it.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::Url(_) => "url",
            Self::Worker(_) => "worker",
            Self::Queue(_) => "cloudflare_queue",
        }
    }

    /// What that field says.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Url(name) | Self::Worker(name) | Self::Queue(name) => name,
        }
    }

    /// As the host is told, which calls URLs as they are.
    #[must_use]
    pub fn uri(&self) -> String {
        match self {
            Self::Url(url) => url.clone(),
            Self::Worker(name) => format!("worker:{name}"),
            Self::Queue(name) => format!("queue:{name}"),
        }
    }

    /// Adds itself to a push's fields.
    pub fn store(&self, push: &mut Value) {
        push[self.field()] = json!(self.name());
    }

    /// Whether a deployment lets it be called.
    ///
    /// # Errors
    /// A sentence on why not.
    pub fn check(&self, reach: &Reach) -> Result<(), String> {
        match self {
            Self::Url(url) => endpoint::check(url, reach.allows_private).map_err(str::to_owned),
            Self::Worker(name) => is_offered(name, &reach.workers, "PUSH_WORKERS"),
            Self::Queue(name) => is_offered(name, &reach.queues, "PUSH_QUEUES"),
        }
    }
}

fn is_offered(name: &str, offered: &[String], setting: &str) -> Result<(), String> {
    if offered.iter().any(|it| it == name) {
        return Ok(());
    }
    Err(format!(
        "the deployment has no binding {name} for pushes; its setting {setting} lists those it has"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(old: Option<&Target>, patch: Value) -> Result<Target, String> {
        let fields = patch.as_object().cloned().unwrap_or_default();
        patched(old, &fields, "push").map_err(|fault| fault.figures.field.unwrap_or_default())
    }

    #[test]
    fn one_is_named_and_another_takes_its_place() {
        let url = Target::Url("https://example.com/".to_owned());
        let worker = Target::Worker("BILLING".to_owned());
        assert_eq!(target(None, json!({"url": url.name()})), Ok(url.clone()));
        assert_eq!(target(Some(&url), json!({})), Ok(url.clone()));
        for patch in [
            json!({"worker": "BILLING"}),
            json!({"url": null, "worker": "BILLING"}),
        ] {
            assert_eq!(target(Some(&url), patch), Ok(worker.clone()));
        }
        for (patch, field) in [
            (json!({"url": null}), "push.url"),
            (
                json!({"url": "https://example.com/", "worker": "A"}),
                "push.worker",
            ),
            (
                json!({"worker": "A", "cloudflare_queue": "B"}),
                "push.cloudflare_queue",
            ),
            (json!({"worker": "a b"}), "push.worker"),
            (json!({"worker": 1}), "push.worker"),
            (json!({"worker": ""}), "push.worker"),
            (
                json!({"cloudflare_queue": "https://x"}),
                "push.cloudflare_queue",
            ),
        ] {
            let named = target(Some(&url), patch.clone());
            assert_eq!(named, Err(field.to_owned()), "{patch}");
        }
    }

    #[test]
    fn only_what_is_offered_may_be_called() {
        let reach = Reach {
            workers: vec!["A".to_owned()],
            queues: vec!["B".to_owned()],
            ..Reach::default()
        };
        let checked = |target: Target| target.check(&reach).is_ok();
        assert!(checked(Target::Worker("A".to_owned())));
        assert!(checked(Target::Queue("B".to_owned())));
        // Each kind has bindings of its own, and none of the deployment's may be named.
        assert!(!checked(Target::Worker("B".to_owned())));
        assert!(!checked(Target::Queue("A".to_owned())));
        assert!(!checked(Target::Worker("OUTBOUND".to_owned())));
        assert!(!checked(Target::Url("http://127.0.0.1/".to_owned())));
    }
}
