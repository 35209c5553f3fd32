//! The parts on their own: decimals, and text patterns against a naive reference.

use super::cases;
use crate::engine::filter::decimal::Decimal;
use crate::engine::filter::glob::{GAPPED_MAX, Glob, Symbol};
use proptest::prelude::*;

/// Groups of equal numbers, in ascending order.
const ASCENDING: &[&[&str]] = &[
    &["-1e30"],
    &["-10.5", "-1.05e1", "-010.50"],
    &["-10"],
    &["-0.001", "-1e-3"],
    &["-1e-30"],
    &["0", "-0", "0.0", "0e5", "+0", ".0", "0."],
    &["1e-30"],
    &["0.001", "1e-3", "1E-3", "10e-4"],
    &["0.0010000000000000000000000001"],
    &["0.1", ".1", "1e-1"],
    &["1", "1.", "+1", "1e0", "0.1e1", "1e+0"],
    &["9.999999999999999999999"],
    &["10", "1e1", "010"],
    &["10.5"],
    &["123.45", "12345e-2", "0.12345e3"],
    &["9007199254740992"],
    &["9007199254740993"],
    &["1e400"],
    &["1e99999999999999999999"],
];

fn decimal(text: &str) -> Decimal<'_> {
    Decimal::parse(text).unwrap_or_else(|| panic!("{text} is a number"))
}

#[test]
fn decimals_are_ordered_exactly() {
    for (index, group) in ASCENDING.iter().enumerate() {
        for (other_index, other_group) in ASCENDING.iter().enumerate() {
            for (one, other) in group
                .iter()
                .flat_map(|one| other_group.iter().map(move |o| (one, o)))
            {
                let ordering = decimal(one).cmp(&decimal(other));
                assert_eq!(ordering, index.cmp(&other_index), "{one} against {other}");
            }
        }
    }
}

#[test]
fn what_is_no_decimal_is_refused() {
    for text in [
        "", "-", ".", "e5", "1e", "1e+", "--1", "1.2.3", "0x10", "1 ", " 1", "inf", "NaN", "1_0",
        "١",
    ] {
        assert!(Decimal::parse(text).is_none(), "{text:?}");
    }
}

/// The definition itself, with backtracking.
fn naive(symbols: &[Symbol], text: &[char]) -> bool {
    match (symbols.split_first(), text.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((Symbol::AnyRun, rest)), _) => {
            (0..=text.len()).any(|taken| naive(rest, text.get(taken..).unwrap_or_default()))
        }
        (Some(_), None) => false,
        (Some((Symbol::AnyOne, rest)), Some((_, others))) => naive(rest, others),
        (Some((Symbol::One(own), rest)), Some((character, others))) => {
            own == character && naive(rest, others)
        }
    }
}

fn symbols() -> impl Strategy<Value = Vec<Symbol>> {
    let symbol = prop_oneof![
        3 => prop::sample::select(vec!['a', 'b', 'é']).prop_map(Symbol::One),
        1 => Just(Symbol::AnyOne),
        2 => Just(Symbol::AnyRun),
    ];
    prop::collection::vec(symbol, 0..9)
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn globs_agree_with_their_definition(symbols in symbols(), text in "[abé]{0,10}") {
        let characters: Vec<char> = text.chars().collect();
        prop_assert_eq!(Glob::new(&symbols).matches(&text), naive(&symbols, &characters));
    }

    #[test]
    fn decimals_agree_with_integers(
        left in any::<i32>(),
        right in any::<i32>(),
        zeros in 0_u32..9,
    ) {
        let scaled = format!("{left}{}e-{zeros}", "0".repeat(zeros as usize));
        let right_text = format!("{right}.0");
        prop_assert_eq!(decimal(&scaled).cmp(&decimal(&right_text)), left.cmp(&right));
    }
}

#[test]
fn globs_never_search_twice() {
    // With backtracking, eight runs over this text would take longer than the universe has.
    let text = "a".repeat(1_048_576);
    let part = [
        Symbol::AnyRun,
        Symbol::One('a'),
        Symbol::One('a'),
        Symbol::One('a'),
    ];
    let pattern: Vec<Symbol> = part
        .iter()
        .copied()
        .cycle()
        .take(32)
        .chain([Symbol::One('b')])
        .collect();
    assert!(!Glob::new(&pattern).matches(&text));
}

#[test]
fn pieces_with_gaps_are_searched_for_in_one_pass() {
    // Tried from each place anew, this takes 67 million steps.
    let text = format!("{}b{}", "a".repeat(1_048_576), "é".repeat(63));
    let mut piece = vec![Symbol::AnyOne; GAPPED_MAX - 1];
    piece.insert(0, Symbol::One('b'));
    let around = |piece: &[Symbol]| {
        let all = [&[Symbol::AnyRun], piece, &[Symbol::AnyRun]].concat();
        Glob::new(&all)
    };
    assert!(around(&piece).matches(&text));
    *piece.last_mut().expect("a piece") = Symbol::One('c');
    assert!(!around(&piece).matches(&text));
}
