//! Selectors: every construct against one message, and the truth tables of the three-valued logic.

use super::{attributes, filter, selector_json};
use crate::engine::filter::Subject;
use crate::engine::filter::selector::Selector;

const TRUE: Option<bool> = Some(true);
const FALSE: Option<bool> = Some(false);
const UNKNOWN: Option<bool> = None;

const ATTRIBUTES: &[(&str, &str)] = &[
    ("region", "eu"),
    ("amount", "100"),
    ("price", "19.99"),
    ("seven", "7"),
    ("negative", "-3"),
    ("big", "9007199254740993"),
    ("largest", "9223372036854775807"),
    ("urgent", "true"),
    ("off", "FALSE"),
    ("word", "abc"),
    ("same", "abc"),
    ("empty", ""),
    ("quote", "it's"),
    ("rate", "50%_"),
    ("é", "accent"),
    ("order.total", "12"),
    ("x-source", "web"),
    ("select", "x"),
    ("IN", "y"),
];

/// A selector and what it says of the message with [`ATTRIBUTES`], key `buyer-7` and no content
/// type.
pub(super) const CASES: &[(&str, Option<bool>)] = &[
    // Names and strings.
    ("region = 'eu'", TRUE),
    ("region = 'EU'", FALSE),
    ("Region = 'eu'", UNKNOWN),
    ("region <> 'us'", TRUE),
    ("'eu' = region", TRUE),
    ("quote = 'it''s'", TRUE),
    ("empty = ''", TRUE),
    ("word = same", TRUE),
    ("word <> same", FALSE),
    ("word = missing", UNKNOWN),
    ("\"x-source\" = 'web'", TRUE),
    ("\"IN\" = 'y'", TRUE),
    ("\"region\"='eu'", TRUE),
    ("select = 'x'", TRUE),
    ("é = 'accent'", TRUE),
    ("order.total = 12", TRUE),
    ("TidegateKey = 'buyer-7'", TRUE),
    ("TidegateKey LIKE 'buyer-_'", TRUE),
    ("TidegateContentType IS NULL", TRUE),
    ("TidegateContentType = 'a'", UNKNOWN),
    ("'a' = 'a'", TRUE),
    ("amount = '100'", TRUE),
    ("amount = '100.0'", FALSE),
    // Numbers.
    ("amount = 100", TRUE),
    ("amount = 100.0", TRUE),
    ("amount = 1e2", TRUE),
    ("amount = 0x64", TRUE),
    ("amount = 0X64L", TRUE),
    ("amount = 0144", TRUE),
    ("amount = 100L", TRUE),
    ("amount = 100f", TRUE),
    ("amount = 100.", TRUE),
    ("amount = +100", TRUE),
    ("amount <> 100", FALSE),
    ("amount > 99.5", TRUE),
    ("amount >= 100", TRUE),
    ("amount < 100", FALSE),
    ("amount <= 99", FALSE),
    ("100 < amount", FALSE),
    ("price = 19.99", TRUE),
    ("price > .5", TRUE),
    ("price > 19.98e0 AND price < 2E+1", TRUE),
    ("negative = -3", TRUE),
    ("negative < -2.5", TRUE),
    ("-negative = 3", TRUE),
    ("- -negative = -3", TRUE),
    ("big = 9007199254740993", TRUE),
    ("big = 9007199254740992.0", FALSE),
    ("big > 9007199254740992.0", TRUE),
    ("largest = 9223372036854775807", TRUE),
    ("largest < 9223372036854775808.0", TRUE),
    ("-9223372036854775808 < -largest", TRUE),
    ("0 = -0.0", TRUE),
    ("amount > seven", TRUE),
    ("seven > word", UNKNOWN),
    // Types that do not meet.
    ("region = 5", UNKNOWN),
    ("region <> 5", UNKNOWN),
    ("region > 5", UNKNOWN),
    ("empty = 0", UNKNOWN),
    ("missing = 5", UNKNOWN),
    ("missing > 5", UNKNOWN),
    ("1 = 'a'", FALSE),
    ("1 <> 'a'", FALSE),
    ("NOT (1 = 'a')", TRUE),
    ("missing + 1 = 'a'", UNKNOWN),
    ("TRUE = 1", FALSE),
    // Arithmetic.
    ("amount + 1 = 101", TRUE),
    ("amount - 1 - 1 = 98", TRUE),
    ("2 + 3 * 4 = 14", TRUE),
    ("(2 + 3) * 4 = 20", TRUE),
    ("20 / 2 / 5 = 2", TRUE),
    ("seven / 2 = 3", TRUE),
    ("-7 / 2 = -3", TRUE),
    ("seven / 2.0 = 3.5", TRUE),
    ("amount / 0 = 1", UNKNOWN),
    ("amount / 0.0 > 1", UNKNOWN),
    ("1e308 * 10 > 1", UNKNOWN),
    ("largest + 1 > largest", TRUE),
    ("largest * 2 > 1.8e19", TRUE),
    ("amount * price > 1998.9 AND amount*price < 1999.1", TRUE),
    ("region + 1 = 2", UNKNOWN),
    ("amount-1 = 99", TRUE),
    // Between.
    ("amount BETWEEN 100 AND 200", TRUE),
    ("amount BETWEEN 1 AND 99", FALSE),
    ("amount NOT BETWEEN 1 AND 99", TRUE),
    ("amount BETWEEN seven AND seven * 20", TRUE),
    ("missing BETWEEN 1 AND 2", UNKNOWN),
    ("missing NOT BETWEEN 1 AND 2", UNKNOWN),
    ("amount BETWEEN missing AND 99", FALSE),
    ("amount BETWEEN missing AND 200", UNKNOWN),
    ("amount between 1 and 200 and region = 'eu'", TRUE),
    // In.
    ("region IN ('us', 'eu')", TRUE),
    ("region IN ('us')", FALSE),
    ("region NOT IN ('us')", TRUE),
    ("missing IN ('us')", UNKNOWN),
    ("missing NOT IN ('us')", UNKNOWN),
    ("amount IN (1, 1e2)", TRUE),
    ("amount IN (-1, 2)", FALSE),
    ("region IN ('us', 5)", UNKNOWN),
    ("region IN ('eu', 5)", TRUE),
    // Like.
    ("word LIKE 'a%'", TRUE),
    ("word LIKE 'a_c'", TRUE),
    ("word LIKE 'a_'", FALSE),
    ("word LIKE '%b%'", TRUE),
    ("word LIKE '%%'", TRUE),
    ("word LIKE 'abc'", TRUE),
    ("word LIKE 'ABC'", FALSE),
    ("word LIKE '___%'", TRUE),
    ("word LIKE '____%'", FALSE),
    ("word LIKE '%_b_'", TRUE),
    ("word NOT LIKE 'x%'", TRUE),
    ("empty LIKE ''", TRUE),
    ("empty LIKE '%'", TRUE),
    ("empty LIKE '_'", FALSE),
    ("rate LIKE '50!%!_' ESCAPE '!'", TRUE),
    ("word LIKE 'ab!%' ESCAPE '!'", FALSE),
    ("rate LIKE '50\\%_' ESCAPE '\\'", TRUE),
    ("word LIKE 'a!!%' ESCAPE '!'", FALSE),
    ("missing LIKE 'a%'", UNKNOWN),
    ("missing NOT LIKE 'a%'", UNKNOWN),
    ("é LIKE 'a______'", FALSE),
    ("é LIKE 'a_____'", TRUE),
    // Null.
    ("missing IS NULL", TRUE),
    ("region IS NULL", FALSE),
    ("region IS NOT NULL", TRUE),
    ("missing IS NOT NULL", FALSE),
    ("empty IS NULL", FALSE),
    // Booleans.
    ("TRUE", TRUE),
    ("false", FALSE),
    ("urgent", TRUE),
    ("NOT off", TRUE),
    ("urgent = TRUE", TRUE),
    ("off = FALSE", TRUE),
    ("urgent <> off", TRUE),
    ("urgent = (amount > 1)", TRUE),
    ("(amount > 1) = (seven > 100)", FALSE),
    ("region", UNKNOWN),
    ("region = TRUE", UNKNOWN),
    ("missing = TRUE", UNKNOWN),
    // Precedence and case of keywords.
    ("TRUE OR FALSE AND FALSE", TRUE),
    ("(TRUE OR FALSE) AND FALSE", FALSE),
    ("NOT FALSE AND FALSE", FALSE),
    ("NOT (FALSE AND FALSE)", TRUE),
    ("NOT amount > 5 OR TRUE", TRUE),
    ("not region = 'us' aNd Amount is null", TRUE),
    ("\tregion\n=\r'eu' ", TRUE),
];

/// What the selector says of the message of this module.
fn truth(selector: &str) -> Option<bool> {
    let attributes = attributes(ATTRIBUTES);
    let subject = Subject {
        attributes: &attributes,
        body: b"",
        content_type: None,
        key: Some("buyer-7"),
    };
    let compiled = Selector::compile(selector);
    let truth = compiled
        .unwrap_or_else(|problem| panic!("{}", problem.into_fault("selector", selector)))
        .truth(&subject);
    let matches = filter(&selector_json(selector)).matches(&subject);
    assert_eq!(
        matches,
        truth == TRUE,
        "only what is true matches: {selector}"
    );
    truth
}

#[test]
fn selectors_say_what_they_should() {
    for (selector, expected) in CASES {
        assert_eq!(truth(selector), *expected, "{selector}");
        let negated = format!("NOT ({selector})");
        assert_eq!(truth(&negated), expected.map(|truth| !truth), "{negated}");
    }
}

/// The tables of the JMS specification: left, right, `AND`, `OR`.
const TABLE: [[Option<bool>; 4]; 9] = [
    [TRUE, TRUE, TRUE, TRUE],
    [TRUE, FALSE, FALSE, TRUE],
    [TRUE, UNKNOWN, UNKNOWN, TRUE],
    [FALSE, TRUE, FALSE, TRUE],
    [FALSE, FALSE, FALSE, FALSE],
    [FALSE, UNKNOWN, FALSE, UNKNOWN],
    [UNKNOWN, TRUE, UNKNOWN, TRUE],
    [UNKNOWN, FALSE, FALSE, UNKNOWN],
    [UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN],
];

fn spelt(truth: Option<bool>) -> &'static str {
    match truth {
        TRUE => "amount = 100",
        FALSE => "amount = 1",
        UNKNOWN => "missing = 1",
    }
}

#[test]
fn three_valued_logic_follows_the_tables() {
    for [left, right, both, either] in TABLE {
        let (left_text, right_text) = (spelt(left), spelt(right));
        assert_eq!(
            truth(&format!("{left_text} AND {right_text}")),
            both,
            "{left:?} AND {right:?}"
        );
        assert_eq!(
            truth(&format!("{left_text} OR {right_text}")),
            either,
            "{left:?} OR {right:?}"
        );
    }
    for value in [TRUE, FALSE, UNKNOWN] {
        assert_eq!(
            truth(&format!("NOT {}", spelt(value))),
            value.map(|truth| !truth)
        );
    }
}
