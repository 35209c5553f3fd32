//! What must hold, held against what was committed. It shares nothing with the engine but the
//! documents that clients get.

use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// How long a refusal may be repeated.
const VERDICT_MS_MAX: u64 = 1_000;
/// The status of a refusal that only says that too much is waiting.
const OVERLOADED: u16 = 503;

/// A message as its publisher knows it; its body is its name.
#[derive(Debug, Default)]
struct Message {
    /// Whether it was published under an idempotency key: then it is there once.
    once: bool,
    /// How many of it were accepted: each has an identifier of its own.
    accepted: HashSet<String>,
    acked: usize,
    /// What was decided before it was accepted, by number.
    accepted_after: usize,
}

/// A refusal for everybody, by an object.
#[derive(Debug)]
struct Refusal {
    number: usize,
    now_ms: u64,
}

#[derive(Debug)]
struct Lease {
    node: usize,
    body: String,
    key: Option<String>,
    until_ms: u64,
    is_over: bool,
}

#[derive(Debug, Default)]
pub struct Judge {
    messages: BTreeMap<String, Message>,
    leases: HashMap<String, Lease>,
    /// The identifiers that a node gave out.
    ids: HashMap<(usize, String), String>,
    /// The largest number that was handed out of a node's key.
    first_seen: HashMap<(usize, String), (u64, HashSet<u64>)>,
    /// What each node's clock says.
    pub clocks: Vec<u64>,
    /// The node that keeps the order of each key.
    ordered: usize,
    pub deliveries: usize,
    /// Those that may still be repeated, and how many there were.
    refusals: Vec<Refusal>,
    refused: usize,
    pub repeated: usize,
    pub violations: Vec<String>,
}

/// What was asked to end or prolong a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    Ack,
    Retry,
}

impl Judge {
    /// Of so many nodes, one of which keeps the order of each key.
    pub fn new(nodes: usize, ordered: usize) -> Self {
        Self {
            ordered,
            clocks: vec![0; nodes],
            ..Self::default()
        }
    }

    fn violated(&mut self, what: String) {
        self.violations.push(what);
    }

    pub fn accepted_at(&self, node: usize) -> usize {
        self.ids.keys().filter(|(at, _)| *at == node).count()
    }

    pub fn published(&mut self, node: usize, body: &str, once: bool, answer: &Value) {
        let id = answer["id"].as_str().unwrap().to_owned();
        let message = self.messages.entry(body.to_owned()).or_default();
        message.once = once;
        if message.accepted.is_empty() {
            message.accepted_after = self.refused;
        }
        message.accepted.insert(id.clone());
        if once && message.accepted.len() > 1 {
            let ids = message.accepted.clone();
            self.violated(format!("{body} has two places under one key: {ids:?}"));
        }
        if let Some(other) = self.ids.insert((node, id.clone()), body.to_owned())
            && other != body
        {
            self.violated(format!("{other} and {body} are both {id}"));
        }
    }

    /// An object refuses a publish because it would refuse everybody.
    pub fn refused(&mut self, body: &str, once: bool, now_ms: u64) {
        self.refused += 1;
        let number = self.refused;
        self.refusals.push(Refusal { number, now_ms });
        if once
            && self
                .messages
                .get(body)
                .is_some_and(|it| !it.accepted.is_empty())
        {
            self.violated(format!("{body} was refused after it was accepted"));
        }
    }

    /// Somebody who was told repeats it: for a second at most, and to nobody who was accepted
    /// before it was said.
    pub fn repeated(&mut self, body: &str, status: u16, now_ms: u64, by: &str) {
        if status == OVERLOADED {
            return;
        }
        self.repeated += 1;
        let since = |it: &&Refusal| it.now_ms + VERDICT_MS_MAX > now_ms;
        let message = self.messages.get(body);
        let accepted = message.filter(|it| it.once && !it.accepted.is_empty());
        let accepted_after = accepted.map_or(usize::MAX, |it| it.accepted_after);
        let mut said = self.refusals.iter().filter(since);
        if said.clone().next().is_none() {
            let last = self.refusals.last().map(|it| it.now_ms);
            self.violated(format!(
                "{body} was refused with {status} by {by} at {now_ms}, and that was said at {last:?}"
            ));
        } else if !said.any(|it| it.number <= accepted_after) {
            self.violated(format!(
                "{body} was refused from memory after it was accepted"
            ));
        }
    }

    /// What was said more than a second ahead of the clock is repeated no more.
    pub fn clock_went_back(&mut self, now_ms: u64) {
        self.refusals
            .retain(|it| it.now_ms <= now_ms + VERDICT_MS_MAX);
    }

    /// A call of the endpoint was answered in time: its message is done.
    pub fn taken(&mut self, body: &str) {
        if let Some(message) = self.messages.get_mut(body) {
            message.acked += 1;
        }
    }

    /// The endpoint is called for a message, for which so many calls are out.
    pub fn called(&mut self, body: &str, held: usize) {
        self.deliveries += 1;
        let Some(message) = self.messages.get(body) else {
            return self.violated(format!("{body} was called for and never accepted"));
        };
        let (accepted, acked) = (message.accepted.len(), message.acked);
        if acked >= accepted {
            self.violated(format!("{body} was called for after it was done"));
        } else if acked + held >= accepted {
            self.violated(format!("{body} is called for twice at a time"));
        }
    }

    pub fn pulled(&mut self, node: usize, now_ms: u64, lease_ms: u64, answer: &Value) {
        let mut together = HashSet::new();
        for it in answer["messages"].as_array().unwrap() {
            let text = |name: &str| it[name].as_str().map(str::to_owned);
            let (body, lease, key) = (
                text("body").unwrap(),
                text("lease_id").unwrap(),
                text("key"),
            );
            let seq = it["seq"].as_u64().unwrap();
            self.deliveries += 1;
            self.judge_delivery(&body);
            if let (Some(key), true) = (&key, self.ordered == node) {
                self.judge_order(node, now_ms, key, seq, &together);
            }
            together.insert(lease.clone());
            let until_ms = now_ms + lease_ms;
            let given = Lease {
                node,
                body,
                key,
                until_ms,
                is_over: false,
            };
            if self.leases.insert(lease.clone(), given).is_some() {
                self.violated(format!("lease {lease} was given twice"));
            }
        }
    }

    /// It was accepted, not all of it is done, and no more leases of it are held than there are.
    fn judge_delivery(&mut self, body: &str) {
        let Some(message) = self.messages.get(body) else {
            return self.violated(format!("{body} was handed out and never accepted"));
        };
        let (accepted, acked) = (message.accepted.len(), message.acked);
        let held = self
            .leases
            .values()
            .filter(|it| it.body == body && !it.is_over)
            .filter(|it| it.until_ms > self.clocks[it.node])
            .count();
        if acked >= accepted {
            self.violated(format!("{body} was handed out after its acknowledgement"));
        } else if acked + held >= accepted {
            self.violated(format!("{body} is leased to two at a time"));
        }
    }

    /// Nobody holds another message of its key, and none after it was handed out before it.
    fn judge_order(
        &mut self,
        node: usize,
        now_ms: u64,
        key: &str,
        seq: u64,
        together: &HashSet<String>,
    ) {
        let held = self.leases.iter().find(|(lease, it)| {
            let is_held = it.node == node && !it.is_over && it.until_ms > now_ms;
            is_held && it.key.as_deref() == Some(key) && !together.contains(*lease)
        });
        if let Some((_, held)) = held {
            let what = format!("{key} {seq} was handed out while {held:?} was held at {now_ms}");
            return self.violated(what);
        }
        let (last, seen) = self.first_seen.entry((node, key.to_owned())).or_default();
        if seen.insert(seq) {
            let before = std::mem::replace(last, seq.max(*last));
            if before > seq {
                self.violated(format!("{key}: {seq} came after {before}"));
            }
        }
    }

    pub fn settled(&mut self, now_ms: u64, entries: &[(String, Settle)], answer: &Value) {
        let refused: HashSet<&str> = answer["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["lease_id"].as_str().unwrap())
            .collect();
        for (lease, how) in entries {
            let Some(known) = self.leases.get_mut(lease) else {
                continue;
            };
            let is_valid = !known.is_over && known.until_ms > now_ms;
            let body = known.body.clone();
            if refused.contains(&lease[..]) {
                if is_valid {
                    self.violated(format!("a valid lease of {body} was refused"));
                }
                continue;
            }
            known.is_over = true;
            if !is_valid {
                self.violated(format!(
                    "{how:?} of {body} counted under a lease that was over"
                ));
            }
            if let (Settle::Ack, Some(message)) = (how, self.messages.get_mut(&body)) {
                message.acked += 1;
            }
        }
    }

    /// At the end everything that was accepted was handed out and acknowledged.
    pub fn finish(&mut self) {
        let lost = self.messages.iter().filter_map(|(body, it)| {
            let (accepted, acked) = (it.accepted.len(), it.acked);
            (accepted != acked).then(|| format!("{body}: {accepted} accepted, {acked} done"))
        });
        let lost: Vec<String> = lost.collect();
        self.violations.extend(lost);
    }
}
