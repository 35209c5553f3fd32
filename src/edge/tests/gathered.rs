//! What several objects said of themselves, as one answer.

use super::*;

#[test]
fn lists_and_metrics_are_gathered() {
    let action = ask("GET", "/v1/queues?limit=2&cursor=eu%2Fa", "");
    let Action::Gather { after, limit, .. } = action else {
        panic!("{action:?}")
    };
    assert_eq!((after.as_deref(), limit), (Some("eu/a"), 2));
    assert!(matches!(
        ask("GET", "/metrics", ""),
        Action::Gather {
            of: Listing::Both,
            after: None,
            limit: 100,
            seen: None,
        }
    ));
    let gathered = r#"{"names":["a","b"],"cursor":"b","wasm_memory_bytes":10,
        "queues":[{"name":"a","depth":3,"wasm_memory_bytes":5},null]}"#;
    let list = edge().gathered(&head("GET", "/v1/queues", ""), gathered, NOW);
    let document: Value = serde_json::from_slice(&list.body).unwrap();
    assert_eq!(document["queues"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&document["queues"][0]["depth"], &document["cursor"]),
        (&json!(3), &json!("b"))
    );
    let last = edge().gathered(
        &head("GET", "/v1/queues", ""),
        r#"{"queues":[],"cursor":null}"#,
        NOW,
    );
    assert_eq!(last.body, br#"{"queues":[]}"#);
    let metrics = edge().gathered(&head("GET", "/metrics", ""), gathered, NOW);
    let text = String::from_utf8(metrics.body).unwrap();
    assert!(text.contains("\ntidegate_wasm_memory_bytes 15\n"), "{text}");
    assert!(
        text.contains("\ntidegate_backlog_messages{queue=\"a\"} 3\n"),
        "{text}"
    );
    let hurt = r#"{"names":["a","b\"","c"],"queues":[{"name":"a","depth":3},null,null],
        "unreadable":[1,9]}"#;
    let list = edge().gathered(&head("GET", "/v1/queues", ""), hurt, NOW);
    let document: Value = serde_json::from_slice(&list.body).unwrap();
    assert_eq!(document["queues"].as_array().unwrap().len(), 1);
    assert_eq!(document["unreadable"], json!(["b\""]));
    let both = format!("{hurt}\u{1e}{}", hurt.replace("\"a\"", "\"t\""));
    let metrics = edge().gathered(&head("GET", "/metrics", ""), &both, NOW);
    let text = String::from_utf8(metrics.body).unwrap();
    for line in [
        "tidegate_backlog_messages{queue=\"a\"} 3",
        "tidegate_unreadable_objects{queue=\"b\\\"\"} 1",
        "tidegate_unreadable_objects{topic=\"b\\\"\"} 1",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    assert_eq!(text.matches("tidegate_unreadable_objects{").count(), 2);
    assert_eq!(
        edge()
            .gathered(&head("GET", "/metrics", ""), "{", NOW)
            .status,
        500
    );
}

#[test]
fn metrics_tell_of_subscriptions_and_what_is_in_their_queues() {
    let topics = r#"{"names":["a","b","c"],"queues":[{"name":"a","subscriptions":3},
        {"name":"b","subscriptions":0},{"name":"c","subscriptions":1}]}"#;
    let of_topics = subscriptions::topics_in(topics).unwrap();
    assert_eq!(subscriptions::asked(&of_topics), [("a", 3), ("c", 1)]);
    let lists = r##""lists":[{"subscriptions":[
        {"name":"own","target":null,"lag":2,"delivered_total":7,"missed_total":1},
        {"name":"hook","target":{"url":"https://hook.example/"}},
        {"name":"feeds","target":{"queue":"q"},"lag":5}]},
        {"subscriptions":[{"name":"all","pattern":"#","target":null,"lag":1},
        {"name":"","pattern":"c/+","target":null}]}]"##;
    let queues = subscriptions::own_queues_in(topics, &format!("{{{lists}}}")).unwrap();
    let queues: Vec<&str> = queues.iter().map(String::as_str).collect();
    assert_eq!(queues, ["#~all", "a~hook", "a~own"]);
    // The first was never asked for, the second does not answer.
    let own = r#"{"unreadable":[1],"queues":[null,null,{"name":"a~own","depth":4,"wasm_memory_bytes":9}]}"#;
    let gathered = [
        r#"{"queues":[]}"#,
        topics,
        &format!("{{{lists},\"own\":{own}}}"),
    ];
    let gathered = gathered.join("\u{1e}");
    let metrics = edge().gathered(&head("GET", "/metrics", ""), &gathered, NOW);
    let text = String::from_utf8(metrics.body).unwrap();
    for line in [
        r#"tidegate_backlog_messages{queue="a~own"} 4"#,
        r#"tidegate_unreadable_objects{queue="a~hook"} 1"#,
        r#"tidegate_subscription_lag_messages{topic="a",subscription="own"} 2"#,
        r#"tidegate_subscription_delivered_total{topic="a",subscription="own"} 7"#,
        r#"tidegate_subscription_missed_total{topic="a",subscription="own"} 1"#,
        r#"tidegate_subscription_lag_messages{topic="a",subscription="feeds"} 5"#,
        r##"tidegate_subscription_lag_messages{topic="c",subscription="all",pattern="#"} 1"##,
        "tidegate_wasm_memory_bytes 9",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    assert_eq!(
        text.matches("tidegate_subscription_lag_messages{").count(),
        4
    );
}

#[test]
fn a_scrape_asks_for_a_hundred_subscriptions_at_most() {
    let topic = |name, count| format!(r#"{{"name":"{name}","subscriptions":{count}}}"#);
    let topics = [topic("a", 60), topic("b", 70), topic("c", 1)].join(",");
    let topics = subscriptions::topics_in(&format!(r#"{{"queues":[{topics}]}}"#)).unwrap();
    assert_eq!(subscriptions::asked(&topics), [("a", 60), ("b", 40)]);
}
