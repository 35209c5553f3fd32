//! What is wrong with a filter's text, and where.

use super::{FILTER_LEVELS_MAX, FILTER_NODES_MAX};
use crate::error::Fault;

/// A mistake at one place of the text being read.
#[derive(Debug)]
pub struct Problem {
    at: usize,
    detail: String,
}

impl Problem {
    /// A mistake at byte `at`; `detail` says what was expected.
    pub fn new(at: usize, detail: impl Into<String>) -> Self {
        Self {
            at,
            detail: detail.into(),
        }
    }

    /// The fault for the client. People count characters from 1, so bytes become that.
    pub fn into_fault(self, language: &str, text: &str) -> Fault {
        let character = 1 + text
            .char_indices()
            .take_while(|(at, _)| *at < self.at)
            .count();
        Fault::bad(
            "filter",
            format!("{language} at character {character}: {}", self.detail),
        )
    }
}

/// Counts the parts of a filter against its limits while it is read.
#[derive(Debug, Default)]
pub struct Budget {
    nodes: usize,
    levels: usize,
}

impl Budget {
    /// Takes one more part, at byte `at`.
    pub fn take(&mut self, at: usize) -> Result<(), Problem> {
        self.nodes += 1;
        if self.nodes > FILTER_NODES_MAX {
            let detail =
                format!("expected at most {FILTER_NODES_MAX} fields, values and operators");
            return Err(Problem::new(at, detail));
        }
        Ok(())
    }

    /// Goes one level down, at byte `at`; `leave` goes back up.
    pub fn enter(&mut self, at: usize) -> Result<(), Problem> {
        self.levels += 1;
        if self.levels > FILTER_LEVELS_MAX {
            let detail = format!("expected at most {FILTER_LEVELS_MAX} levels of nesting");
            return Err(Problem::new(at, detail));
        }
        Ok(())
    }

    /// Goes one level up.
    pub fn leave(&mut self) {
        self.levels -= 1;
    }
}
