//! Bytes ↔ frames: the small codecs that protocols are made of. No broker words, no state.

pub mod base64;
pub mod binding;
pub mod head;
pub mod json_text;
pub mod percent;
pub mod query;
pub mod trace;
