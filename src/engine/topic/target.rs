//! Where a durable subscription's messages go: what a request says of it, and what its own queue is
//! told.
//!
//! A subscription feeds a queue that was named, or one of its own. The own one is pulled, or it
//! pushes: then it has the `push` that stands in `target`, and everything of pushes is that queue's.
//! Which of the two kinds it is stays; between pulled and pushed it may change, since what was
//! handed on is in the same queue.

use crate::command::placement::check_name;
use crate::engine::config::{Config, object, text};
use crate::error::Fault;
use crate::push::config::PushConfig;
use crate::push::target::Reach;
use serde_json::{Map, Value};
use std::rc::Rc;

/// The field of a request that names it.
const FIELD: &str = "target";

/// What a request says.
pub enum TargetPatch {
    /// A queue of its own, that is pulled.
    Pull,
    /// The queue of this name.
    Queue(String),
    /// A queue of its own, that pushes: fields as those of a queue's `push`.
    Push(Value),
}

/// Checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// `None`: a queue of its own.
    pub queue: Option<String>,
    /// What that one calls.
    pub push: Option<Rc<PushConfig>>,
}

impl TargetPatch {
    /// Reads the field's value.
    ///
    /// # Errors
    /// `bad-request` that names the field.
    pub fn read(value: &Value) -> Result<Self, Fault> {
        if value.is_null() {
            return Ok(Self::Pull);
        }
        let fields = object(value, FIELD)?;
        let queue = fields.get("queue").filter(|it| !it.is_null());
        let Some(queue) = queue else {
            let mut fields: Map<String, Value> = fields.clone();
            fields.remove("queue");
            return Ok(Self::Push(Value::Object(fields)));
        };
        if let Some(name) = fields.keys().find(|name| *name != "queue") {
            let detail = "a target is {\"queue\": name}, or what a push is, {\"url\": …}, not both";
            return Err(Fault::bad(format!("{FIELD}.{name}"), detail));
        }
        let name = text(queue, "target.queue")?.unwrap_or_default();
        check_name(&name, "target.queue")?;
        Ok(Self::Queue(name))
    }
}

impl Target {
    /// What is kept of a push: as [`PushConfig::stored`] wrote it.
    ///
    /// # Errors
    /// `bad-request` for what it did not write.
    pub fn read_push(stored: &Value) -> Result<Option<Rc<PushConfig>>, Fault> {
        Ok(PushConfig::patched(None, stored, FIELD)?.map(Rc::new))
    }

    /// What a new subscription begins with.
    ///
    /// # Errors
    /// `bad-request` that names the field.
    pub fn new(patch: Option<&TargetPatch>, reach: &Reach) -> Result<Self, Fault> {
        match patch {
            None | Some(TargetPatch::Pull) => Ok(Self::default()),
            Some(TargetPatch::Queue(name)) => Ok(Self {
                queue: Some(name.clone()),
                push: None,
            }),
            Some(TargetPatch::Push(fields)) => Self::default().pushing(fields, reach),
        }
    }

    /// What becomes of that of a subscription that is there.
    ///
    /// # Errors
    /// `bad-request` that names the field.
    pub fn patched(&self, patch: Option<&TargetPatch>, reach: &Reach) -> Result<Self, Fault> {
        match (patch, &self.queue) {
            (None, _) => Ok(self.clone()),
            (Some(TargetPatch::Queue(name)), Some(queue)) if name == queue => Ok(self.clone()),
            (Some(TargetPatch::Pull), None) => Ok(Self::default()),
            (Some(TargetPatch::Push(fields)), None) => self.pushing(fields, reach),
            (Some(_), _) => {
                let detail = "a subscription keeps the queue it feeds, its own or another one; \
                              delete it and create another subscription";
                Err(Fault::bad(FIELD, detail))
            }
        }
    }

    fn pushing(&self, fields: &Value, reach: &Reach) -> Result<Self, Fault> {
        let push = PushConfig::patched(self.push.as_deref(), fields, FIELD)?;
        if let Some(push) = &push {
            if let Some(name) = &push.events_queue {
                check_name(name, "target.events_queue")?;
            }
            push.target.check(reach).map_err(|why| {
                let field = format!("{FIELD}.{}", push.target.field());
                Fault::bad(field.as_str(), format!("{field}: {why}"))
            })?;
        }
        Ok(Self {
            queue: None,
            push: push.map(Rc::new),
        })
    }
}

/// What a subscription's own queue is configured with. One that is paused calls nothing: it has no
/// push meanwhile.
pub fn own_queue_patch(delivery: Option<&str>, push: Option<&PushConfig>, paused: bool) -> String {
    let default;
    let delivery = match delivery {
        Some(delivery) => delivery,
        None => {
            let all = Config::default().to_json();
            default = all
                .get("delivery")
                .map_or("{}".to_owned(), Value::to_string);
            &default
        }
    };
    let push = push
        .filter(|_| !paused)
        .map_or(Value::Null, PushConfig::stored);
    format!("{{\"delivery\":{delivery},\"push\":{push}}}")
}
