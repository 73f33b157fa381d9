//! x
use crate::Document;
/// x
pub fn docx(_document: &Document) -> Vec<u8> {
    Vec::new()
}
