//! Tickets: which keys sign them, and what they are told.
//!
//! A queue signs with a key of its own, made on first use and stored with it, so that no private
//! key ever travels; or, where the deployment has a `TICKET_KEY`, with that. The public halves are
//! published by the directory, each for as long as a ticket signed with it may live; who signs
//! renews them there in time. A rotation publishes the new key first, and signs with it once every
//! verifier can have seen it.

use super::Stop;
use super::outcome::Call;
use super::queue::{Queue, Turn};
use super::segment::{LANES, Place};
use crate::command::directory::DirectoryCommand;
use crate::command::placement::DIRECTORY;
use crate::command::{Accepted, Reply};
use crate::crypto::ticket::{Claims, SEED_BYTES, TicketKey};
use crate::error::Fault;
use crate::id::Id;
use crate::limits::{JWKS_CACHE_MS, TICKET_TTL_MS_MAX};
use crate::push::target::Reach;
use crate::store::{Sql, StoreError, meta};
use crate::time::{DAY, Millis, SECOND};
use serde::{Deserialize, Serialize};

/// Name of what is stored, in the table `meta`.
pub(super) const STORED: &str = "tickets";
/// A public key is renewed in the directory when it would go less than this after the last ticket.
const RENEWAL_MS: Millis = DAY;
/// How long after the last ticket of today a public key stays published.
const PUBLISHED_MS: Millis = 30 * DAY;
/// How long a new key is published before it signs: verifiers keep what they read for
/// [`JWKS_CACHE_MS`], and asking and answering takes its time.
const LEAD_MS: Millis = 2 * JWKS_CACHE_MS;

/// What the queue has to sign with.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    entropy: Option<[u8; SEED_BYTES]>,
    /// The deployment's `TICKET_KEY`.
    setting: Option<TicketKey>,
    /// `None`: not read since the start, as no ticket was wanted.
    ring: Option<Ring>,
    /// The key that signed last, decoded.
    signer: Option<(usize, TicketKey)>,
}

/// What is stored.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Ring {
    /// The one that signs and, during a rotation, the next.
    keys: Vec<Kept>,
    /// Keys ever made.
    made: u64,
    /// Names of public keys and until when the directory shows them.
    published: Vec<(String, Millis)>,
}

/// Whether a stored value is a ring.
pub(super) fn is_ring(bytes: &[u8]) -> bool {
    postcard::from_bytes::<Ring>(bytes).is_ok()
}

#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    seed: [u8; SEED_BYTES],
    /// Its name and its public half.
    kid: String,
    x: String,
    /// When it begins to sign.
    from_ms: Millis,
}

/// Shows no key.
impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl Ring {
    /// The key that signs at an instant.
    fn current(&self, now_ms: Millis) -> Option<usize> {
        self.keys.iter().rposition(|key| key.from_ms <= now_ms)
    }

    fn published_until(&self, kid: &str) -> Millis {
        let found = self.published.iter().find(|(known, _)| known == kid);
        found.map_or(0, |(_, until_ms)| *until_ms)
    }
}

impl Tickets {
    /// What only the host has: randomness, and the deployment's key.
    pub fn equip(&mut self, entropy: [u8; SEED_BYTES], setting: Option<TicketKey>) {
        self.entropy = Some(entropy);
        self.setting = setting;
    }

    /// The public key that has to be shown, or shown for longer: its name, itself.
    fn unpublished(&self, now_ms: Millis, ttl_ms: Millis) -> Option<(&str, &str)> {
        let ring = self.ring.as_ref()?;
        let until_ms = now_ms + ttl_ms + RENEWAL_MS;
        let is_due = |(kid, _): &(&str, &str)| ring.published_until(kid) < until_ms;
        if let Some(key) = &self.setting {
            return Some((key.kid(), key.x())).filter(is_due);
        }
        let mut own = ring.keys.iter().map(|kept| (&*kept.kid, &*kept.x));
        own.find(is_due)
    }
}

impl Queue {
    /// What only the host has: randomness for keys, and the deployment's `TICKET_KEY`; and what it
    /// lets pushes call.
    pub fn equip(
        &mut self,
        entropy: [u8; SEED_BYTES],
        ticket_key: Option<TicketKey>,
        reach: Reach,
    ) {
        self.tickets.equip(entropy, ticket_key);
        self.reach = reach;
    }

    /// Reads the keys, and makes the first, where tickets are wanted.
    pub(super) fn ready_tickets(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let wanted = self.config().capacity.ticket_ttl_ms.is_some();
        if !wanted || self.tickets.ring.is_some() {
            return Ok(());
        }
        let stored = meta::read(turn.sql, STORED)?;
        let ring: Option<Ring> = stored
            .map(|bytes: Vec<u8>| {
                postcard::from_bytes(&bytes).map_err(|e| StoreError(e.to_string()))
            })
            .transpose()?;
        let is_new = ring.is_none();
        self.tickets.ring = Some(ring.unwrap_or_default());
        if is_new {
            self.make_key(turn.now_ms);
            self.store_keys(turn)?;
        }
        Ok(())
    }

    /// Makes a key that signs from this instant on. The host always gives randomness; a queue
    /// without any makes none, and gives out no ticket.
    fn make_key(&mut self, from_ms: Millis) {
        if let (Some(entropy), Some(ring)) = (&self.tickets.entropy, &mut self.tickets.ring) {
            let seed = TicketKey::seed(entropy, ring.made);
            let key = TicketKey::new(&seed);
            ring.made += 1;
            ring.keys.push(Kept {
                seed,
                kid: key.kid().to_owned(),
                x: key.x().to_owned(),
                from_ms,
            });
        }
    }

    fn store_keys(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let Some(ring) = &self.tickets.ring else {
            return Ok(());
        };
        let bytes = postcard::to_allocvec(ring).map_err(|e| StoreError(e.to_string()))?;
        meta::write(turn.sql, STORED, &bytes)
    }

    /// Begins to replace the key: the next one is published now and signs once it can be known.
    pub(super) fn rotate_tickets(&mut self, turn: &mut Turn<'_>) -> Result<Reply, Stop> {
        let refuse = |detail: &str| Err(Fault::bad("capacity.ticket_ttl_ms", detail).into());
        if self.config().capacity.ticket_ttl_ms.is_none() {
            return refuse("this queue gives out no tickets: capacity.ticket_ttl_ms is null");
        }
        if self.tickets.setting.is_some() {
            return refuse("the deployment's TICKET_KEY signs the tickets: change that");
        }
        self.ready_tickets(turn)?;
        let now_ms = turn.now_ms;
        let Some(ring) = &mut self.tickets.ring else {
            return refuse("this queue has no key");
        };
        if let Some(current) = ring.current(now_ms) {
            ring.keys.drain(..current);
        }
        self.tickets.signer = None;
        if ring.keys.len() < 2 {
            self.make_key(now_ms + LEAD_MS);
            self.store_keys(turn)?;
        }
        let next = self.tickets.ring.as_ref().and_then(|ring| ring.keys.last());
        let Some(next) = next else {
            return refuse("this queue has no key");
        };
        Ok(Reply::Rotated {
            kid: next.kid.clone(),
            from_ms: next.from_ms,
        })
    }

    /// The ticket of a message that a publish was just answered with. `is_repeat`: it was accepted
    /// earlier, so that its key is the one that is stored, if it still is.
    pub(super) fn ticket_of_publish(
        &mut self,
        turn: &mut Turn<'_>,
        accepted: &Accepted,
        key: Option<&str>,
        is_repeat: bool,
    ) -> Result<Option<String>, StoreError> {
        if self.config().capacity.ticket_ttl_ms.is_none() {
            return Ok(None);
        }
        let stored = if is_repeat {
            self.flush_builders(turn)?;
            self.key_of(turn.sql, accepted.id)?
        } else {
            None
        };
        let subject = stored.as_ref().map_or(key, |stored| stored.as_deref());
        let waiting = accepted.waiting.is_some();
        self.sign(turn, accepted.id, subject, waiting, accepted.timestamp_ms)
    }

    /// A fresh ticket for a message that has its place.
    pub(super) fn ticket_of_place(
        &mut self,
        turn: &mut Turn<'_>,
        id: Id,
    ) -> Result<Option<String>, StoreError> {
        if self.config().capacity.ticket_ttl_ms.is_none() {
            return Ok(None);
        }
        let Some(subject) = self.key_of(turn.sql, id)? else {
            return Ok(None);
        };
        self.sign(turn, id, subject.as_deref(), false, turn.now_ms)
    }

    fn sign(
        &mut self,
        turn: &mut Turn<'_>,
        id: Id,
        subject: Option<&str>,
        waiting: bool,
        issued_ms: Millis,
    ) -> Result<Option<String>, StoreError> {
        let Some(ttl_ms) = self.config().capacity.ticket_ttl_ms else {
            return Ok(None);
        };
        self.ready_tickets(turn)?;
        let claims = Claims {
            subject,
            queue: &self.name,
            id: &id.to_string(),
            seq: id.seq(),
            waiting,
            issued_at_s: issued_ms / SECOND,
            expires_at_s: (issued_ms + ttl_ms).div_ceil(SECOND),
        };
        if let Some(key) = &self.tickets.setting {
            return Ok(Some(key.sign(&claims)));
        }
        let ring = self.tickets.ring.as_ref();
        let Some((ring, current)) = ring.and_then(|ring| Some((ring, ring.current(turn.now_ms)?)))
        else {
            return Ok(None);
        };
        let signer = match self.tickets.signer.take() {
            Some((at, key)) if at == current => key,
            _ => TicketKey::new(&ring.keys[current].seed),
        };
        let ticket = signer.sign(&claims);
        self.tickets.signer = Some((current, signer));
        Ok(Some(ticket))
    }

    /// The key of a message that is in the backlog or in the line; `None` when it is in neither.
    fn key_of(&mut self, sql: &mut dyn Sql, id: Id) -> Result<Option<Option<String>>, StoreError> {
        let (seq, lane) = (id.seq(), id.lane());
        let segment = if let Some(entry) = self.outstanding.get(seq) {
            self.segments.get(sql, entry.place)?
        } else if let Some(single) = self.segments.get(sql, Place::single(seq))? {
            Some(single)
        } else if usize::from(lane) < LANES {
            self.segments.holding(sql, lane, seq)?
        } else {
            None
        };
        let Some(segment) = segment else {
            return Ok(None);
        };
        let Some(item) = segment.items.iter().find(|item| item.seq == seq) else {
            return Ok(None);
        };
        Ok(Some(segment.head(item)?.key.map(str::to_owned)))
    }

    /// Whether a public key has to be published, so that the outbox wakes for it.
    pub(super) fn has_unpublished_key(&self) -> bool {
        let ttl_ms = self.config().capacity.ticket_ttl_ms;
        ttl_ms.is_some_and(|ttl_ms| self.tickets.unpublished(self.meta.now_ms, ttl_ms).is_some())
    }

    /// Publishes what has to be: one key at a time.
    pub(super) fn publish_key(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let Some(ttl_ms) = self.config().capacity.ticket_ttl_ms else {
            return Ok(());
        };
        self.ready_tickets(turn)?;
        let Some((kid, x)) = self.tickets.unpublished(turn.now_ms, ttl_ms) else {
            return Ok(());
        };
        let until_ms = turn.now_ms + ttl_ms + PUBLISHED_MS;
        let publish = DirectoryCommand::PublishKey { kid, x, until_ms };
        let command = publish.encode().map_err(|e| StoreError(e.to_string()))?;
        let number = self.outbox.publishes(kid, until_ms, turn.now_ms);
        turn.out.calls.push(Call {
            number,
            object: DIRECTORY.to_owned(),
            command,
        });
        Ok(())
    }

    /// The directory shows a key from now on.
    pub(super) fn key_published(
        &mut self,
        turn: &mut Turn<'_>,
        kid: &str,
        until_ms: Millis,
    ) -> Result<(), StoreError> {
        if let Some(ring) = &mut self.tickets.ring {
            // Names of keys that the directory shows no longer are of no use.
            ring.published
                .retain(|(known, until_ms)| known != kid && *until_ms > turn.now_ms);
            ring.published.push((kid.to_owned(), until_ms));
        }
        self.store_keys(turn)
    }
}

const _: () = assert!(LEAD_MS < PUBLISHED_MS && TICKET_TTL_MS_MAX <= PUBLISHED_MS);
