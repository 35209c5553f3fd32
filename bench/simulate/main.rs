//! Runs the simulation: `npm run simulate [-- --buyers N --stock N --seed S --scenario NAME
//! --svg FILE]`. Ends with 1 when something was wrong that must not be.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "mod.rs"]
mod simulate;

use simulate::settings::Settings;
use simulate::world::World;
use simulate::{chart, report};
use std::process::ExitCode;
use std::time::Instant;

/// What runs where nothing is chosen: the first with the whole crowd, the others with a tenth
/// of crowd and stock.
const RUNS: [&str; 6] = ["sale", "opening", "resize", "returns", "relays", "keyed"];

struct Options {
    buyers: u32,
    stock: u64,
    seed: u64,
    scenario: Option<String>,
    svg: Option<String>,
}

fn main() -> ExitCode {
    let options = match read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(words) => {
            eprintln!("{words}\n\n{}", usage());
            return ExitCode::from(2);
        }
    };
    let seed = options.seed;
    println!("Seed {seed}: the same seed gives the same figures.\n");
    let mut worlds = Vec::new();
    for scenario in chosen(&options) {
        let is_tenth = options.scenario.is_none() && !worlds.is_empty();
        let part = if is_tenth { 10 } else { 1 };
        let (buyers, stock) = (options.buyers / part as u32, options.stock / part);
        let settings = Settings::new(scenario, seed, buyers, stock);
        let Some(settings) = settings else {
            eprintln!("There is no scenario {scenario:?}.\n\n{}", usage());
            return ExitCode::from(2);
        };
        let began = Instant::now();
        let world = World::new(settings).run();
        eprintln!("{scenario}: {:.1} s", began.elapsed().as_secs_f64());
        worlds.push(world);
    }
    println!("{}", report::table(&worlds));
    if let Some(file) = &options.svg
        && let Err(error) = std::fs::write(file, chart::svg(&worlds))
    {
        eprintln!("{file} could not be written: {error}");
        return ExitCode::FAILURE;
    }
    let mut wrong = false;
    for world in &worlds {
        for violation in report::violations(world) {
            println!("WRONG in {}: {violation}", world.settings.scenario);
            wrong = true;
        }
    }
    if wrong {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn chosen(options: &Options) -> Vec<&str> {
    let Some(scenario) = &options.scenario else {
        return RUNS.to_vec();
    };
    vec![scenario]
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut it = Options {
        buyers: 5_000_000,
        stock: 10_000,
        seed: 1,
        scenario: None,
        svg: None,
    };
    while let Some(name) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("{name} needs a value."))?;
        let number = || {
            value
                .parse::<u64>()
                .map_err(|_| format!("{name} needs a number."))
        };
        match name.as_str() {
            "--buyers" => {
                it.buyers = u32::try_from(number()?).map_err(|_| "Too many buyers.".to_owned())?;
            }
            "--stock" => it.stock = number()?,
            "--seed" => it.seed = number()?,
            "--scenario" => it.scenario = Some(value),
            "--svg" => it.svg = Some(value),
            _ => return Err(format!("What is {name:?}?")),
        }
    }
    Ok(it)
}

fn usage() -> String {
    let mut words =
        "Options: --buyers N, --stock N, --seed N, --svg FILE, --scenario NAME, one of\n"
            .to_owned();
    for (name, what) in Settings::SCENARIOS {
        words += &format!("    {name:10}{what}\n");
    }
    words
}
