//! Messages are pushed: what the endpoint sees, whatever fails in between.

use crate::bench::{Bench, draft};
use crate::random::Random;
use tidegate::command::{Command, Draft, State, codec};
use tidegate::engine::outcome::Dispatch;
use tidegate::push::target::Reach;

/// A queue that pushes, with `more` in its `push` and `rest` beside it.
pub fn queue(more: &str, rest: &str) -> Bench {
    let mut bench = Bench::absent("orders");
    bench.queue.equip([1; 32], None, reach());
    let config = format!(r#"{{"push": {{"url": "http://127.0.0.1:9/"{more}}}{rest}}}"#);
    bench.ask(Command::Configure { patch: &config }).unwrap();
    bench
}

/// What a deployment on one machine lets be called.
pub fn reach() -> Reach {
    Reach {
        allows_private: true,
        workers: vec!["BILLING".to_owned()],
        queues: vec!["ORDERS".to_owned()],
    }
}

const DONE: &str = "204\n5\n";

/// The calls that were asked for since the last look.
pub fn calls(bench: &mut Bench) -> Vec<Dispatch> {
    std::mem::take(&mut bench.dispatches)
}

/// A start after a crash.
pub fn restart(bench: &mut Bench) {
    bench.reopen();
    bench.queue.equip([1; 32], None, reach());
    bench.turn(Vec::new());
}

/// Publishes a body; the calls that makes.
fn publish(bench: &mut Bench, body: &str) -> Vec<Dispatch> {
    bench.put(body);
    calls(bench)
}

/// Answers a call; the calls that makes.
fn answer(bench: &mut Bench, call: &Dispatch, head: &str, body: &str) -> Vec<Dispatch> {
    bench.queue.dispatched(call.number, head, body.as_bytes());
    bench.turn(Vec::new());
    calls(bench)
}

fn header<'a>(call: &'a Dispatch, name: &str) -> &'a str {
    let found = call.request.headers.iter().find(|(known, _)| known == name);
    found.map_or("", |(_, value)| value)
}

#[test]
fn a_message_is_called_with_and_its_answer_is_its_result() {
    let mut bench = queue(r#", "format": "raw""#, "");
    let accepted = bench.put("hello");
    let made = calls(&mut bench);
    let [call] = &made[..] else {
        panic!("one call")
    };
    assert_eq!(call.request.body, b"hello");
    assert_eq!(header(call, "tidegate-id"), accepted.id.to_string());
    assert_eq!(bench.state(accepted.id).unwrap().state, State::Leased);
    let json = "200\n5\ncontent-type: application/json\n";
    assert!(answer(&mut bench, call, json, r#"{"result": 7}"#).is_empty());
    let state = bench.state(accepted.id).unwrap();
    assert_eq!(
        (state.state, state.result.as_deref()),
        (State::Done, Some("7"))
    );
    assert_eq!(bench.describe().depth, 0);
}

#[test]
fn a_failure_comes_again_within_the_backoff_and_dies_after_its_attempts() {
    let rest = r#", "delivery": {"max_attempts": 3, "backoff": {"initial_ms": 1000}}"#;
    let mut bench = queue("", rest);
    let mut made = publish(&mut bench, "x");
    for attempt in 1..=3 {
        assert_eq!(header(&made[0], "tidegate-attempt"), attempt.to_string());
        let again = answer(&mut bench, &made[0], "500\n5\n", "");
        assert!(again.is_empty() || attempt < 3);
        if attempt < 3 && again.is_empty() {
            bench.pass(1_000 << (attempt - 1));
            made = calls(&mut bench);
        } else {
            made = again;
        }
    }
    assert_eq!((bench.describe().dead, made.len()), (1, 0));
}

#[test]
fn a_message_may_bring_terms_of_its_own() {
    let mut bench = queue("", "");
    let own = Draft {
        attributes: vec![
            ("tidegate-max-attempts", "2"),
            ("tidegate-backoff", "initial_ms=60000"),
        ],
        ..draft("x")
    };
    bench.publish(own).unwrap();
    let first = calls(&mut bench);
    assert!(answer(&mut bench, &first[0], "500\n5\n", "").is_empty());
    bench.pass(60_000);
    let second = calls(&mut bench);
    answer(&mut bench, &second[0], "500\n5\n", "");
    assert_eq!(bench.describe().dead, 1);
}

#[test]
fn concurrency_is_not_exceeded_and_a_restart_does_not_forget_it() {
    let mut bench = queue(r#", "concurrency": 3"#, "");
    let mut made = Vec::new();
    for n in 0..5 {
        made.append(&mut publish(&mut bench, &n.to_string()));
    }
    assert_eq!(made.len(), 3);
    restart(&mut bench);
    assert!(calls(&mut bench).is_empty());
    // The calls of the former life are over by now, and their messages come again.
    bench.pass(20_000);
    let again = calls(&mut bench);
    assert_eq!(again.len(), 3);
    assert_eq!(header(&again[0], "tidegate-attempt"), "2");
}

#[test]
fn what_was_answered_too_late_is_not_settled_twice() {
    let mut bench = queue(r#", "timeout_ms": 100"#, "");
    let first = publish(&mut bench, "x");
    bench.pass(6_000);
    let second = calls(&mut bench);
    assert_eq!(second.len(), 1);
    assert!(answer(&mut bench, &first[0], DONE, "").is_empty());
    assert_eq!(bench.describe().acked_total, 0);
    answer(&mut bench, &second[0], DONE, "");
    assert_eq!(bench.describe().acked_total, 1);
}

#[test]
fn a_call_that_was_never_made_counts_as_none() {
    let mut bench = queue(
        r#", "rate_per_second": 1"#,
        r#", "delivery": {"max_attempts": 1}"#,
    );
    let first = publish(&mut bench, "x");
    let again = answer(&mut bench, &first[0], "0\n0\nerror: late\n", "");
    assert_eq!(header(&again[0], "tidegate-attempt"), "1");
    assert_eq!(bench.describe().delivered_total, 1);
}

#[test]
fn an_endpoint_that_is_gone_is_called_no_more_until_it_is_enabled() {
    let mut bench = queue("", "");
    let first = publish(&mut bench, "x");
    assert!(answer(&mut bench, &first[0], "410\n5\n", "").is_empty());
    assert_eq!(bench.last.events.len(), 1);
    assert!(publish(&mut bench, "y").is_empty());
    bench.pass(100_000);
    assert!(calls(&mut bench).is_empty());
    let config = r#"{"push": {"url": "http://127.0.0.1:10/"}}"#;
    bench.ask(Command::Configure { patch: config }).unwrap();
    assert_eq!(calls(&mut bench).len(), 1);
}

#[test]
fn what_an_endpoint_says_late_is_not_held_against_the_next_one() {
    for late in ["410\n5\n", "503\n5\nretry-after: 3600\n"] {
        let mut bench = queue("", r#", "delivery": {"max_attempts": 1}"#);
        let first = publish(&mut bench, "x");
        let config = r#"{"push": {"url": "http://127.0.0.1:10/"}}"#;
        bench.ask(Command::Configure { patch: config }).unwrap();
        let mut next = answer(&mut bench, &first[0], late, "");
        next.append(&mut publish(&mut bench, "y"));
        assert_eq!(next.len(), 1, "{late}");
        assert_eq!(next[0].request.url, "http://127.0.0.1:10/");
    }
}

#[test]
fn an_endpoint_that_fails_is_left_alone_and_probed() {
    let mut bench = queue(
        r#", "concurrency": 20"#,
        r#", "delivery": {"max_attempts": 99}"#,
    );
    let mut open = Vec::new();
    for n in 0..20 {
        open.append(&mut publish(&mut bench, &n.to_string()));
    }
    let mut more = Vec::new();
    for call in &open {
        more.append(&mut answer(&mut bench, call, "0\n1\nerror: refused\n", ""));
    }
    while let Some(call) = more.pop() {
        more.append(&mut answer(&mut bench, &call, "0\n1\nerror: refused\n", ""));
    }
    bench.pass(20_000);
    let probe = calls(&mut bench);
    assert_eq!(probe.len(), 1);
    // Trusted again, more with each success.
    let next = answer(&mut bench, &probe[0], DONE, "");
    assert_eq!(next.len(), 2);
    let next = answer(&mut bench, &next[0], DONE, "");
    assert_eq!(next.len(), 2);
}

#[test]
fn a_busy_endpoint_is_not_called_before_the_time_it_asked_for() {
    let mut bench = queue("", "");
    let first = publish(&mut bench, "x");
    answer(&mut bench, &first[0], "429\n5\nretry-after: 30\n", "");
    assert!(publish(&mut bench, "y").is_empty());
    bench.pass(29_999);
    assert!(calls(&mut bench).is_empty());
    bench.now_ms += 1;
    bench.turn(Vec::new());
    assert_eq!(calls(&mut bench).len(), 2);
}

#[test]
fn messages_wait_for_a_batch_but_not_for_ever() {
    let mut bench = queue(
        r#", "format": "batch", "batch_size": 3, "batch_wait_ms": 50"#,
        "",
    );
    assert!(publish(&mut bench, "a").is_empty());
    assert!(publish(&mut bench, "b").is_empty());
    assert_eq!(publish(&mut bench, "c").len(), 1);
    assert!(publish(&mut bench, "d").is_empty());
    assert!(bench.last.timer_at_ms.is_some());
    bench.now_ms += 50;
    bench.turn(Vec::new());
    let made = calls(&mut bench);
    let body: serde_json::Value = serde_json::from_slice(&made[0].request.body).unwrap();
    assert_eq!(body["messages"].as_array().unwrap().len(), 1);
}

#[test]
fn an_order_is_kept() {
    let mut bench = queue(
        "",
        r#", "delivery": {"order": "fifo", "backoff": {"initial_ms": 10}}"#,
    );
    let first = publish(&mut bench, "a");
    assert!(publish(&mut bench, "b").is_empty());
    let mut next = answer(&mut bench, &first[0], "500\n5\n", "");
    if next.is_empty() {
        bench.pass(10);
        next = calls(&mut bench);
    }
    assert_eq!(next[0].request.body, b"a");
    let last = answer(&mut bench, &next[0], DONE, "");
    assert_eq!(last[0].request.body, b"b");
}

#[test]
fn a_paused_queue_calls_nobody() {
    let mut bench = queue("", "");
    bench.ask(Command::Pause).unwrap();
    assert!(publish(&mut bench, "x").is_empty());
    bench.ask(Command::Resume).unwrap();
    assert_eq!(calls(&mut bench).len(), 1);
}

#[test]
fn a_purge_forgets_messages_but_not_the_calls_under_way() {
    let mut bench = queue(r#", "concurrency": 1"#, "");
    let first = publish(&mut bench, "x");
    bench.ask(Command::Purge).unwrap();
    assert!(publish(&mut bench, "y").is_empty());
    let second = answer(&mut bench, &first[0], DONE, "");
    assert_eq!((second.len(), bench.describe().acked_total), (1, 0));
}

/// What an endpoint does with a call.
#[derive(Clone, Copy)]
struct Underway {
    arrives_ms: u64,
    ends_ms: u64,
    number: u32,
    /// The object was lost meanwhile: nobody hears the answer.
    is_lost: bool,
}

/// Random latencies, failures, time-outs, late sends, crashes and restarts against one rate and one
/// concurrency. What the endpoint sees never exceeds either, each message is acknowledged, and no
/// more come twice than calls were cut.
#[test]
fn no_interleaving_exceeds_pace_or_concurrency() {
    for seed in 0..60 {
        interleave(seed);
    }
}

const RATE: usize = 7;
const CONCURRENCY: usize = 5;
const TIMEOUT_MS: u64 = 400;
const MESSAGES: u64 = 60;

struct World {
    bench: Bench,
    random: Random,
    calls: Vec<Underway>,
    arrivals: Vec<u64>,
    bodies: std::collections::HashMap<Vec<u8>, u64>,
    cut: u64,
}

fn interleave(seed: u64) {
    let push = format!(
        r#", "format": "raw", "concurrency": {CONCURRENCY}, "rate_per_second": {RATE},
            "timeout_ms": {TIMEOUT_MS}"#
    );
    let delivery = r#", "delivery": {"max_attempts": 1000, "backoff": {"initial_ms": 50}}"#;
    let mut world = World {
        bench: queue(&push, delivery),
        random: Random::new(seed),
        calls: Vec::new(),
        arrivals: Vec::new(),
        bodies: Default::default(),
        cut: 0,
    };
    for n in 0..MESSAGES {
        world.bench.put(&n.to_string());
    }
    for _ in 0..20_000 {
        // Any turn may ask for calls: none comes between these and the next.
        if world.bench.describe().acked_total >= MESSAGES && world.calls.is_empty() {
            return world.judge(seed);
        }
        world.send();
        world.step();
    }
    panic!("seed {seed}: not done");
}

impl World {
    /// Sends what was asked for: some of it too late to be made.
    fn send(&mut self) {
        let now_ms = self.bench.now_ms;
        for call in calls(&mut self.bench) {
            let delay_ms = self.random.below(200);
            if delay_ms > call.send_within_ms {
                self.bench
                    .queue
                    .dispatched(call.number, "0\n0\nerror: late\n", b"");
                continue;
            }
            // On its way for a while, and then answered, or not in time.
            let arrives_ms = now_ms + delay_ms + self.random.below(90);
            let took_ms = match self.random.below(20) {
                0 => TIMEOUT_MS,
                _ => self.random.below(TIMEOUT_MS),
            };
            let ends_ms = (arrives_ms + took_ms).min(now_ms + delay_ms + TIMEOUT_MS);
            *self.bodies.entry(call.request.body).or_default() += 1;
            self.arrivals.push(arrives_ms);
            let number = call.number;
            self.calls.push(Underway {
                arrives_ms,
                ends_ms,
                number,
                is_lost: false,
            });
            let at_once = self
                .calls
                .iter()
                .filter(|call| call.ends_ms > now_ms)
                .count();
            assert!(at_once <= CONCURRENCY, "{at_once} calls at a time");
        }
    }

    /// The next thing that happens: an answer, a timer, an alarm, or a crash.
    fn step(&mut self) {
        self.calls.sort_by_key(|call| call.ends_ms);
        if self.random.below(60) == 0 {
            for call in &mut self.calls {
                self.cut += u64::from(!call.is_lost);
                call.is_lost = true;
            }
            restart(&mut self.bench);
            return;
        }
        let timers = [self.bench.alarm_at_ms, self.bench.last.timer_at_ms];
        let timer_ms = timers.into_iter().flatten().min();
        match self.calls.first().copied() {
            Some(call) if timer_ms.is_none_or(|at| call.ends_ms <= at) => {
                self.calls.remove(0);
                self.bench.now_ms = self.bench.now_ms.max(call.ends_ms);
                if !call.is_lost {
                    self.answer(
                        call.number,
                        call.ends_ms - call.arrives_ms.min(call.ends_ms),
                    );
                }
            }
            _ => {
                self.bench.now_ms = self
                    .bench
                    .now_ms
                    .max(timer_ms.expect("something to wait for"))
            }
        }
        self.bench.turn(Vec::new());
    }

    fn answer(&mut self, number: u32, took_ms: u64) {
        let head = match self.random.below(10) {
            0..3 => {
                self.cut += 1;
                "500\n1\n"
            }
            _ if took_ms >= TIMEOUT_MS => {
                self.cut += 1;
                "0\n400\nerror: timeout\n"
            }
            _ => DONE,
        };
        self.bench.queue.dispatched(number, head, b"");
    }

    fn judge(mut self, seed: u64) {
        self.arrivals.sort_unstable();
        for window in self.arrivals.windows(RATE + 1) {
            let ms = window[RATE] - window[0];
            assert!(
                ms >= 1_000,
                "seed {seed}: {} calls within {ms} ms",
                RATE + 1
            );
        }
        assert_eq!(self.bodies.len() as u64, MESSAGES, "seed {seed}");
        let twice: u64 = self.bodies.values().map(|count| count - 1).sum();
        assert!(
            twice <= self.cut,
            "seed {seed}: {twice} repeats, {} calls cut",
            self.cut
        );
    }
}

/// As [`queue`], known to the directory: else it would be woken to tell that once more.
fn registered(more: &str, rest: &str) -> Bench {
    let mut bench = queue(more, rest);
    for call in std::mem::take(&mut bench.last.calls) {
        bench.queue.called(call.number, true, b"");
    }
    bench.turn(Vec::new());
    bench
}

/// How often the queue has itself woken in a day in which nothing happens.
fn wakes_in_a_day(bench: &mut Bench) -> u64 {
    let before = bench.alarms_armed;
    bench.pass(86_400_000);
    assert_eq!(bench.last.timer_at_ms, None);
    assert!(calls(bench).is_empty());
    bench.alarms_armed - before
}

#[test]
fn an_idle_queue_is_not_woken_for_its_endpoint() {
    let retention = r#", "retention_ms": 2592000000"#;
    // Nothing is there: it was all taken, at a rate, which counts for a second more.
    let mut done = registered(r#", "rate_per_second": 1"#, retention);
    let call = publish(&mut done, "x").remove(0);
    answer(&mut done, &call, DONE, "");
    assert_eq!(wakes_in_a_day(&mut done), 0, "done");
    // Somebody has to say that the endpoint is there again, or that the queue goes on.
    let mut gone = registered("", retention);
    let call = publish(&mut gone, "x").remove(0);
    answer(&mut gone, &call, "410\n5\n", "");
    gone.put("y");
    assert!(
        wakes_in_a_day(&mut gone) <= 1,
        "gone: at most what was armed before"
    );
    // The deployment does not allow it any more, and nothing waits for it.
    let mut refused = registered("", retention);
    refused.queue.equip([1; 32], None, Reach::default());
    assert!(wakes_in_a_day(&mut refused) <= 1, "refused");
    refused.put("x");
    let before = refused.alarms_armed;
    refused.pass(600_000);
    assert!(
        refused.alarms_armed - before >= 9,
        "what waits for it is tried"
    );
    let mut paused = registered("", retention);
    paused.turn(vec![Command::Pause]);
    paused.put("x");
    assert!(wakes_in_a_day(&mut paused) <= 1, "paused");
    // It failed until the circuit opened, and nothing waits for it any more.
    let rest = format!(r#", "delivery": {{"max_attempts": 1}}{retention}"#);
    let mut failed = registered("", &rest);
    for _ in 0..12 {
        for call in publish(&mut failed, "x") {
            answer(&mut failed, &call, "500\n5\n", "");
        }
    }
    failed.turn(vec![Command::Purge]);
    assert!(wakes_in_a_day(&mut failed) <= 1, "failed");
}

#[test]
fn a_binding_that_the_deployment_lost_is_not_called() {
    let mut bench = queue("", "");
    let patch = r#"{"push": {"url": null, "worker": "BILLING"}}"#;
    bench.ask(Command::Configure { patch }).unwrap();
    let made = publish(&mut bench, "x");
    assert_eq!(made[0].request.url, "worker:BILLING");
    answer(&mut bench, &made[0], DONE, "");
    bench.queue.equip([1; 32], None, Reach::default());
    assert!(publish(&mut bench, "y").is_empty());
    bench.queue.equip([1; 32], None, reach());
    bench.pass(60_000);
    assert_eq!(calls(&mut bench).len(), 1);
}

#[test]
fn what_a_cloudflare_queue_never_takes_dies_and_holds_up_nothing() {
    let mut bench = queue("", "");
    let patch = r#"{"push": {"url": null, "cloudflare_queue": "ORDERS", "format": "raw"}}"#;
    bench.ask(Command::Configure { patch }).unwrap();
    let large = "x".repeat(130_000);
    assert!(publish(&mut bench, &large).is_empty());
    assert_eq!(bench.describe().dead, 1);
    let made = publish(&mut bench, "y");
    assert_eq!(made[0].request.url, "queue:ORDERS");
    answer(&mut bench, &made[0], DONE, "");
    assert_eq!(
        (bench.describe().depth, bench.describe().acked_total),
        (0, 1)
    );
}

#[test]
fn an_endpoint_that_is_disabled_tells_a_queue_once_and_no_crash_loses_it() {
    let mut bench = queue(r#", "events_queue": "ops""#, "");
    let mut ops = Bench::named("ops", "{}");
    let mut made = publish(&mut bench, "x");
    for told in 1..=2 {
        answer(&mut bench, &made[0], "410\n5\n", "");
        restart(&mut bench);
        // Nobody answered before, or does now: it is told again, as the same.
        for _ in 0..2 {
            bench.pass(60_000);
            let calls = std::mem::take(&mut bench.last.calls);
            let call = calls.iter().find(|call| call.object == "ops#0").unwrap();
            ops.ask(codec::decode(&call.command).unwrap().command)
                .unwrap();
            assert_eq!(ops.describe().depth, told);
        }
        bench.ask(Command::EnablePush).unwrap();
        made = calls(&mut bench);
    }
    let event = &ops.pull(1)[0];
    let kind = event.attributes.iter().find(|(name, _)| name == "ce-type");
    assert_eq!(kind.unwrap().1, "tidegate.endpoint.disabled");
    let body = String::from_utf8_lossy(event.body.bytes()).into_owned();
    assert!(body.contains(r#""reason":"gone""#) && body.contains(r#""queue":"orders""#));
}
