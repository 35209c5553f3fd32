//! The directory: names, a key of tickets, a pattern's subscription and what topics are still told.

use super::{NOW_MS, dumps};
use crate::database::Database;
use tidegate::command::directory::DirectoryCommand;
use tidegate::command::patterns::PatternCommand;
use tidegate::durable::DirectoryObject;
use tidegate::durable::Turn;

fn turn(directory: &mut DirectoryObject, database: &mut Database, now_ms: u64) -> Turn {
    let ran = database.transact(|sql| directory.run(sql, now_ms));
    ran.unwrap()
}

/// The answer to a command, as text.
fn ask(
    directory: &mut DirectoryObject,
    database: &mut Database,
    command: &DirectoryCommand<'_>,
) -> String {
    directory.push(1, command.encode().unwrap());
    let ran = turn(directory, database, NOW_MS);
    let body = ran
        .replies
        .into_iter()
        .next()
        .map(|(_, response)| response.body);
    String::from_utf8(body.unwrap_or_default()).unwrap()
}

pub fn dump() -> String {
    let mut database = Database::default();
    let mut directory = DirectoryObject::open(&mut database).unwrap();
    let register = |name| DirectoryCommand::Register { name };
    for command in [
        register("orders"),
        register("shop/mail"),
        DirectoryCommand::PublishKey {
            kid: "first",
            x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            until_ms: NOW_MS + 86_400_000,
        },
        DirectoryCommand::Join {
            name: "shop/orders",
        },
        DirectoryCommand::Patterns(PatternCommand::Put {
            pattern: "shop/#",
            name: "audit",
            patch: r#"{"from":"earliest","filter":"total > 5"}"#,
        }),
    ] {
        ask(&mut directory, &mut database, &command);
    }
    database.dump()
}

#[test]
fn directories_of_every_version_are_opened() {
    for (name, text) in dumps("directory") {
        let mut database = Database::load(&text);
        let mut directory = DirectoryObject::open(&mut database).unwrap();
        // The topic is told of the subscription, which nobody had told it yet.
        let mut called = Vec::new();
        for _ in 0..4 {
            for call in turn(&mut directory, &mut database, NOW_MS + 60_000).calls {
                directory.called(call.number, true, b"");
                called.push(call.object);
            }
        }
        let is_told = |object: &String| object.contains("shop/orders");
        assert!(called.iter().any(is_told), "{name}: {called:?}");
        let mut answer = |command| ask(&mut directory, &mut database, &command);
        let keys = answer(DirectoryCommand::Keys);
        assert!(
            keys.contains("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
            "{name}: {keys}"
        );
        let names = answer(DirectoryCommand::List {
            after: None,
            limit: 10,
            seen: None,
        });
        assert!(
            names.contains("orders") && names.contains("shop/mail"),
            "{name}: {names}"
        );
        let list = PatternCommand::List {
            pattern: "shop/#",
            after: None,
            limit: 10,
        };
        let subscriptions = answer(DirectoryCommand::Patterns(list));
        for part in ["audit", "total > 5"] {
            assert!(subscriptions.contains(part), "{name}: {subscriptions}");
        }
    }
}
