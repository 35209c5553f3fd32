//! The relays of locations and regions: the production code of each behind a line and a time for
//! its work, as the host runs it.

use super::isolates::Asker;
use super::random::Random;
use super::settings::{MS, SECOND, START_MS, Settings, Us};
use super::world::{Event, World};
use std::collections::VecDeque;
use tidegate::protocol::http::{Response, joined};
use tidegate::relay::{Outcome, Relay, Step};

/// Regions that the platform can place objects in.
pub const REGIONS: usize = 9;
const TURN_CALLS_MAX: usize = 256;
const LINE_CALLS_MAX: usize = 4_096;
/// How long a relay is gone when it is thrown out of memory.
const RESTART_US: Us = 300 * MS;

/// When a refusal was decided that a relay repeats, and whether it decided to.
type Repeated = Option<(Us, bool)>;

/// Who takes calls: the object, a region's relay, a location's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    Object,
    Region(u16),
    Location(u16),
}

/// A call, from whoever makes it to whoever takes it.
pub struct Call {
    pub asker: Asker,
    pub commands: Vec<Vec<u8>>,
    pub shared: bool,
}

/// What comes back of a call.
pub enum Answer {
    Response(Response),
    /// It was never taken: the line was full.
    Overloaded,
    /// Nobody knows.
    Lost,
}

/// One relay.
pub struct Post {
    name: String,
    relay: Relay,
    line: VecDeque<Call>,
    /// Calls that were taken and have no answer yet, by their token.
    open: Vec<(u32, Asker)>,
    token: u32,
    busy: bool,
    pub down: bool,
    /// Counts crashes: what belongs to an earlier one is gone.
    pub epoch: u32,
    timer_us: Us,
    skew_ms: i64,
    /// Calls in this second, and the most there were in any.
    second: (Us, u64),
    pub most: u64,
    round_trip_us: f64,
}

/// All relays.
pub struct Relays {
    posts: Vec<Post>,
}

impl Relays {
    pub fn new(settings: &Settings) -> Self {
        let mut random = Random::new(settings.seed ^ 0x5E1A);
        let mut post = |name: String, (low, high): (f64, f64)| Post {
            relay: Relay::new(&name),
            name,
            line: VecDeque::new(),
            open: Vec::new(),
            token: 0,
            busy: false,
            down: false,
            epoch: 0,
            timer_us: Us::MAX,
            skew_ms: random.between(-settings.skew_ms, settings.skew_ms) as i64,
            second: (0, 0),
            most: 0,
            round_trip_us: random.between(low, high) * MS as f64,
        };
        let regions = (0..REGIONS).map(|n| post(format!("drop#0@r{n}"), settings.round_trip_ms));
        let mut posts: Vec<Post> = regions.collect();
        let locations = (0..settings.locations).map(|n| {
            post(
                format!("drop#0@r{}/L{n}", n % REGIONS),
                settings.to_region_ms,
            )
        });
        posts.extend(locations);
        Self { posts }
    }

    pub fn post(&mut self, node: Node) -> &mut Post {
        let at = match node {
            Node::Region(n) => usize::from(n),
            Node::Location(n) => REGIONS + usize::from(n),
            Node::Object => unreachable!("the object is no relay"),
        };
        &mut self.posts[at]
    }

    /// The most calls that one took in a second: of the locations, of the regions.
    pub fn load(&self) -> [u64; 2] {
        let most = |posts: &[Post]| posts.iter().map(|it| it.most).max().unwrap_or(0);
        [most(&self.posts[REGIONS..]), most(&self.posts[..REGIONS])]
    }
}

impl Post {
    fn count(&mut self, now_us: Us) {
        let second = now_us / SECOND;
        if self.second.0 != second {
            self.second = (second, 0);
        }
        self.second.1 += 1;
        self.most = self.most.max(self.second.1);
    }

    fn now_ms(&self, now_us: Us) -> u64 {
        (START_MS + now_us / MS).saturating_add_signed(self.skew_ms)
    }
}

impl Node {
    /// Whom this relay asks.
    pub fn above(self) -> Self {
        match self {
            Self::Location(n) => Self::Region(n % REGIONS as u16),
            Self::Region(_) | Self::Object => Self::Object,
        }
    }
}

impl World {
    /// A call has arrived at a relay.
    pub fn arrive_at_relay(&mut self, node: Node, call: Call) {
        let now_us = self.now_us;
        let post = self.relays.post(node);
        post.count(now_us);
        if post.down {
            return self.send_back(node, call.asker, Answer::Lost);
        }
        if post.line.len() >= LINE_CALLS_MAX {
            return self.send_back(node, call.asker, Answer::Overloaded);
        }
        post.line.push_back(call);
        self.turn_relay(node);
    }

    /// The answer to a relay's own call.
    pub fn answer_relay(&mut self, node: Node, epoch: u32, number: u32, answer: &Answer) {
        let post = self.relays.post(node);
        if post.epoch != epoch {
            return;
        }
        let (outcome, body) = match answer {
            Answer::Response(it) if it.status == 200 => (Outcome::Answered, it.body.as_slice()),
            Answer::Overloaded => (Outcome::Overloaded, [].as_slice()),
            Answer::Response(_) | Answer::Lost => (Outcome::Failed, [].as_slice()),
        };
        post.relay.called(number, outcome, body);
        post.timer_us = self.now_us;
        self.turn_relay(node);
    }

    pub fn wake_relay(&mut self, node: Node) {
        self.turn_relay(node);
    }

    /// Runs a turn of a relay, unless one is under way or there is nothing to do.
    fn turn_relay(&mut self, node: Node) {
        let now_us = self.now_us;
        let settings = (
            self.settings.turn_us,
            self.settings.call_us,
            self.settings.relay_message_us,
        );
        let post = self.relays.post(node);
        if post.busy || post.down || (post.line.is_empty() && now_us < post.timer_us) {
            return;
        }
        let mut work_us = settings.0;
        for call in post.line.drain(..post.line.len().min(TURN_CALLS_MAX)) {
            work_us += settings.1 + call.commands.len() as u64 * settings.2;
            post.token = post.token.wrapping_add(1);
            post.relay
                .push_shared(post.token, call.commands.into_iter());
            post.open.push((post.token, call.asker));
        }
        let now_ms = post.now_ms(now_us);
        let step = post.relay.run(now_ms);
        let is_last = matches!(node, Node::Location(_));
        post.busy = true;
        post.timer_us = Us::MAX;
        if let Some(at_ms) = step.timer_at_ms {
            post.timer_us = now_us + (at_ms.saturating_sub(now_ms).max(1)) * MS;
            self.agenda.note(post.timer_us, Event::Wake(node));
        }
        let epoch = post.epoch;
        for (_, response) in &step.replies {
            self.note_repeated(response, is_last);
        }
        let done = Event::RelayDone(node, epoch, Box::new(step));
        self.agenda.note(now_us + work_us, done);
    }

    /// A relay's turn is over: its answers leave, and its call.
    pub fn relay_done(&mut self, node: Node, epoch: u32, step: Step) {
        let now_us = self.now_us;
        let post = self.relays.post(node);
        if post.epoch != epoch {
            return;
        }
        post.busy = false;
        let mut answers = Vec::with_capacity(step.replies.len());
        for (token, response) in step.replies {
            let at = post.open.iter().position(|(known, _)| *known == token);
            if let Some(at) = at {
                answers.push((post.open.swap_remove(at).1, response));
            }
        }
        for (asker, response) in answers {
            self.send_back(node, asker, Answer::Response(response));
        }
        if let Some(call) = step.call {
            let asker = Asker::Relay(node, epoch, call.number);
            let (commands, shared) = (call.commands, true);
            self.send(
                node.above(),
                Call {
                    asker,
                    commands,
                    shared,
                },
            );
        }
        let post = self.relays.post(node);
        if !post.line.is_empty() || post.timer_us <= now_us {
            self.turn_relay(node);
        }
    }

    /// Looks at the refusals that a relay repeats; the last one before the isolate counts them.
    fn note_repeated(&mut self, response: &Response, is_last: bool) {
        let Some(answers) = joined::split(&response.body) else {
            return;
        };
        let mut last: Option<(&[u8], Repeated)> = None;
        for answer in answers {
            let decided = match last {
                Some((same, decided)) if std::ptr::eq(same, answer) => decided,
                _ => super::backend::repeated_from(answer),
            };
            last = Some((answer, decided));
            if let Some((decided_us, is_own)) = decided {
                self.figures.bucket(self.now_us).refused_by_relay += u64::from(is_last);
                if is_own {
                    self.ledger.refused_by_edge(self.now_us, decided_us);
                }
            }
        }
    }

    /// How long something is on its way to or from a relay or the object.
    pub fn way_us(&mut self, node: Node, asker: &Asker) -> Us {
        match (asker, node) {
            (Asker::Relay(from, ..), _) => {
                let round_trip_us = self.relays.post(*from).round_trip_us;
                self.earth.way_us(round_trip_us)
            }
            (_, Node::Object) => self.earth.travel_us(asker.isolate()),
            _ => {
                let (low, high) = self.settings.to_relay_ms;
                let round_trip_us = self.random.between(low, high) * MS as f64;
                self.earth.way_us(round_trip_us)
            }
        }
    }

    /// A relay is thrown out of memory, with all that waits in it.
    pub fn crash_relay(&mut self, node: Node) {
        self.figures.relay_crashes += 1;
        let post = self.relays.post(node);
        post.epoch += 1;
        post.relay = Relay::new(&post.name);
        (post.busy, post.down, post.timer_us) = (false, true, Us::MAX);
        let mut gone: Vec<Asker> = post.open.drain(..).map(|(_, asker)| asker).collect();
        gone.extend(post.line.drain(..).map(|call| call.asker));
        for asker in gone {
            self.send_back(node, asker, Answer::Lost);
        }
        self.agenda
            .note(self.now_us + RESTART_US, Event::RelayBack(node));
    }
}
