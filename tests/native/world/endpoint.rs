//! The endpoint that a queue pushes to, and what must hold of its calls: none for a message while
//! another is out, none after an answer that counted, no more at a time than there may be.

use super::{BELLS, Packet, World};
use std::collections::HashMap;
use tidegate::engine::outcome::Dispatch;

pub const TIMEOUT_MS: u64 = 1_000;
/// A call's lease: its time-out, and five seconds for what is around it.
const LEASE_MS: u64 = TIMEOUT_MS + 5_000;
pub const CONCURRENCY: usize = 3;

/// A call on its way to the endpoint.
#[derive(Clone, Debug)]
pub struct Ring {
    instance: u32,
    dispatch: std::rc::Rc<Dispatch>,
    /// When it was told, by the machine's clock.
    told_ms: u64,
}

/// What came back of it.
#[derive(Clone, Debug)]
pub struct Rung {
    instance: u32,
    number: u32,
    head: &'static str,
}

#[derive(Debug)]
struct Call {
    body: String,
    until_ms: u64,
    timeout_ms: u64,
    is_over: bool,
}

/// The judge of calls, by the queue's own clock.
#[derive(Debug, Default)]
pub struct Calls {
    calls: HashMap<(u32, u32), Call>,
    /// An answer that the next turn takes, if it is not rolled back.
    coming: Option<Rung>,
}

impl World {
    /// A turn of the queue that pushes was committed.
    pub(super) fn judge_calls(&mut self, instance: u32, now_ms: u64, started: &[Dispatch]) {
        if let Some(rung) = self.calls.coming.take()
            && let Some(call) = self.calls.calls.get_mut(&(rung.instance, rung.number))
            && !call.is_over
        {
            call.is_over = true;
            if rung.head.starts_with('2') && call.until_ms > now_ms {
                let body = call.body.clone();
                self.judge.taken(&body);
            }
        }
        for dispatch in started {
            let body = String::from_utf8_lossy(&dispatch.request.body).into_owned();
            let open = |until: fn(&Call) -> u64| {
                let calls = self.calls.calls.values();
                calls.filter(move |it| !it.is_over && until(it) > now_ms)
            };
            let held = open(|it| it.until_ms).filter(|it| it.body == body).count();
            let at_a_time = open(|it| it.timeout_ms).count();
            self.judge.called(&body, held);
            if at_a_time >= CONCURRENCY {
                let what = format!("{body}: one call more than {CONCURRENCY} at a time");
                self.judge.violations.push(what);
            }
            let call = Call {
                body,
                until_ms: now_ms + LEASE_MS,
                timeout_ms: now_ms + TIMEOUT_MS,
                is_over: false,
            };
            self.calls.calls.insert((instance, dispatch.number), call);
        }
    }

    /// A turn was rolled back, with the answer that it took.
    pub(super) fn calls_rolled_back(&mut self) {
        self.calls.coming = None;
    }

    pub(super) fn ring(&mut self, instance: u32, dispatches: Vec<Dispatch>) {
        let told_ms = self.now_ms;
        self.net.extend(dispatches.into_iter().map(|dispatch| {
            Packet::Ring(Ring {
                instance,
                dispatch: dispatch.into(),
                told_ms,
            })
        }));
    }

    /// A call is made, or comes too late for that; its answer is lost, or comes, perhaps twice.
    pub(super) fn rings(&mut self, ring: &Ring) {
        let Ring {
            instance,
            dispatch,
            told_ms,
        } = ring;
        let number = dispatch.number;
        let is_late = self.now_ms > told_ms + dispatch.send_within_ms;
        let fate = if self.is_calm {
            9
        } else {
            self.random.below(10)
        };
        let head = match fate {
            _ if is_late => "0\n0\nerror: late\n",
            0 => return,
            1 => "500\n5\n",
            2 => "0\n1000\nerror: timeout\n",
            3 => "429\n5\nretry-after: 1\n",
            4 => "0\n5\nerror: cut\n",
            _ => "204\n5\n",
        };
        let rung = Rung {
            instance: *instance,
            number,
            head,
        };
        for _ in 0..1 + u32::from(fate == 5) {
            self.net.push(Packet::Rung(rung.clone()));
        }
    }

    /// The queue hears what became of a call.
    pub(super) fn rung(&mut self, rung: Rung) {
        let node = &mut self.nodes[BELLS];
        if node.instance == rung.instance && node.dispatched(rung.number, rung.head) {
            self.calls.coming = Some(rung);
            let fault = self.fault();
            self.turn(BELLS, Vec::new(), fault);
        }
    }
}
