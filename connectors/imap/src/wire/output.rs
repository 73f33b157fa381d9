//! Bytes on their way out: small ones gathered, large ones passed on without a copy.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// Pieces up to this size are copied together, larger ones are sent from where they lie: copying costs less than one more
/// entry in the list that the system is given.
const COPY_BYTES_MAX: usize = 4096;

/// Pieces given to the system at once.
pub const SLICES_MAX: usize = 64;

/// A queue of bytes to be written.
#[derive(Debug, Default)]
pub struct Output {
    pieces: VecDeque<Bytes>,
    /// Small pieces after the last of `pieces`.
    tail: BytesMut,
    bytes: usize,
}

impl Output {
    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Does nothing wait?
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Adds bytes by copying them.
    pub fn copy(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.tail.extend_from_slice(bytes);
    }

    /// Adds bytes, without copying them unless they are few.
    pub fn add(&mut self, bytes: Bytes) {
        if bytes.len() <= COPY_BYTES_MAX {
            return self.copy(&bytes);
        }
        self.bytes += bytes.len();
        self.end_tail();
        self.pieces.push_back(bytes);
    }

    fn end_tail(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
    }

    /// The first pieces, as the system takes them: how many of `slices` are filled.
    pub fn slices<'o>(&'o mut self, slices: &mut [IoSlice<'o>; SLICES_MAX]) -> usize {
        self.end_tail();
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    /// So many bytes were written.
    pub fn written(&mut self, mut bytes: usize) {
        self.bytes -= bytes;
        while bytes > 0 {
            let Some(first) = self.pieces.front_mut() else { return };
            let here = bytes.min(first.len());
            first.advance(here);
            bytes -= here;
            if first.is_empty() {
                self.pieces.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_they_came() {
        let mut output = Output::default();
        let mut expected = Vec::new();
        for size in [3, 5000, 1, 0, 4096, 4097, 10_000, 2] {
            let bytes: Vec<u8> = (0..size).map(|n| (n * 7 + size) as u8).collect();
            expected.extend_from_slice(&bytes);
            output.add(Bytes::from(bytes));
        }
        output.copy(b"end");
        expected.extend_from_slice(b"end");
        assert_eq!(output.len(), expected.len());
        let mut sent = Vec::new();
        let mut step = 1;
        while !output.is_empty() {
            let mut slices: [IoSlice<'_>; SLICES_MAX] = std::array::from_fn(|_| IoSlice::new(&[]));
            let count = output.slices(&mut slices);
            let here: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).take(step).collect();
            sent.extend_from_slice(&here);
            output.written(here.len());
            step = step * 3 + 1;
        }
        assert!(sent == expected);
    }
}
