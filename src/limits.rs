//! The product's limits: facts, not settings. Each has a unit in its name and its arithmetic beside
//! it.
//!
//! A limit that users meet is listed in `docs/LIMITS.md`. What an operator may choose is a setting
//! (`edge/settings.rs`); what a user may choose per queue is configuration (`engine/config.rs`).

use crate::time::{DAY, HOUR, Millis};

/// Characters in the name of a queue or topic.
pub const NAME_CHARS_MAX: usize = 128;
/// Largest `max_message_bytes` that may be configured: with its head it fits a 2 MB row of the
/// platform.
pub const MESSAGE_BYTES_MAX: usize = 1_048_576;
/// `max_message_bytes` where a queue does not say.
pub const MESSAGE_BYTES_DEFAULT: usize = 262_144;
/// Messages in one batch publish.
pub const BATCH_MESSAGES_MAX: usize = 1_000;
/// Bytes of the request body of one batch publish.
pub const BATCH_BYTES_MAX: usize = 4 * 1_048_576;
/// Bytes of any other JSON request body: 1,000 acks with a small result each fit.
pub const JSON_BYTES_MAX: usize = 4 * 1_048_576;
/// Bytes of a request's head (method, URL and headers) that the edge will parse.
pub const HEAD_BYTES_MAX: usize = 65_536;
/// Messages leased by one pull.
pub const PULL_MESSAGES_MAX: u32 = 1_000;
/// Bytes of bodies and attributes handed out by one pull. The first message always fits, whatever its
/// size.
pub const PULL_BYTES_MAX: usize = 6 * 1_048_576;
/// Longest wait of a pull or of a read of a message's state.
pub const WAIT_MS_MAX: Millis = 30_000;
/// Pulls and reads of state that wait in one object at a time.
pub const WAITERS_MAX: usize = 10_000;
/// Entries (acks, retries and extends together) in one acknowledgement.
pub const ACK_ENTRIES_MAX: usize = 3_000;
/// Bytes of a result, as JSON text.
pub const RESULT_BYTES_MAX: usize = 16_384;
/// Messages listed by one browse.
pub const BROWSE_MESSAGES_MAX: u32 = 1_000;
/// Queues listed in one page: each costs one call to an object.
pub const LIST_QUEUES_MAX: u32 = 100;
/// Subscriptions that one scrape of the metrics tells of, over all topics: each costs up to one
/// call to an object.
pub const METRICS_SUBSCRIPTIONS_MAX: u32 = 100;
/// Names looked at for one page of those that a token may see.
pub const LIST_SCAN_QUEUES_MAX: usize = 10_000;
/// Characters of `Tidegate-Key`.
pub const KEY_CHARS_MAX: usize = 256;
/// Characters of `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 256;
/// Characters of a content type.
pub const CONTENT_TYPE_CHARS_MAX: usize = 256;
/// Attributes of one message.
pub const ATTRIBUTES_MAX: usize = 64;
/// Characters of an attribute's name.
pub const ATTRIBUTE_NAME_CHARS_MAX: usize = 128;
/// Bytes of all attribute names and values of one message.
pub const ATTRIBUTES_BYTES_MAX: usize = 16_384;
/// Longest delay of a message or of a retry: a week.
pub const DELAY_MS_MAX: Millis = 7 * DAY;
/// Longest time a message may be held.
pub const HOLD_MS_MAX: Millis = DAY;
/// Shortest and longest lease.
pub const LEASE_MS_MIN: Millis = 100;
/// See [`LEASE_MS_MIN`].
pub const LEASE_MS_MAX: Millis = 12 * HOUR;
/// Longest retention of a message or a result.
pub const RETENTION_MS_MAX: Millis = 365 * DAY;
/// Highest priority; the default is [`PRIORITY_DEFAULT`].
pub const PRIORITY_MAX: u8 = 9;
/// Priority of a message that names none.
pub const PRIORITY_DEFAULT: u8 = 4;

/// Most deliveries of one message that may be configured.
pub const ATTEMPTS_MAX: u64 = 1_000;
/// Largest factor between two delays of a backoff.
pub const MULTIPLIER_MAX: f64 = 100.0;

/// Messages that are leased, waiting for a retry, or passed over because their key is busy, at a
/// time. About 150 bytes each in memory: 100,000 take 15 MB of an isolate's 128 MB.
pub const OUTSTANDING_MAX: usize = 100_000;
/// Largest `max_waiting`: one bit of memory each tells positions exactly.
pub const WAITING_MAX: u64 = 1_000_000;
/// `max_waiting` where a queue does not say.
pub const WAITING_DEFAULT: u64 = 100_000;
/// Messages of the line that are admitted, or found to be out of it, in one turn; the rest follow
/// at once.
pub const ADMITTED_PER_TURN_MAX: usize = 10_000;
/// Body bytes of the messages admitted in one turn. The first always fits.
pub const ADMITTED_BYTES_PER_TURN_MAX: usize = 8 * 1_048_576;
/// Participants of a draw looked at in one turn: a hash each, about 20 ms together.
pub const DRAWN_PER_TURN_MAX: usize = 20_000;
/// Draws whose outcome is remembered, so that those who took part can be told.
pub const DRAWS_MAX: usize = 16;
/// Idempotency keys remembered at a time. 16 bytes of index each and 40 on disk.
pub const IDEMPOTENCY_KEYS_MAX: usize = 1_000_000;
/// Messages in one segment row.
pub const SEGMENT_MESSAGES_MAX: usize = 1_000;
/// Bytes of one segment's bodies and of its heads, each. The platform's limit is 2 MB a row,
/// together.
pub const SEGMENT_BODY_BYTES_MAX: usize = 1_300_000;
/// See [`SEGMENT_BODY_BYTES_MAX`].
pub const SEGMENT_HEAD_BYTES_MAX: usize = 600_000;
/// Bytes of segments kept decoded in memory.
pub const SEGMENT_CACHE_BYTES_MAX: usize = 8 * 1_048_576;
/// Rows of finished segments kept to be written over, and bytes of them: as many as a burst of
/// 100,000 messages in batches of a hundred has, at 80 bytes each. They cost 0.0016 dollars a month.
pub const SPARE_ROWS_MAX: usize = 1_024;
/// See [`SPARE_ROWS_MAX`].
pub const SPARE_BYTES_MAX: usize = 8 * 1_048_576;
/// Damaged rows whose place and reason are kept. The oldest go first.
pub const QUARANTINE_ROWS_MAX: u64 = 1_000;
/// Bytes of damaged rows that are kept in one object.
pub const QUARANTINE_BYTES_MAX: u64 = 64 * 1_048_576;
/// Damaged rows listed at a time: of 2 MB each at most.
pub const QUARANTINE_PAGE_MAX: u64 = 4;
/// How far sequence numbers go ahead where nobody can tell which were given out: rows of the journal
/// were damaged.
pub const REPAIR_SEQ_GAP: u64 = 1_000_000;
/// Journal rows before their contents move into a checkpoint. A start reads at most this many.
pub const JOURNAL_SLOTS: u64 = 128;
/// Messages published since the last journal row before one is forced, so that a start reads few
/// heads.
pub const UNJOURNALED_MESSAGES_MAX: u64 = 10_000;
/// Messages passed over in one turn, for all who ask, because their key is busy or a filter does not
/// match.
pub const PASSED_OVER_PER_TURN_MAX: usize = 5_000;
/// Body bytes of what one turn hands out, to all who ask; the others are answered by the next ones.
/// Two answers of [`PULL_BYTES_MAX`], and what is left of a third: rendered, and laid out for the
/// host, that is 60 to 90 MB.
pub const ANSWERS_BYTES_PER_TURN_MAX: usize = 16 * 1_048_576;
/// Messages that filters of reads look at in one turn of a topic; the other reads follow at once. One of
/// which the body is looked at counts once more for every 4,096 bytes.
pub const READ_LOOKS_PER_TURN_MAX: usize = 20_000;
/// How far ahead an object has itself woken. What is due later is looked at again then.
pub const ALARM_AHEAD_MS_MAX: Millis = 365 * DAY;
/// Keys whose publish rate is watched at a time: 16 bytes each. Of more, those are let go whose rate
/// is free again soonest.
pub const KEY_RATES_MAX: usize = 250_000;
/// How long a pull that does not wait is looked for at most, where more has to be looked at than one
/// turn does.
pub const PULL_LOOK_MS_MAX: Millis = 2_000;
/// Segments published since the last journal row before one is forced, see
/// [`UNJOURNALED_MESSAGES_MAX`].
pub const UNJOURNALED_SEGMENTS_MAX: u64 = 64;
/// Timers (leases run out, retries due, messages expired) handled in one turn; the rest follow at
/// once.
pub const TIMERS_PER_TURN_MAX: usize = 2_000;
/// Dead letters and overflow on their way to another queue at a time, before an overflow is
/// refused.
pub const OUTBOX_MAX: u64 = 10_000;
/// Dead letters handed to another queue in one call.
pub const FORWARD_MESSAGES_MAX: usize = 100;
/// Dead letters that are kept here and looked at by one call of a redrive.
pub const REDRIVE_LOOKED_AT_MAX: u64 = 20_000;
/// Bytes of their bodies that it reads.
pub const REDRIVE_BYTES_MAX: usize = 32 << 20;
/// Longest life of a ticket.
pub const TICKET_TTL_MS_MAX: Millis = 30 * DAY;
/// How long verifiers may keep the key set they have read.
pub const JWKS_CACHE_MS: Millis = 5 * crate::time::MINUTE;
/// Public keys in the key set: 130 bytes each. Beyond, queues share the key of a setting.
pub const JWKS_KEYS_MAX: u64 = 1_000;
/// Characters of a token.
pub const TOKEN_BYTES_MAX: usize = 8_192;
/// Scopes of a token that are looked at.
pub const TOKEN_SCOPES_MAX: usize = 64;
/// By how much the clocks of who makes a token and who checks it may differ.
pub const TOKEN_LEEWAY_MS: Millis = 30 * crate::time::SECOND;
/// Life of a token that the deployment makes: at least, and at most.
pub const TOKEN_TTL_MS_MIN: Millis = crate::time::SECOND;
/// See [`TOKEN_TTL_MS_MIN`].
pub const TOKEN_TTL_MS_MAX: Millis = DAY;
/// Tokens signed with a public key that one isolate remembers to be genuine, some 300 bytes each.
pub const TOKENS_KNOWN_MAX: usize = 4_096;
/// Queues that one isolate knows to be public, or not to be.
pub const PUBLIC_QUEUES_MAX: usize = 4_096;
/// Queues a second that one isolate asks whether they are public, beside those that are.
pub const PUBLIC_ASKS_PER_SECOND_MAX: u32 = 16;
/// Preflights a second for which one isolate asks, beside those of queues and topics that are known
/// to talk to pages of other sites.
pub const PREFLIGHTS_PER_SECOND_MAX: u32 = 16;
/// Queues and topics of which one isolate knows that.
pub const PREFLIGHTS_KNOWN_MAX: usize = 4_096;
/// Addresses whose rate one isolate watches, some 100 bytes each.
pub const PUBLIC_ADDRESSES_MAX: usize = 65_536;
/// Bytes of the key set at `JWKS_URL`.
pub const KEY_SET_BYTES_MAX: usize = 65_536;
/// Keys of the key set at `JWKS_URL`.
pub const KEY_SET_KEYS_MAX: usize = 64;
/// How long a key set is held to be the latest, whatever its `Cache-Control` says: at least, and at
/// most. A token with a key that is not in it has it read again no sooner than the least.
pub const KEY_SET_AGE_MS_MIN: Millis = 30 * crate::time::SECOND;
/// See [`KEY_SET_AGE_MS_MIN`].
pub const KEY_SET_AGE_MS_MAX: Millis = HOUR;
/// How long a key set still counts that cannot be read again.
pub const KEY_SET_STALE_MS_MAX: Millis = DAY;
/// How long reading a key set may take.
pub const KEY_SET_READ_MS_MAX: Millis = 5 * crate::time::SECOND;
/// Largest sequence number: it shares 53 bits (an exact JavaScript number) with the lane.
pub const SEQ_MAX: u64 = (1 << 48) - 1;

/// Messages that a topic with `persistence` `memory` keeps.
pub const MEMORY_TOPIC_MESSAGES_MAX: u64 = 100_000;
/// Bytes of bodies that a topic with `persistence` `memory` keeps: an eighth of an isolate's
/// 128 MB.
pub const MEMORY_TOPIC_BYTES_MAX: u64 = 16 * 1_048_576;
/// Messages of a topic, from the newest on, among which the last of each key is looked for.
pub const LAST_PER_KEY_MESSAGES_MAX: u64 = 100_000;
/// Messages of a topic that one read looks at; with a filter it may hand out fewer, and the rest is
/// read on from there.
pub const READ_SCAN_MESSAGES_MAX: usize = 5_000;
/// Live readers of one topic: the platform's bound for sockets of an object is 32,768.
pub const READERS_MAX: usize = 32_000;
/// Of these, without credentials and from one address (IPv6: one network of 64 bits).
pub const READERS_OF_NETWORK_MAX: usize = 500;
/// Messages in one piece that a live reader is sent.
pub const FRAME_MESSAGES_MAX: u32 = 100;
/// Body bytes in one piece that a live reader is sent. The first message always fits.
pub const FRAME_BYTES_MAX: usize = 262_144;
/// Pieces a live reader may be sent before it has taken the first of them.
pub const FRAMES_AHEAD_MAX: u32 = 16;
/// Changes of who is here that are told one by one, and members to a change beyond that; where there
/// are more changes, who is here is told instead.
pub const PRESENCE_CHANGES_MAX: usize = 16;
/// Numbers a live reader may be behind before it is told that it lags.
pub const LAG_MESSAGES_MAX: u64 = 1_000;
/// Bytes of one frame that a client sends on a socket: the largest message as base64, and the rest.
pub const SOCKET_FRAME_BYTES_MAX: usize = 2 * 1_048_576;
/// Segments of a topic that retention lets go in one turn; the rest follow at once.
pub const RETAIN_SEGMENTS_PER_TURN_MAX: usize = 1_000;
/// Durable subscriptions of one topic, with those that were deleted and whose queues are not yet.
pub const SUBSCRIPTIONS_MAX: usize = 10_000;
/// Subscriptions of patterns of topics in a deployment, those of live readers included: a topic is
/// told all that stand for it in one call.
pub const PATTERN_SUBSCRIPTIONS_MAX: usize = 1_000;
/// Changes of a subscription of a pattern that not all topics know of yet.
pub const PATTERN_STEPS_MAX: usize = 8;
/// Topics whose figures are added up for a subscription of a pattern: each costs a call.
pub const PATTERN_TOPICS_MAX: usize = 1_000;
/// How long the object of a pattern goes on gathering after its last reader, so that one who was cut
/// off comes back without a gap.
pub const PATTERN_IDLE_MS: Millis = 10 * crate::time::MINUTE;

/// Calls of one endpoint at a time: each is an invocation, and 40 bytes of every journal row.
pub const PUSH_CONCURRENCY_MAX: u32 = 256;
/// Largest `rate_per_second` of a push.
pub const PUSH_RATE_MAX: f64 = 10_000.0;
/// Shortest and longest time-out of a call.
pub const PUSH_TIMEOUT_MS_MIN: Millis = 100;
/// See [`PUSH_TIMEOUT_MS_MIN`].
pub const PUSH_TIMEOUT_MS_MAX: Millis = 5 * crate::time::MINUTE;
/// Headers that a push adds to its requests, and bytes of their names and values.
pub const PUSH_HEADERS_MAX: usize = 32;
/// See [`PUSH_HEADERS_MAX`].
pub const PUSH_HEADERS_BYTES_MAX: usize = 8_192;
/// Secrets that sign at a time.
pub const PUSH_SECRETS_MAX: usize = 4;
/// Longest time that an endpoint's `Retry-After` is heeded for.
pub const PUSH_RETRY_AFTER_MS_MAX: Millis = DAY;
/// Bytes of an endpoint's answer that are read: a result, or a batch's failed identifiers.
pub const PUSH_ANSWER_BYTES_MAX: usize = 65_536;
/// Messages of one batch that a Cloudflare Queue takes.
pub const PUSH_QUEUE_BATCH_MESSAGES_MAX: u32 = 100;
/// Bytes of one batch that a Cloudflare Queue takes: 256 KB.
pub const PUSH_QUEUE_BATCH_BYTES_MAX: usize = 256_000;
/// Bytes that a Cloudflare Queue counts for a message beside its body.
pub const PUSH_QUEUE_OVERHEAD_BYTES: usize = 100;
/// Largest message that is handed to a Cloudflare Queue, in the form it goes in: its 128 KB, less
/// what it counts beside the body.
pub const PUSH_QUEUE_MESSAGE_BYTES_MAX: usize = 128_000 - PUSH_QUEUE_OVERHEAD_BYTES;
/// Names in each of the settings `PUSH_WORKERS` and `PUSH_QUEUES`.
pub const BINDINGS_MAX: usize = 64;
/// Characters of the name of a binding.
pub const BINDING_NAME_CHARS_MAX: usize = 64;
/// Rows of the log of attempts, and some bytes of each: 4 MiB together.
pub const ATTEMPT_ROWS_MAX: u64 = 256;
/// See [`ATTEMPT_ROWS_MAX`].
pub const ATTEMPT_ROW_BYTES: usize = 16_384;
/// Bytes of an answer that the log of attempts keeps.
pub const ATTEMPT_ANSWER_BYTES_MAX: usize = 1_024;

/// Longest time the edge may refuse by itself on the strength of one verdict.
pub const VERDICT_MS_MAX: Millis = 1_000;
/// Publishes that wait in one relay, and bytes of their commands: a third of a second of a location
/// where a twentieth of a million buyers a second come in.
pub const RELAY_LINE_MAX: usize = 8_192;
/// See [`RELAY_LINE_MAX`].
pub const RELAY_LINE_BYTES_MAX: usize = 8 << 20;
/// Publishes of one call of a relay, and bytes of their commands: some 30 ms of an object's time.
pub const RELAY_CALL_PUBLISHES_MAX: usize = 512;
/// See [`RELAY_CALL_PUBLISHES_MAX`].
pub const RELAY_CALL_BYTES_MAX: usize = 512 << 10;
/// Least time between two calls of one relay: 9 regions make at most 360 calls a second.
pub const RELAY_PACE_MS: Millis = 25;
/// Least time from a call that was refused to the next: 9 regions make at most 72 calls a second of
/// a queue that refuses everybody, whatever the crowd.
pub const RELAY_REFUSED_PACE_MS: Millis = 125;
/// How long a publish waits in a relay before it is told that too much is waiting.
pub const RELAY_WAIT_MS_MAX: Millis = 5_000;
/// How long a relay waits for an answer.
pub const RELAY_CALL_MS_MAX: Millis = 8_000;
/// Lines that one turn writes to the log: the figures tell how many there were.
pub const EVENTS_PER_TURN_MAX: usize = 16;
/// Queues whose verdict one isolate remembers.
pub const VERDICTS_MAX: usize = 4_096;

const _: () = assert!(SEGMENT_BODY_BYTES_MAX + SEGMENT_HEAD_BYTES_MAX < 2_000_000);
const _: () = assert!(MESSAGE_BYTES_MAX <= SEGMENT_BODY_BYTES_MAX);
const _: () = assert!(MESSAGE_BYTES_DEFAULT <= MESSAGE_BYTES_MAX);
const _: () = assert!(ATTRIBUTES_BYTES_MAX + 2_048 < SEGMENT_HEAD_BYTES_MAX);
const _: () = assert!(SEQ_MAX < 1 << 53);
const _: () =
    assert!(PUSH_QUEUE_MESSAGE_BYTES_MAX + PUSH_QUEUE_OVERHEAD_BYTES <= PUSH_QUEUE_BATCH_BYTES_MAX);
const _: () = assert!(PUSH_TIMEOUT_MS_MAX * 2 < LEASE_MS_MAX);
const _: () = assert!(PULL_MESSAGES_MAX as usize * 32 < PUSH_ANSWER_BYTES_MAX);
const _: () = assert!(2_048 * 4 / 3 + 1_024 < RELAY_CALL_BYTES_MAX);
