//! Live readers: cursors whose sockets sleep with the object.
//!
//! A reader is sent pieces, each from the number it knows to be the next; after
//! `FRAMES_AHEAD_MAX` pieces nothing more until it says that it has taken some. Meanwhile it lags,
//! and the log keeps its place. All that has to be known of a reader is a few bytes that its socket
//! remembers, so that the object may leave memory. Bounded by the number of readers.
//!
//! A direct reader's socket is the client's own, and the host says when it takes nothing. The object
//! cannot sleep while one is behind, so that one which slept was up to date: what its socket
//! remembers never changes, and a piece costs nothing but its sending.

use super::access::takes_a_token;
use super::presence::Presence;
use super::read::{Cursor, Want};
use super::{Topic, Turn};
use crate::command::topic::{Anonymous, Follow, Form, Frame, News, Page, TopicReply};
use crate::engine::Stop;
use crate::engine::access::Who;
use crate::engine::filter::Filter;
use crate::error::{ErrorCode, Fault};
use crate::limits::{
    FRAME_BYTES_MAX, FRAME_MESSAGES_MAX, FRAMES_AHEAD_MAX, LAG_MESSAGES_MAX, READERS_MAX,
    READERS_OF_NETWORK_MAX,
};
use crate::store::StoreError;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Different pieces read in one turn; the rest follow at once.
const PAGES_PER_TURN_MAX: usize = 64;

/// What a socket remembers of its reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    cursor: Cursor,
    /// Pieces it may be sent.
    credit: u32,
    form: Form,
    filter: Option<String>,
    member: Option<String>,
    /// Whether it was told that it lags, and has not caught up since.
    lags: bool,
    /// Whether its client has no credentials.
    anonymous: Anonymous,
}

struct Follower {
    memory: Memory,
    filter: Option<Filter>,
    /// The number it was last told to be the next.
    told: u64,
    /// It has been sent nothing yet.
    is_new: bool,
    /// It has to be told anew who is here.
    wants_members: bool,
}

impl Follower {
    /// What tells it something and leaves it where it is.
    fn frame(&self, token: u32, news: News) -> Frame {
        Frame {
            tokens: vec![token],
            form: self.memory.form,
            from_seq: self.told,
            news,
            memory: Vec::new(),
        }
    }
}

/// The live readers of a topic.
#[derive(Default)]
pub(super) struct Followers {
    by_token: BTreeMap<u32, Follower>,
    presence: Presence,
    /// Up to which number everybody was looked at.
    seen_seq: u64,
    changed: bool,
    /// The first reader that the last turn did not get to: the next one begins with it.
    begin_token: u32,
    /// Direct readers are still being sent what an earlier turn had for them.
    is_held: bool,
}

impl Followers {
    pub fn len(&self) -> usize {
        self.by_token.len()
    }

    /// Who is here, each once.
    pub fn members(&self) -> Vec<String> {
        self.presence.members()
    }

    /// Whether one more may come from a network, of those without credentials.
    ///
    /// # Errors
    /// `rate-limited`.
    fn expect_few_of(&self, anonymous: Anonymous) -> Result<(), Fault> {
        if !anonymous.is_near(anonymous) {
            return Ok(());
        }
        let readers = self.by_token.values();
        let near = readers.filter(|it| it.memory.anonymous.is_near(anonymous));
        if near.count() < READERS_OF_NETWORK_MAX {
            return Ok(());
        }
        let detail = format!(
            "{READERS_OF_NETWORK_MAX} readers without a token follow this topic from your network"
        );
        let fault = Fault::new(ErrorCode::RateLimited, detail);
        Err(fault.with(|f| f.retry_after_ms = Some(10_000)))
    }

    fn insert(&mut self, token: u32, follower: Follower) {
        self.changed = true;
        self.by_token.insert(token, follower);
    }

    /// All of them, from the one on that a turn begins with, and round.
    fn round(&self) -> Vec<u32> {
        let later = self.by_token.range(self.begin_token..);
        let earlier = self.by_token.range(..self.begin_token);
        later.chain(earlier).map(|(token, _)| *token).collect()
    }
}

impl Topic {
    pub(super) fn follow(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        follow: &Follow<'_>,
        anonymous: Anonymous,
    ) -> Result<TopicReply, Stop> {
        if self.followers.len() >= READERS_MAX {
            let detail = format!("{READERS_MAX} readers follow this topic already");
            let fault = Fault::new(ErrorCode::Overloaded, detail);
            return Err(fault.with(|f| f.retry_after_ms = Some(1_000)).into());
        }
        self.followers.expect_few_of(anonymous)?;
        let filter = follow.filter.map(Filter::compile).transpose()?;
        let cursor = self.start(turn, follow.start)?;
        let member = follow.member.map(str::to_owned);
        if let Some(member) = &member {
            self.followers.presence.join(member);
        }
        let memory = Memory {
            cursor,
            credit: FRAMES_AHEAD_MAX,
            form: follow.form,
            filter: follow.filter.map(str::to_owned),
            member,
            lags: false,
            anonymous,
        };
        let wants_members = memory.member.is_some();
        let told = cursor.next;
        let follower = Follower {
            memory,
            filter,
            told,
            is_new: true,
            wants_members,
        };
        self.followers.insert(token, follower);
        Ok(TopicReply::Following)
    }

    /// A reader whose socket slept: what it remembers. Whether that could be read.
    pub fn attach(&mut self, token: u32, memory: &[u8]) -> bool {
        let Ok(mut memory) = postcard::from_bytes::<Memory>(memory) else {
            return false;
        };
        if memory.anonymous.is_anonymous() && self.config().access.subscribe != Who::Public {
            return false;
        }
        if memory.form.is_direct() {
            memory.cursor.next = self.log.next_seq;
        }
        let filter = memory.filter.as_deref().map(Filter::compile).transpose();
        let Ok(filter) = filter else { return false };
        if let Some(member) = &memory.member {
            self.followers.presence.attach(member);
        }
        let told = memory.cursor.next;
        // One that took nothing may not have been told of changes.
        let wants_members = memory.member.is_some() && memory.credit == 0;
        let follower = Follower {
            memory,
            filter,
            told,
            is_new: false,
            wants_members,
        };
        self.followers.insert(token, follower);
        true
    }

    /// A reader says that it has taken so many pieces. Of a direct one, none means that it takes
    /// nothing just now.
    pub fn credit(&mut self, token: u32, pieces: u32) {
        if let Some(follower) = self.followers.by_token.get_mut(&token) {
            let is_direct = follower.memory.form.is_direct();
            let credit = &mut follower.memory.credit;
            *credit = match pieces {
                0 if is_direct => 0,
                _ => credit.saturating_add(pieces).min(FRAMES_AHEAD_MAX),
            };
            self.followers.changed = true;
        }
    }

    /// Whether direct readers get nothing for now: what is published meanwhile goes together.
    pub fn hold(&mut self, is_held: bool) {
        self.followers.changed |= self.followers.is_held && !is_held;
        self.followers.is_held = is_held;
    }

    /// A reader has gone.
    pub fn detach(&mut self, token: u32) {
        let Some(gone) = self.followers.by_token.remove(&token) else {
            return;
        };
        if let Some(member) = gone.memory.member {
            self.followers.presence.leave(&member);
        }
    }

    /// Sends readers what is new to them: a piece each, at most.
    pub(super) fn send_frames(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        self.tell_presence(turn);
        let next_seq = self.log.next_seq;
        if !self.followers.changed && self.followers.seen_seq == next_seq {
            return Ok(());
        }
        self.followers.changed = false;
        self.followers.seen_seq = next_seq;
        let mut pages: HashMap<(Cursor, Option<String>), (Rc<Page>, Cursor)> = HashMap::new();
        let mut groups: HashMap<(usize, Vec<u8>), usize> = HashMap::new();
        let mut cut = None;
        for token in self.followers.round() {
            let Some(mut follower) = self.followers.by_token.remove(&token) else {
                continue;
            };
            let has_news = follower.is_new || follower.memory.cursor.next < next_seq;
            let is_held = self.followers.is_held && follower.memory.form.is_direct();
            if has_news && follower.memory.credit > 0 && !is_held {
                let key = (follower.memory.cursor, follower.memory.filter.clone());
                if !pages.contains_key(&key) && pages.len() >= PAGES_PER_TURN_MAX {
                    cut.get_or_insert(token);
                    self.wait_for_next_turn();
                } else {
                    let (page, cursor) = match pages.get(&key) {
                        Some((page, cursor)) => (Rc::clone(page), *cursor),
                        None => {
                            let want = Want {
                                filter: follower.filter.as_ref(),
                                messages_max: FRAME_MESSAGES_MAX,
                                bytes_max: FRAME_BYTES_MAX,
                            };
                            let (page, cursor) = self.page(turn, key.0, &want)?;
                            let page = Rc::new(page);
                            pages.insert(key, (Rc::clone(&page), cursor));
                            (page, cursor)
                        }
                    };
                    self.send(turn, token, &mut follower, page, cursor, &mut groups)?;
                }
            }
            self.followers.by_token.insert(token, follower);
        }
        self.followers.begin_token = cut.unwrap_or(0);
        Ok(())
    }

    fn wait_for_next_turn(&mut self) {
        self.more_work = true;
        self.followers.changed = true;
    }

    fn send(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        follower: &mut Follower,
        page: Rc<Page>,
        cursor: Cursor,
        groups: &mut HashMap<(usize, Vec<u8>), usize>,
    ) -> Result<(), StoreError> {
        let behind = self.log.next_seq - cursor.next.min(self.log.next_seq);
        let memory = &mut follower.memory;
        // A reader that begins far back reads the past; it lags only once it has been up to date.
        let lagged = (behind >= LAG_MESSAGES_MAX && !memory.lags && !follower.is_new)
            || (page.missed > 0 && !follower.is_new);
        memory.lags = behind >= LAG_MESSAGES_MAX;
        memory.cursor = cursor;
        if behind > 0 {
            self.wait_for_next_turn();
        }
        let is_silent = page.messages.is_empty() && page.missed == 0 && !lagged;
        if is_silent && !follower.is_new {
            return Ok(());
        }
        let is_direct = memory.form.is_direct();
        memory.credit -= u32::from(!is_direct);
        self.state.delivered_total += page.messages.len() as u64;
        let bytes = if is_direct && !follower.is_new {
            Vec::new()
        } else {
            postcard::to_allocvec(&*memory).map_err(|e| StoreError(e.to_string()))?
        };
        let from_seq = follower.told;
        follower.told = cursor.next;
        let begins = std::mem::take(&mut follower.is_new);
        // Readers that know the same and remember the same are told the same, at once.
        let key = (
            Rc::as_ptr(&page).addr(),
            [&from_seq.to_le_bytes()[..], &[memory.form as u8], &bytes].concat(),
        );
        if let Some(at) = groups.get(&key) {
            turn.out.frames[*at].tokens.push(token);
            return Ok(());
        }
        groups.insert(key, turn.out.frames.len());
        let news = News::Messages {
            page,
            lagged: lagged.then_some(behind),
            begins,
        };
        let (tokens, form) = (vec![token], memory.form);
        turn.out.frames.push(Frame {
            tokens,
            form,
            from_seq,
            news,
            memory: bytes,
        });
        Ok(())
    }

    /// Tells those who are here who came and who went, at once those that are told the same; one
    /// that takes nothing just now is told later who is here. While others are still being sent
    /// what an earlier turn had for them, nobody is told: what changes meanwhile goes together.
    fn tell_presence(&mut self, turn: &mut Turn<'_>) {
        let followers = &mut self.followers;
        let has_changed = followers.presence.has_changed();
        if followers.is_held || !(has_changed || followers.changed) {
            return;
        }
        let (news, mut here) = (followers.presence.news(), None);
        let mut groups: HashMap<(u8, u64, bool), usize> = HashMap::new();
        for (token, follower) in &mut followers.by_token {
            let memory = &follower.memory;
            if memory.member.is_none() {
                continue;
            }
            if memory.credit == 0 {
                follower.wants_members |= has_changed;
                continue;
            }
            let news = if std::mem::take(&mut follower.wants_members) {
                &*here.get_or_insert_with(|| followers.presence.here())
            } else if let Some(news) = &news {
                news
            } else {
                continue;
            };
            let is_here = matches!(news, News::Here(_));
            let key = (memory.form as u8, follower.told, is_here);
            if let Some(at) = groups.get(&key) {
                turn.out.frames[*at].tokens.push(*token);
                continue;
            }
            groups.insert(key, turn.out.frames.len());
            turn.out.frames.push(follower.frame(*token, news.clone()));
        }
    }

    /// The topic is gone: so is what its readers follow.
    pub(super) fn dismiss_readers(&mut self, turn: &mut Turn<'_>) {
        self.followers.presence = Presence::default();
        for (token, follower) in std::mem::take(&mut self.followers.by_token) {
            turn.out.frames.push(follower.frame(token, News::Gone));
        }
    }

    /// Those without credentials may follow it no longer.
    pub(super) fn dismiss_anonymous_readers(&mut self, turn: &mut Turn<'_>) {
        let readers = self.followers.by_token.iter();
        let anonymous = readers.filter(|(_, it)| it.memory.anonymous.is_anonymous());
        let frames: Vec<_> = anonymous
            .map(|(token, it)| it.frame(*token, News::Closed(takes_a_token())))
            .collect();
        for frame in frames {
            frame.tokens.iter().for_each(|token| self.detach(*token));
            turn.out.frames.push(frame);
        }
    }
}
