//! The draw: who gets the places there are, by lot.
//!
//! With `capacity.admission` `draw`, publishes before `draw_at_ms` join the line and take part. At
//! that instant as many are drawn as there is room for: those with the smallest ranks, a rank being
//! SHA-256 of the draw's seed and the text of the message's identifier. The seed is made when the
//! draw is configured; its hash is published at once and the seed itself after the draw, so that
//! anyone can check both.
//!
//! A million participants are no long turn: the ranks are gone through twice, in steps, first to
//! count them by their first two bytes, then to find the last winner among those that share them.
//! The steps are in memory only; what they depend on (who takes part, the room, the seed) is stored
//! before the first, so that a restart finds the same winners. The outcome is one number, the
//! largest rank that wins: nothing is written for those who lose. Out of scope: admission itself,
//! see `line.rs`.

use super::config::Config;
use super::line::PAGE_ROWS;
use super::queue::{Queue, Turn};
use super::segment::{Item, LINE, Segment};
use super::segments::Segments;
use crate::command::reply::{DrawFigures, Drawn};
use crate::error::{ErrorCode, Fault};
use crate::id::{Id, Secret};
use crate::limits::{DRAWN_PER_TURN_MAX, DRAWS_MAX};
use crate::store::{StoreError, meta};
use crate::time::{Millis, SECOND};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Version of the stored form.
const VERSION: u8 = 1;
/// Where the draws stand in `meta`.
pub(super) const META: &str = "draws";
/// Ranks are counted by so many values of their first two bytes.
const BUCKETS: usize = 1 << 16;

/// What a participant is drawn by: the smallest win.
pub type Rank = [u8; 32];

/// One draw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    at_ms: Millis,
    seed: [u8; 32],
    /// Those who joined from this sequence number on take part.
    from_seq: u64,
    phase: Phase,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Pending,
    /// Who takes part (those before `to_seq` whose time was not over then) and how much room there
    /// is are settled.
    Running {
        begun_ms: Millis,
        to_seq: u64,
        places: u64,
        bytes: u64,
    },
    Over {
        begun_ms: Millis,
        to_seq: u64,
        participants: u64,
        drawn: u64,
        /// The largest rank that wins, or one between it and the next. `None`: nobody has won.
        threshold: Option<Rank>,
        /// Until when its outcome has to be remembered.
        until_ms: Millis,
    },
}

impl Draw {
    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over { .. })
    }

    fn figures(&self) -> DrawFigures {
        let drawn = match &self.phase {
            Phase::Over {
                participants,
                drawn,
                threshold,
                ..
            } => Some(Drawn {
                seed: self.seed,
                participants: *participants,
                drawn: *drawn,
                threshold: *threshold,
            }),
            _ => None,
        };
        DrawFigures {
            at_ms: self.at_ms,
            commitment: Sha256::digest(self.seed).into(),
            drawn,
        }
    }

    /// Whether the message has lost: it took part, and others were drawn.
    fn has_lost(&self, id: Id) -> bool {
        let Phase::Over {
            to_seq, threshold, ..
        } = &self.phase
        else {
            return false;
        };
        (self.from_seq..*to_seq).contains(&id.seq())
            && threshold.is_none_or(|threshold| rank(&self.seed, id) > threshold)
    }
}

/// The rank of a message in the draw with this seed.
#[must_use]
pub fn rank(seed: &[u8; 32], id: Id) -> Rank {
    let mut hash = Sha256::new();
    hash.update(seed);
    hash.update(id.text());
    hash.finalize().into()
}

/// The draws of a queue: those whose outcome is remembered, the latest last.
#[derive(Debug, Default)]
pub(super) struct Draws {
    list: Vec<Draw>,
    /// How far the running one is. `None` at its beginning, and after a start.
    drawing: Option<Drawing>,
}

/// A draw under way.
#[derive(Debug)]
struct Drawing {
    /// The next row is the first at or after this sequence number.
    from_seq: u64,
    participants: u64,
    pass: Pass,
}

#[derive(Debug)]
enum Pass {
    /// Participants and their bytes, by the first two bytes of their rank.
    Count(Vec<(u64, u64)>),
    /// All ranks of this bucket win that still fit behind so many messages and bytes.
    Select {
        bucket: usize,
        drawn: u64,
        bytes: u64,
        found: Vec<(Rank, u64)>,
    },
}

impl Draws {
    /// Whether a stored value is of a version that this one does not know.
    pub fn is_later(bytes: &[u8]) -> bool {
        bytes.first().is_some_and(|version| *version != VERSION)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let list = match bytes.split_first() {
            Some((&VERSION, rest)) => postcard::from_bytes(rest).ok(),
            _ => None,
        };
        let damaged = || StoreError("the row of draws is damaged or of another version".into());
        Ok(Self {
            list: list.ok_or_else(damaged)?,
            drawing: None,
        })
    }

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        postcard::to_extend(&self.list, vec![VERSION]).map_err(|e| StoreError(e.to_string()))
    }

    fn unfinished(&self) -> Option<&Draw> {
        self.list.last().filter(|draw| !draw.is_over())
    }

    /// Whether there is a draw to come, or under way.
    pub fn is_unfinished(&self) -> bool {
        self.unfinished().is_some()
    }

    /// What was counted of a draw that is under way holds no longer.
    pub fn begin_anew(&mut self) {
        self.drawing = None;
    }

    /// Whether a draw is under way: who takes part is settled and must not change.
    pub fn is_running(&self) -> bool {
        self.unfinished()
            .is_some_and(|draw| matches!(draw.phase, Phase::Running { .. }))
    }

    /// When the next draw is due.
    pub fn due_ms(&self) -> Option<Millis> {
        self.unfinished().map(|draw| draw.at_ms)
    }

    /// Whether nobody from `seq` on is admitted before the draw is over.
    pub fn holds_back(&self, seq: u64) -> bool {
        self.unfinished().is_some_and(|draw| seq >= draw.from_seq)
    }

    /// Whether a message of the line takes part in the draw that is to come, or under way.
    pub fn takes_part(&self, seq: u64) -> bool {
        self.unfinished().is_some_and(|draw| match draw.phase {
            Phase::Running { to_seq, .. } => (draw.from_seq..to_seq).contains(&seq),
            _ => seq >= draw.from_seq,
        })
    }

    /// The instant of the draw that this message took part in, or will.
    pub fn at_ms_of(&self, seq: u64) -> Option<Millis> {
        let draws = self.list.iter().rev();
        let mut takes_part = draws.filter(|draw| {
            let to_seq = match draw.phase {
                Phase::Pending => u64::MAX,
                Phase::Running { to_seq, .. } | Phase::Over { to_seq, .. } => to_seq,
            };
            (draw.from_seq..to_seq).contains(&seq)
        });
        takes_part.next().map(|draw| draw.at_ms)
    }

    /// Whether the message took part in a draw and was not drawn.
    pub fn has_lost(&self, id: Id) -> bool {
        self.list.iter().any(|draw| draw.has_lost(id))
    }

    /// Whether the message of the line was over before the draw it would have taken part in.
    pub fn was_over(&self, seq: u64, expires_at_ms: Millis) -> bool {
        self.list.iter().any(|draw| match draw.phase {
            Phase::Over {
                begun_ms, to_seq, ..
            } => (draw.from_seq..to_seq).contains(&seq) && expires_at_ms <= begun_ms,
            _ => false,
        })
    }

    /// What everybody may know of each draw.
    pub fn figures(&self) -> impl DoubleEndedIterator<Item = DrawFigures> {
        self.list.iter().map(Draw::figures)
    }

    /// Forgets draws that nobody can ask for any more. Returns up to which sequence number
    /// outcomes that still could be asked for are forgotten, because there are too many.
    fn prune(&mut self, now_ms: Millis) -> u64 {
        self.list.retain(
            |draw| !matches!(draw.phase, Phase::Over { until_ms, .. } if until_ms <= now_ms),
        );
        let mut forgotten = 0;
        while self.list.len() >= DRAWS_MAX {
            if let Phase::Over { to_seq, .. } = self.list.remove(0).phase {
                forgotten = to_seq - 1;
            }
        }
        forgotten
    }
}

impl Queue {
    /// Refuses a draw that could not be held any more.
    pub(super) fn check_draw(&self, config: &Config, now_ms: Millis) -> Result<(), Fault> {
        let known = self.draws.list.last().map(|draw| draw.at_ms);
        match config.capacity.draw_ms() {
            Some(at_ms) if at_ms <= now_ms && known != Some(at_ms) => {
                let detail = "draw_at_ms is over; a draw needs an instant to come";
                Err(Fault::bad("capacity.draw_at_ms", detail))
            }
            at_ms if self.keeps_bytes(at_ms) && config.capacity.max_bytes < self.max_bytes() => {
                let detail = "who waits for the draw has to fit: it can be lowered after that";
                Err(Fault::bad("capacity.max_bytes", detail))
            }
            _ => Ok(()),
        }
    }

    fn max_bytes(&self) -> u64 {
        self.config().capacity.max_bytes
    }

    /// Whether a draw is under way or, where this is an instant, still to come.
    fn keeps_bytes(&self, at_ms: Option<Millis>) -> bool {
        self.draws.is_running() || (self.draws.is_unfinished() && at_ms.is_some())
    }

    /// Brings the draws in line with the configuration. One that is under way is finished; one that
    /// is to come is moved, or dropped: then those who wait are admitted as they came.
    pub(super) fn plan_draw(
        &mut self,
        turn: &mut Turn<'_>,
        config: &Config,
    ) -> Result<(), StoreError> {
        let want = config.capacity.draw_ms();
        let is_running = self.draws.is_running();
        match (self.draws.list.last_mut(), want) {
            _ if is_running => return Ok(()),
            (Some(draw), Some(at_ms)) if draw.at_ms == at_ms => return Ok(()),
            (Some(draw), Some(at_ms)) if !draw.is_over() => draw.at_ms = at_ms,
            (Some(draw), None) if !draw.is_over() => drop(self.draws.list.pop()),
            (_, None) => return Ok(()),
            (_, Some(at_ms)) => {
                let forgotten = self.draws.prune(turn.now_ms);
                self.meta.forgotten_seq = self.meta.forgotten_seq.max(forgotten);
                let seed = self.new_seed(turn.now_ms, at_ms);
                self.draws.list.push(Draw {
                    at_ms,
                    seed,
                    from_seq: self.meta.next_seq,
                    phase: Phase::Pending,
                });
            }
        }
        self.meta_changed = true;
        self.store_draws(turn)
    }

    /// A seed that nobody can know: of what the platform's source of randomness gave this start and
    /// the queue's first one.
    fn new_seed(&self, now_ms: Millis, at_ms: Millis) -> [u8; 32] {
        let Secret([a, b]) = self.secret;
        let mut hash = Sha256::new();
        hash.update(b"tidegate draw");
        hash.update(self.entropy);
        for word in [a, b, self.meta.next_seq, self.meta.number, now_ms, at_ms] {
            hash.update(word.to_le_bytes());
        }
        hash.finalize().into()
    }

    fn store_draws(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        meta::write(turn.sql, META, &self.draws.encode()?)
    }

    /// Begins the draw when it is due, and goes on with it: a bounded number of participants in one
    /// turn.
    pub(super) fn run_draw(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        if self.draws.due_ms().is_none_or(|at_ms| at_ms > turn.now_ms) {
            return Ok(());
        }
        if !self.draws.is_running() {
            self.begin_draw(turn)?;
        }
        let mut left = DRAWN_PER_TURN_MAX;
        while left > 0 {
            if self.step_draw(turn, &mut left)? {
                return Ok(());
            }
        }
        self.more_work = true;
        Ok(())
    }

    /// Settles who takes part, and for how much room.
    fn begin_draw(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let config = self.config();
        let capacity = &config.capacity;
        let Some(from_seq) = self.draws.list.last().map(|draw| draw.from_seq) else {
            return Ok(());
        };
        // Those who waited before the draw was made known go first.
        let cursor = *self.cursor(LINE);
        let first = Segments::heads_page(turn.sql, LINE, from_seq.max(cursor.from), 1)?;
        let earlier = match first.first() {
            Some(row) => self.position_at(turn, row.ordinal.max(cursor.taken))? - 1,
            None => self.line.waiting(),
        };
        let stock = capacity
            .max_accepted
            .map_or(u64::MAX, |max| max.saturating_sub(self.meta.accepted));
        let room = capacity.max_messages.saturating_sub(self.depth());
        let phase = Phase::Running {
            begun_ms: turn.now_ms,
            to_seq: self.meta.next_seq,
            places: stock.min(room).saturating_sub(earlier),
            bytes: capacity.max_bytes.saturating_sub(self.meta.bytes),
        };
        if let Some(draw) = self.draws.list.last_mut() {
            draw.phase = phase;
        }
        self.draws.drawing = None;
        self.meta_changed = true;
        self.store_draws(turn)
    }

    /// Looks at a page of rows. `true` when the draw is over.
    fn step_draw(&mut self, turn: &mut Turn<'_>, left: &mut usize) -> Result<bool, StoreError> {
        let Some(draw) = self.draws.list.last().cloned() else {
            return Ok(true);
        };
        let Phase::Running {
            begun_ms,
            to_seq,
            places,
            bytes,
        } = draw.phase
        else {
            return Ok(true);
        };
        // Rows before the cursor are kept to be written over: nobody in them waits.
        let cursor = *self.cursor(LINE);
        let first_seq = draw.from_seq.max(cursor.from);
        let mut drawing = self.draws.drawing.take().unwrap_or_else(|| Drawing {
            from_seq: first_seq,
            participants: 0,
            pass: Pass::Count(vec![(0, 0); BUCKETS]),
        });
        let rows = Segments::heads_page(turn.sql, LINE, drawing.from_seq, PAGE_ROWS)?;
        let full = rows.len() as u64 == PAGE_ROWS;
        let rows: Vec<Segment> = rows
            .into_iter()
            .filter(|row| row.first_seq < to_seq)
            .collect();
        for row in &rows {
            let is_in = |index: u16, item: &Item| {
                row.ordinal + u64::from(index) >= cursor.taken
                    && !row.is_gone(index)
                    && item.expires_at_ms > begun_ms
            };
            drawing.look_at(&draw.seed, row, self.secret, is_in);
            *left = left.saturating_sub(row.items.len());
            drawing.from_seq = row.first_seq + 1;
        }
        if full && rows.len() as u64 == PAGE_ROWS {
            self.draws.drawing = Some(drawing);
            return Ok(false);
        }
        match drawing.end_pass(first_seq, places, bytes) {
            Ok(outcome) => self.finish_draw(turn, outcome).map(|()| true),
            Err(next) => {
                self.draws.drawing = Some(next);
                Ok(false)
            }
        }
    }

    fn finish_draw(&mut self, turn: &mut Turn<'_>, outcome: Outcome) -> Result<(), StoreError> {
        let until_ms = turn.now_ms + self.config().retention_ms;
        let Outcome {
            participants,
            drawn,
            threshold,
        } = outcome;
        if let Some(draw) = self.draws.list.last_mut()
            && let Phase::Running {
                begun_ms, to_seq, ..
            } = draw.phase
        {
            draw.phase = Phase::Over {
                begun_ms,
                to_seq,
                participants,
                drawn,
                threshold,
                until_ms,
            };
        }
        self.line.state.losers += participants - drawn;
        self.put_off_forgetting(turn.now_ms);
        // Everybody who waits for the outcome is answered.
        self.waiters.purged();
        self.meta_changed = true;
        self.store_draws(turn)
    }

    /// The answer to what cannot be while a draw is under way, which is a matter of seconds.
    pub(super) fn drawing_now(&self) -> Fault {
        let detail = "a draw is under way; try again when it is over";
        Fault::new(ErrorCode::Overloaded, detail).with(|f| f.retry_after_ms = Some(SECOND))
    }
}

/// How a draw ends.
struct Outcome {
    participants: u64,
    drawn: u64,
    threshold: Option<Rank>,
}

impl Drawing {
    /// Takes the participants of one row into account.
    fn look_at(
        &mut self,
        seed: &[u8; 32],
        row: &Segment,
        secret: Secret,
        is_in: impl Fn(u16, &Item) -> bool,
    ) {
        for (index, item) in row.items.iter().enumerate() {
            let index = index as u16;
            if !is_in(index, item) {
                continue;
            }
            let id = Id::mint(secret, item.at_ms, item.seq, row.terms(index).lane);
            let rank = rank(seed, id);
            let bucket = usize::from(u16::from_be_bytes([rank[0], rank[1]]));
            let bytes = u64::from(item.body_bytes);
            match &mut self.pass {
                Pass::Count(buckets) => {
                    self.participants += 1;
                    buckets[bucket].0 += 1;
                    buckets[bucket].1 += bytes;
                }
                Pass::Select {
                    bucket: wanted,
                    found,
                    ..
                } => {
                    if bucket == *wanted {
                        found.push((rank, bytes));
                    }
                }
            }
        }
    }

    /// Draws the conclusion: the outcome, or the next pass.
    fn end_pass(self, from_seq: u64, places: u64, bytes: u64) -> Result<Outcome, Self> {
        let participants = self.participants;
        match self.pass {
            Pass::Count(buckets) => {
                let (mut drawn, mut used) = (0, 0);
                for (bucket, (count, size)) in buckets.into_iter().enumerate() {
                    if drawn + count > places || used + size > bytes {
                        return Err(Self {
                            from_seq,
                            participants,
                            pass: Pass::Select {
                                bucket,
                                drawn,
                                bytes: used,
                                found: Vec::new(),
                            },
                        });
                    }
                    drawn += count;
                    used += size;
                }
                let threshold = (drawn > 0).then_some([0xFF; 32]);
                Ok(Outcome {
                    participants,
                    drawn,
                    threshold,
                })
            }
            Pass::Select {
                bucket,
                mut drawn,
                bytes: mut used,
                mut found,
            } => {
                found.sort_unstable();
                let mut threshold = below(bucket).filter(|_| drawn > 0);
                for (rank, size) in found {
                    if drawn == places || used + size > bytes {
                        break;
                    }
                    drawn += 1;
                    used += size;
                    threshold = Some(rank);
                }
                Ok(Outcome {
                    participants,
                    drawn,
                    threshold,
                })
            }
        }
    }
}

/// The largest rank of the buckets before this one.
fn below(bucket: usize) -> Option<Rank> {
    let last = bucket.checked_sub(1)? as u16;
    let mut rank = [0xFF; 32];
    rank[..2].copy_from_slice(&last.to_be_bytes());
    Some(rank)
}
