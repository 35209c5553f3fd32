//! What a queue tells the directory: its name, when it comes into being and when it is configured, so
//! that a directory that was lost fills again. A subscription's queue is its topic's to list.

use crate::bench::Bench;
use tidegate::command::Command;

/// Whether the directory was called since; it is answered.
fn told(bench: &mut Bench) -> bool {
    let calls = std::mem::take(&mut bench.last.calls);
    for call in &calls {
        assert!(call.object.starts_with('#'), "{}", call.object);
        bench.queue.called(call.number, true, b"");
    }
    bench.turn(Vec::new());
    assert!(bench.last.calls.is_empty(), "it is told once");
    !calls.is_empty()
}

#[test]
fn a_queue_that_is_configured_says_its_name_again() {
    let mut bench = Bench::new("{}");
    assert!(told(&mut bench));
    bench.put("a");
    assert!(!told(&mut bench));
    bench.ask(Command::Configure { patch: "{}" }).unwrap();
    assert!(told(&mut bench));
    bench.reopen();
    bench.put("b");
    assert!(!told(&mut bench));
}

#[test]
fn a_subscriptions_queue_never_does() {
    let mut bench = Bench::named("news~mine", "{}");
    assert!(!told(&mut bench));
    bench.ask(Command::Configure { patch: "{}" }).unwrap();
    assert!(!told(&mut bench));
}
