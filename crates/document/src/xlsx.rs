//! x
use crate::Document;
/// x
pub fn xlsx(_document: &Document) -> Vec<u8> { Vec::new() }
