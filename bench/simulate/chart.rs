//! Runs as a picture: for each, what came, what the object was asked, and the places given out, over
//! time. Rates are drawn on a logarithmic scale: they lie five powers of ten apart.

use super::figures::Bucket;
use super::report::number;
use super::world::World;
use std::fmt::Write;

const WIDTH: f64 = 860.0;
const PANEL: f64 = 190.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 76.0;
const TOP: f64 = 54.0;
const BOTTOM: f64 = 28.0;
/// Seconds and powers of ten that are shown.
const SECONDS: f64 = 25.0;
const DECADES: f64 = 7.0;
const BUCKETS_A_SECOND: f64 = 10.0;

const STYLE: &str = "<style>\
    text{font:12px system-ui,sans-serif;fill:#444}.title{font-weight:600;font-size:13px;fill:#111}\
    .grid{stroke:#ddd}.came{stroke:#8a8f98}.asked{stroke:#c2410c}.taken{stroke:#0369a1}\
    .line{fill:none;stroke-width:1.6;stroke-linejoin:round}\
    .t-came{fill:#6b7280}.t-asked{fill:#c2410c}.t-taken{fill:#0369a1}\
    @media(prefers-color-scheme:dark){text{fill:#b6bcc6}.title{fill:#f3f4f6}.grid{stroke:#3a3f47}\
    .came{stroke:#9aa1ac}.asked{stroke:#fb923c}.taken{stroke:#38bdf8}\
    .t-came{fill:#9aa1ac}.t-asked{fill:#fb923c}.t-taken{fill:#38bdf8}}</style>";

/// The picture as an SVG document that fits light and dark pages.
pub fn svg(worlds: &[World]) -> String {
    let height = PANEL * worlds.len() as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" aria-label=\"Flash sales in simulation\">{STYLE}\n"
    );
    for (at, world) in worlds.iter().enumerate() {
        panel(&mut out, world, PANEL * at as f64);
    }
    out.push_str("</svg>\n");
    out
}

fn panel(out: &mut String, world: &World, top: f64) {
    let settings = &world.settings;
    let (low, high) = (top + PANEL - BOTTOM, top + TOP);
    let title = format!(
        "{}: {} buyers, {} places",
        settings.scenario,
        number(settings.buyers.into()),
        number(settings.stock),
    );
    text(out, LEFT, top + 20.0, "title", "start", &title);
    text(
        out,
        LEFT,
        top + 38.0,
        "t-came",
        "start",
        "requests a second",
    );
    text(
        out,
        LEFT + 130.0,
        top + 38.0,
        "t-asked",
        "start",
        "calls to the object a second",
    );
    text(
        out,
        LEFT + 320.0,
        top + 38.0,
        "t-taken",
        "start",
        "places given out (right)",
    );
    for decade in [0, 2, 4, 6] {
        let y = rate_y(10_f64.powi(decade), low, high);
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{}\"/>",
            WIDTH - RIGHT
        );
        text(
            out,
            LEFT - 8.0,
            y + 4.0,
            "",
            "end",
            &number(10_u64.pow(decade as u32)),
        );
    }
    for second in (0..=SECONDS as u32).step_by(5) {
        text(
            out,
            time_x(second.into()),
            low + 18.0,
            "",
            "middle",
            &format!("{second} s"),
        );
    }
    for share in [0, settings.stock / 2, settings.stock] {
        let y = low - (low - high) * share as f64 / settings.stock as f64;
        text(
            out,
            WIDTH - RIGHT + 8.0,
            y + 4.0,
            "",
            "start",
            &number(share),
        );
    }
    let buckets = &world.figures.buckets;
    let rate = |of: fn(&Bucket) -> u64| {
        move |bucket: &Bucket| rate_y(of(bucket) as f64 * BUCKETS_A_SECOND, low, high)
    };
    line(out, "came", buckets, rate(|b| b.asked));
    line(out, "asked", buckets, rate(|b| b.calls.iter().sum()));
    let stock = settings.stock as f64;
    line(out, "taken", buckets, |b| {
        low - (low - high) * b.taken as f64 / stock
    });
}

fn line(out: &mut String, class: &str, buckets: &[Bucket], y: impl Fn(&Bucket) -> f64) {
    let _ = write!(out, "<path class=\"line {class}\" d=\"");
    let shown = buckets.iter().take((SECONDS * BUCKETS_A_SECOND) as usize);
    for (at, bucket) in shown.enumerate() {
        let command = if at == 0 { 'M' } else { 'L' };
        let x = time_x((at as f64 + 0.5) / BUCKETS_A_SECOND);
        let _ = write!(out, "{command}{x:.1} {:.1}", y(bucket));
    }
    out.push_str("\"/>\n");
}

fn text(out: &mut String, x: f64, y: f64, class: &str, anchor: &str, words: &str) {
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

fn time_x(second: f64) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * second / SECONDS
}

fn rate_y(rate: f64, low: f64, high: f64) -> f64 {
    low - (low - high) * rate.max(1.0).log10() / DECADES
}
