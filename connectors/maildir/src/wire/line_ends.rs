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

    fn end(&mut self) {
        self.ends_in_cr = false;
    }

    /// A file of these lines is read with CRLF for LF.
    pub(crate) fn is_lf_only(&self) -> bool {
        self.lf > 0 && self.crlf == 0
    }

    /// An item of these lines is written with LF for CRLF, and reads back the same.
    pub(crate) fn is_crlf_only(&self) -> bool {
        self.lf == 0 && self.cr == 0
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

/// The bytes with LF for each CRLF. `held_cr`: a CR that ended the piece before and has not been written; the same for
/// the next one.
pub(crate) fn to_file(bytes: &[u8], held_cr: &mut bool, out: &mut Vec<u8>) {
    let mut from = 0;
    if *held_cr && bytes.first().is_some_and(|first| *first != b'\n') {
        out.push(b'\r');
    }
    if !bytes.is_empty() {
        *held_cr = false;
    }
    for at in memchr::memchr_iter(b'\r', bytes) {
        if bytes.get(at + 1) == Some(&b'\n') {
            out.extend_from_slice(&bytes[from..at]);
            from = at + 1;
        } else if at + 1 == bytes.len() {
            out.extend_from_slice(&bytes[from..at]);
            from = at + 1;
            *held_cr = true;
        }
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
    fn converted_there_and_back() {
        let wire = b"a\r\n\r\nb\r\nno end";
        for size in 1..wire.len() {
            let (mut file, mut held) = (Vec::new(), false);
            wire.chunks(size).for_each(|piece| to_file(piece, &mut held, &mut file));
            assert_eq!(file, b"a\n\nb\nno end");
            let mut back = Vec::new();
            file.chunks(size).for_each(|piece| to_wire(piece, &mut back));
            assert_eq!(back, wire);
        }
    }
}
