//! What the answer of an endpoint means for the messages of the call, and for the endpoint.
//!
//! | answer | messages | endpoint |
//! | --- | --- | --- |
//! | `2xx` | done, with the `result` of a JSON body; those listed as `failed` again | well |
//! | `429`, `503` with `Retry-After` | again, not before then | not called before then |
//! | `410` | again | disabled |
//! | with `Tidegate-Retry: no` | dead letters | as its status says |
//! | any other, none in time, no connection | again | failing |

use crate::limits::{PUSH_ANSWER_BYTES_MAX, PUSH_RETRY_AFTER_MS_MAX, RESULT_BYTES_MAX};
use crate::time::{DAY, HOUR, MINUTE, Millis, SECOND};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashSet;

/// What came back, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Zero: there was no answer.
    pub status: u16,
    /// How long it took.
    pub duration_ms: Millis,
    /// Why there was none.
    pub error: Option<String>,
    /// The header of this name.
    pub retry_after: Option<String>,
    /// The header `Tidegate-Retry` said `no`.
    pub is_final: bool,
    /// The body is JSON.
    pub is_json: bool,
    /// There was more of the body than is read.
    pub is_cut: bool,
    /// The first bytes of the body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads what the host says: `STATUS\nMILLISECONDS\nname: value\n…`. Total: what is not
    /// understood is no answer.
    #[must_use]
    pub fn parse(head: &str, body: &[u8]) -> Self {
        let mut lines = head.lines();
        let mut number = || lines.next().and_then(|line| line.parse::<u64>().ok());
        let status = number().and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
        let mut answer = Self {
            status,
            duration_ms: number().unwrap_or(0),
            body: body[..body.len().min(PUSH_ANSWER_BYTES_MAX)].to_vec(),
            is_cut: body.len() > PUSH_ANSWER_BYTES_MAX,
            ..Self::default()
        };
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            match name {
                "error" => answer.error = Some(value.to_owned()),
                "retry-after" => answer.retry_after = Some(value.to_owned()),
                "tidegate-retry" => answer.is_final = value.trim().eq_ignore_ascii_case("no"),
                "tidegate-cut" => answer.is_cut = true,
                "content-type" => answer.is_json = is_json(value),
                _ => {}
            }
        }
        answer
    }

    /// Whether the call was never made: it began too late.
    #[must_use]
    pub fn was_not_made(&self) -> bool {
        self.status == 0 && self.error.as_deref() == Some("late")
    }
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind == "application/json" || kind.starts_with("application/") && kind.ends_with("+json")
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    Ack {
        /// JSON text for its publisher.
        result: Option<String>,
    },
    /// Again, not before `after_ms` from now where that is given.
    Retry {
        /// What the endpoint asked for.
        after_ms: Option<Millis>,
    },
    /// It is a dead letter.
    Bury,
}

/// What it says of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does its work.
    Well,
    /// It does not.
    Failing,
    /// It asks to be left alone for so long.
    Busy {
        /// From now.
        for_ms: Millis,
    },
    /// It is there no more.
    Gone,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// For the messages, in the order of the call.
    pub fates: Vec<Fate>,
    /// For the endpoint.
    pub health: Health,
    /// Why it is no success, in words.
    pub error: Option<String>,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    failed: Vec<String>,
    #[serde(default, rename = "batchItemFailures")]
    failures: Vec<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(rename = "itemIdentifier")]
    id: String,
}

/// What `answer` means for the messages with these identifiers.
#[must_use]
pub fn judge(answer: &Answer, ids: &[String], now_ms: Millis) -> Outcome {
    let all = |fate: Fate| vec![fate; ids.len()];
    if (200..300).contains(&answer.status) {
        return accepted(answer, ids);
    }
    let asked_ms = match answer.status {
        429 | 503 => answer
            .retry_after
            .as_deref()
            .and_then(|text| retry_after_ms(text, now_ms)),
        _ => None,
    };
    let health = match (answer.status, asked_ms) {
        (410, _) => Health::Gone,
        (429 | 503, Some(for_ms)) => Health::Busy { for_ms },
        _ => Health::Failing,
    };
    let error = answer.error.clone().unwrap_or_else(|| match answer.status {
        300..400 => format!("status {}: redirects are not followed", answer.status),
        status => format!("status {status}"),
    });
    let fate = if answer.is_final {
        Fate::Bury
    } else {
        Fate::Retry { after_ms: asked_ms }
    };
    Outcome {
        fates: all(fate),
        health,
        error: Some(error),
    }
}

fn accepted(answer: &Answer, ids: &[String]) -> Outcome {
    let well = |fates, error: Option<&str>| Outcome {
        fates,
        health: Health::Well,
        error: error.map(str::to_owned),
    };
    let again = || vec![Fate::Retry { after_ms: None }; ids.len()];
    let done = || vec![Fate::Ack { result: None }; ids.len()];
    if !answer.is_json {
        return well(done(), None);
    }
    if answer.is_cut {
        // It may say that messages failed.
        return well(again(), Some("the answer is too large to be read"));
    }
    let Ok(document) = serde_json::from_slice::<Document<'_>>(&answer.body) else {
        return well(done(), None);
    };
    let failed = document
        .failed
        .iter()
        .chain(document.failures.iter().map(|it| &it.id));
    let failed: HashSet<&String> = failed.collect();
    if failed.iter().any(|id| !ids.contains(id)) {
        return well(
            again(),
            Some("the answer names a message that was not sent"),
        );
    }
    let mut error = (!failed.is_empty()).then_some("some messages failed");
    let mut result = document.result.map(|it| it.get().to_owned());
    if result
        .as_ref()
        .is_some_and(|text| text.len() > RESULT_BYTES_MAX)
    {
        result = None;
        error = error.or(Some("the result is too large and was not kept"));
    }
    let fate = |id: &String| {
        if failed.contains(id) {
            Fate::Retry { after_ms: None }
        } else {
            Fate::Ack {
                result: result.clone(),
            }
        }
    };
    well(ids.iter().map(fate).collect(), error)
}

/// RFC 9110, 10.2.3: seconds, or a date. At most `PUSH_RETRY_AFTER_MS_MAX`.
#[must_use]
pub fn retry_after_ms(text: &str, now_ms: Millis) -> Option<Millis> {
    let text = text.trim();
    let ms = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse::<u64>()
            .unwrap_or(u64::MAX)
            .saturating_mul(SECOND)
    } else {
        http_date_ms(text)?.saturating_sub(now_ms)
    };
    Some(ms.min(PUSH_RETRY_AFTER_MS_MAX))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that is still sent (RFC 9110, 5.6.7).
fn http_date_ms(text: &str) -> Option<Millis> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, rest) = text.split_once(", ")?;
    let parts: Vec<&str> = rest.split(' ').collect();
    let [day, month, year, time, "GMT"] = parts[..] else {
        return None;
    };
    let clock: Vec<u64> = time
        .split(':')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let [hour, minute, second] = clock[..] else {
        return None;
    };
    let month = MONTHS.iter().position(|it| *it == month)? as u64 + 1;
    let (day, year) = (day.parse::<u64>().ok()?, year.parse::<u64>().ok()?);
    let in_range = (1..=31).contains(&day)
        && (1_970..=9_999).contains(&year)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    // Days since 1970-03-01's era, with years that begin in March: leap days come last.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(days * DAY + hour * HOUR + minute * MINUTE + second * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(head: &str, body: &str, ids: &[&str]) -> Outcome {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        judge(&Answer::parse(head, body.as_bytes()), &ids, 784_111_777_000)
    }

    fn ack(result: Option<&str>) -> Fate {
        Fate::Ack {
            result: result.map(str::to_owned),
        }
    }

    const AGAIN: Fate = Fate::Retry { after_ms: None };
    const JSON: &str = "200\n3\ncontent-type: application/json; charset=utf-8\n";

    #[test]
    fn success_acknowledges_and_may_bring_a_result() {
        assert_eq!(judged("204\n3\n", "", &["a"]).fates, [ack(None)]);
        assert_eq!(
            judged(JSON, r#"{"result": {"x": 1}}"#, &["a"]).fates,
            [ack(Some(r#"{"x": 1}"#))]
        );
        for body in ["", "no json", "[]", r#"{"ok": true}"#] {
            assert_eq!(judged(JSON, body, &["a"]).fates, [ack(None)], "{body}");
        }
        let large = format!(r#"{{"result": "{}"}}"#, "x".repeat(RESULT_BYTES_MAX));
        let outcome = judged(JSON, &large, &["a"]);
        assert_eq!(outcome.fates, [ack(None)]);
        assert!(outcome.error.is_some());
    }

    #[test]
    fn messages_listed_as_failed_come_again() {
        for body in [
            r#"{"failed": ["b"]}"#,
            r#"{"batchItemFailures": [{"itemIdentifier": "b"}]}"#,
        ] {
            let outcome = judged(JSON, body, &["a", "b"]);
            assert_eq!(
                (outcome.fates, outcome.health),
                (vec![ack(None), AGAIN], Health::Well)
            );
        }
        assert_eq!(
            judged(JSON, r#"{"failed": ["c"]}"#, &["a", "b"]).fates,
            [AGAIN, AGAIN]
        );
        let cut = format!("{JSON}tidegate-cut: yes\n");
        assert_eq!(judged(&cut, r#"{"failed": ["#, &["a"]).fates, [AGAIN]);
    }

    #[test]
    fn a_busy_endpoint_says_when() {
        for (head, ms) in [
            ("429\n3\nretry-after: 7\n", Some(7_000)),
            (
                "503\n3\nretry-after: Sun, 06 Nov 1994 08:49:47 GMT\n",
                Some(10_000),
            ),
            (
                "503\n3\nretry-after: Sun, 06 Nov 1994 08:00:00 GMT\n",
                Some(0),
            ),
            (
                "503\n3\nretry-after: 99999999999999999999\n",
                Some(PUSH_RETRY_AFTER_MS_MAX),
            ),
            ("503\n3\nretry-after: soon\n", None),
            ("500\n3\nretry-after: 7\n", None),
        ] {
            let outcome = judged(head, "", &["a"]);
            assert_eq!(outcome.fates, [Fate::Retry { after_ms: ms }], "{head}");
            let health = ms.map_or(Health::Failing, |for_ms| Health::Busy { for_ms });
            assert_eq!(outcome.health, health, "{head}");
        }
    }

    #[test]
    fn the_rest_fails() {
        assert_eq!(judged("410\n3\n", "", &["a"]).health, Health::Gone);
        let last = judged("400\n3\ntidegate-retry: No\n", "", &["a"]);
        assert_eq!(
            (last.fates, last.health),
            (vec![Fate::Bury], Health::Failing)
        );
        for head in [
            "301\n3\n",
            "404\n3\n",
            "500\n3\n",
            "0\n9\nerror: timeout\n",
            "",
            "x",
        ] {
            let outcome = judged(head, "", &["a"]);
            assert_eq!(
                (outcome.fates, outcome.health),
                (vec![AGAIN], Health::Failing),
                "{head}"
            );
            assert!(outcome.error.is_some());
        }
    }

    #[test]
    fn dates_are_read_or_refused() {
        assert_eq!(http_date_ms("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(
            http_date_ms("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(784_111_777_000)
        );
        assert_eq!(
            http_date_ms("Thu, 29 Feb 2024 23:59:59 GMT"),
            Some(1_709_251_199_000)
        );
        let text = "Sun, 06 Nov 1994 08:49:37 GMT";
        for end in 0..text.len() {
            assert_eq!(http_date_ms(&text[..end]), None);
        }
    }
}
