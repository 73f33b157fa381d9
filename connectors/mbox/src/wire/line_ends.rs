//! Line ends: LF in files, CRLF on the wire.

/// How the lines of some bytes end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LineEnds {
    /// LF with a CR before it.
    pub(crate) crlf: u64,
    /// LF without.
    pub(crate) lf: u64,
    /// CR without an LF behind it.
    pub(crate) cr: u64,
    /// The bytes so far ended in CR.
    ends_in_cr: bool,
}

impl LineEnds {
    /// Of all these bytes.
    #[cfg(test)]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut ends = Self::default();
        ends.count(bytes);
        ends.end();
        ends
    }

    /// Counts the next piece.
    pub(crate) fn count(&mut self, piece: &[u8]) {
        for at in memchr::memchr2_iter(b'\r', b'\n', piece) {
            let after_cr = if at == 0 { self.ends_in_cr } else { piece[at - 1] == b'\r' };
            if piece[at] == b'\r' {
                self.cr += 1; // taken back when an LF follows
            } else if after_cr {
                self.crlf += 1;
                self.cr -= 1;
            } else {
                self.lf += 1;
            }
        }
        if let Some(last) = piece.last() {
            self.ends_in_cr = *last == b'\r';
        }
    }

    /// Adds those of other whole lines.
    pub(crate) fn add(&mut self, other: &Self) {
        self.crlf += other.crlf;
        self.lf += other.lf;
        self.cr += other.cr;
    }

    #[cfg(test)]
    fn end(&mut self) {
        self.ends_in_cr = false;
    }

    /// A file of these lines is read with CRLF for LF.
    pub(crate) fn is_lf_only(&self) -> bool {
        self.lf > 0 && self.crlf == 0
    }
}

/// The bytes with CRLF for each LF.
pub(crate) fn to_wire(bytes: &[u8], out: &mut Vec<u8>) {
    let mut from = 0;
    for at in memchr::memchr_iter(b'\n', bytes) {
        out.extend_from_slice(&bytes[from..at]);
        out.extend_from_slice(b"\r\n");
        from = at + 1;
    }
    out.extend_from_slice(&bytes[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_in_pieces_of_any_size() {
        let text = b"a\r\nb\nc\rd\r\r\n\r";
        let whole = LineEnds::of(text);
        assert_eq!((whole.crlf, whole.lf, whole.cr), (2, 1, 3));
        for size in 1..text.len() {
            let mut ends = LineEnds::default();
            text.chunks(size).for_each(|piece| ends.count(piece));
            ends.end();
            assert_eq!(ends, whole, "in pieces of {size}");
        }
    }

    #[test]
    fn converted_in_pieces_of_any_size() {
        let file = b"a\n\nb\nno end";
        for size in 1..file.len() {
            let mut wire = Vec::new();
            file.chunks(size).for_each(|piece| to_wire(piece, &mut wire));
            assert_eq!(wire, b"a\r\n\r\nb\r\nno end");
        }
    }
}
