//! What a run showed, as a table of runs side by side.

use super::figures::Cause;
use super::settings::SECOND;
use super::world::World;
use std::fmt::Write;

/// Calls a second that refusing may cost the object, whatever the crowd.
pub const REFUSING_MAX: u64 = 100;
const LABEL_CHARS: usize = 52;
const COLUMN_CHARS: usize = 13;

/// One line of the table, computed from a run.
type Line = (&'static str, fn(&World) -> String);

const LINES: [(&str, &[Line]); 4] = [
    (
        "The crowd",
        &[
            ("buyers", |w| number(u64::from(w.settings.buyers))),
            ("requests for a place", |w| {
                number(w.figures.sum(|b| b.asked))
            }),
            ("  of them repeated", |w| number(w.figures.repeated)),
            ("most requests in a second", |w| {
                number(w.figures.most_a_second(|b| b.asked))
            }),
            ("isolates, in all", |w| number(w.figures.isolates.into())),
            ("calls twice · crashes of object · of relays", |w| {
                format!(
                    "{} · {} · {}",
                    number(w.figures.delivered_twice),
                    w.figures.crashes,
                    w.figures.relay_crashes
                )
            }),
        ],
    ),
    (
        "What must be zero",
        &[
            ("places given out beyond the stock", |w| {
                number(w.ledger.over)
            }),
            ("places left unsold at the end", |w| {
                number(w.ledger.unsold())
            }),
            ("places given out before the opening", |w| {
                number(w.ledger.early)
            }),
            ("buyers with more than one place", |w| {
                number(w.ledger.over_per_key)
            }),
            ("object refused while there was room", |w| {
                number(w.ledger.wrong_at_object)
            }),
            ("a verdict was used that was over a second old", |w| {
                number(u64::from(w.ledger.age_us_max > SECOND))
            }),
            ("refusing took the object over 100 calls a second", |w| {
                let calls = w.figures.most_calls(&Cause::REFUSING);
                number(u64::from(calls > REFUSING_MAX))
            }),
        ],
    ),
    (
        "Answers",
        &[
            ("places taken at the end", |w| number(w.ledger.taken())),
            ("sold out after", |w| match w.figures.sold_out_us {
                Some(us) => format!("{:.2} s", us as f64 / SECOND as f64),
                None => "never".to_owned(),
            }),
            ("refused by isolates", |w| {
                number(w.figures.sum(|b| b.refused_by_edge))
            }),
            ("refused by relays", |w| {
                number(w.figures.sum(|b| b.refused_by_relay))
            }),
            ("refused by the object", |w| {
                number(w.figures.sum(|b| b.refused_by_object))
            }),
            ("turned away, try again (503)", |w| {
                number(w.figures.answers("overloaded") + w.figures.answers("unavailable"))
            }),
            ("oldest verdict used", |w| {
                format!("{} ms", number(w.ledger.age_us_max.div_ceil(1_000)))
            }),
            ("refused by a verdict while there was room", |w| {
                number(w.ledger.late)
            }),
            ("  after at most", |w| {
                format!("{} ms", number(w.ledger.late_us_max / 1_000))
            }),
            ("admitted: p50 · p99 ms", |w| {
                quantiles(&w.figures.admitted)
            }),
            ("refused: p50 · p99 ms", |w| quantiles(&w.figures.refused)),
        ],
    ),
    (
        "Load on the object",
        &[
            ("calls in all", |w| {
                number(w.figures.sum(|b| b.calls.iter().sum()))
            }),
            ("most calls in a second", |w| {
                number(w.figures.most_calls(&Cause::ALL))
            }),
            ("  that gave places out", |w| {
                number(w.figures.most_calls(&[Cause::Accepted]))
            }),
            ("  refused, reports and shed", |w| {
                number(w.figures.most_calls(&Cause::REFUSING))
            }),
            ("  confirmations, cancellations, changes", |w| {
                number(w.figures.most_calls(&[Cause::Other]))
            }),
            ("most at a location's · a region's relay", |w| {
                let [location, region] = w.figures.relay_load;
                format!("{} · {}", number(location), number(region))
            }),
        ],
    ),
];

/// The table of these runs.
pub fn table(worlds: &[World]) -> String {
    let mut out = String::new();
    let mut row = |label: &str, cells: &mut dyn Iterator<Item = String>| {
        let pad = LABEL_CHARS.saturating_sub(label.chars().count());
        let _ = write!(out, "{label}{}", " ".repeat(pad));
        for cell in cells {
            let _ = write!(out, "{cell:>COLUMN_CHARS$}");
        }
        out.push('\n');
    };
    row(
        "",
        &mut worlds.iter().map(|it| it.settings.scenario.to_owned()),
    );
    for (title, lines) in LINES {
        row(&format!("\n{title}"), &mut std::iter::empty());
        for (label, value) in lines {
            row(&format!("  {label}"), &mut worlds.iter().map(value));
        }
    }
    out
}

/// Everything that a run must not show; empty when all is well.
pub fn violations(world: &World) -> Vec<String> {
    let (_, lines) = LINES[1];
    let broken = lines.iter().filter(|(_, value)| value(world) != "0");
    broken
        .map(|(label, value)| format!("{label}: {}", value(world)))
        .collect()
}

fn quantiles(of: &super::figures::Durations) -> String {
    format!("{:.0} · {:.0}", of.quantile_ms(0.5), of.quantile_ms(0.99))
}

/// With a comma between thousands.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
