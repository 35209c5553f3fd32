//! Readers without credentials: the topic is told where they come from, whichever way they follow.

use super::*;
use crate::command::topic::{Anonymous, TopicEnvelope, decode as decode_topic};

const TOKEN: &str = "authorization: Bearer t0ken";

/// Whom the topic hears of, when a client at this address follows it in each of the ways.
fn heard(edge: &mut Edge, address: &str, credentials: &str) -> Vec<Anonymous> {
    let headers = format!("@client: {address}\n{credentials}");
    let anonymous = |command: &[u8]| -> Anonymous {
        let envelope: TopicEnvelope<'_> = decode_topic(command).unwrap();
        envelope.anonymous
    };
    let mut heard = Vec::new();
    let events = head("GET", "/v1/topics/t/events", &headers);
    let Action::Follow { stream, .. } = edge.open(&events, NOW) else {
        panic!("a stream")
    };
    for next_seq in [None, Some(7)] {
        let call = edge.follow(&stream, next_seq).unwrap();
        heard.push(anonymous(&call.command));
    }
    let headers = format!("{headers}\nupgrade: websocket");
    let listens = head("GET", "/v1/topics/t/socket?from_seq=latest", &headers);
    let Action::Listen { call, .. } = edge.open(&listens, NOW) else {
        panic!("a socket that listens")
    };
    heard.push(anonymous(&call.command));
    let socket = head("GET", "/v1/topics/t/socket", &headers);
    let Action::Socket { grant, .. } = edge.open(&socket, NOW) else {
        panic!("a socket")
    };
    let frames = format!("{socket}\n@grant: {grant}");
    let step = edge.frame(&frames, r#"{"type": "subscribe"}"#, NOW);
    let SocketStep::Follow { stream, .. } = step else {
        panic!("{step:?}")
    };
    heard.push(anonymous(&edge.follow(&stream, None).unwrap().command));
    heard
}

#[test]
fn a_topic_is_told_from_which_network_its_readers_come() {
    let mut edge = Edge::new(r#"{"ADMIN_TOKEN": "t0ken"}"#).unwrap();
    let events = head("GET", "/v1/topics/t/events", "@client: 198.51.100.7:1234");
    assert!(matches!(edge.open(&events, NOW), Action::Learn(_)));
    edge.learn(&events, "100 100 subscribe", NOW);
    let one = heard(&mut edge, "198.51.100.7:1234", "");
    assert!(
        one.iter().all(|it| it.is_anonymous() && it.is_near(one[0])),
        "{one:?}"
    );
    let same = heard(&mut edge, "198.51.100.7:999", "");
    assert!(same.iter().all(|it| it.is_near(one[0])), "another port");
    let other = heard(&mut edge, "198.51.100.8:1234", "");
    assert!(
        other
            .iter()
            .all(|it| it.is_anonymous() && !it.is_near(one[0]))
    );
    let network = heard(&mut edge, "[2001:db8::1]:1", "");
    let near = heard(&mut edge, "[2001:db8::ffff:2]:1", "");
    assert!(
        near.iter().all(|it| it.is_near(network[0])),
        "one client has all of it"
    );
    let known = heard(&mut edge, "198.51.100.7:1234", TOKEN);
    assert!(
        known
            .iter()
            .all(|it| !it.is_anonymous() && !it.is_near(one[0]))
    );
}
