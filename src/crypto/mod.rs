//! Keys, hashes and signatures: what others can verify without asking.
//!
//! The algorithms are those of kept libraries; owns what is signed and in which form. Pure: the
//! randomness of a key is an argument.

pub mod hs256;
pub mod jwk;
pub mod jws;
pub mod ticket;
