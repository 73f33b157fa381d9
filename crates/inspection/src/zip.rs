//! Zip archives: which files are in one, by its directory, by the header before each file, and by headers that the
//! directory does not name; and their contents, unpacked while they are read.
//!
//! Readers differ in which of the names they show, so a file has every name that any of them may take. Nothing is
//! believed of what an archive says about sizes.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::rc::Rc;

use flate2::{Decompress, FlushDecompress, Status};

use crate::charset;
use crate::read::{ReadAt, Slice, bytes, fill};

/// A name longer than this is cut at its beginning.
const NAME_BYTES_MAX: usize = 512;
/// The directory's end is looked for in so many of the last bytes: its comment has at most 65,535.
const END_BYTES_MAX: u64 = 66 * 1024;
/// Bytes read, and unpacked, at once.
const PIECE_BYTES: usize = 32 * 1024;
/// Bytes that a header is looked for in at once.
const SEARCH_BYTES: usize = 64 * 1024;

const LOCAL: &[u8; 4] = b"PK\x03\x04";
const LOCAL_BYTES: usize = 30;
const CENTRAL: &[u8; 4] = b"PK\x01\x02";
const CENTRAL_BYTES: usize = 46;
const END: &[u8; 4] = b"PK\x05\x06";
const END_BYTES: usize = 22;
const END_64_LOCATOR: &[u8; 4] = b"PK\x06\x07";

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ENCRYPTED: u16 = 1;
const SIZES_FOLLOW: u16 = 1 << 3;
const UTF_8: u16 = 1 << 11;

/// A file of an archive.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) names: Vec<String>,
    pub(crate) is_encrypted: bool,
    method: u16,
    /// Where its packed bytes are, as far as anyone knows.
    packed: Range<u64>,
    /// What the archive's directory says of its content: CRC-32 and size. None of a file that is not listed there.
    pub(crate) said: Option<(u32, u64)>,
}

impl Entry {
    pub(crate) fn is_folder(&self) -> bool {
        self.packed.is_empty() && self.names.iter().all(|name| name.ends_with(['/', '\\']))
    }

    /// Its content; none when it is packed in a way that is not known.
    pub(crate) fn open<'a>(&self, file: &'a dyn ReadAt, budget: &Rc<Cell<u64>>) -> Option<Content<'a>> {
        let packed = Slice::new(file, self.packed.clone());
        match self.method {
            STORED => Some(Content::Stored(packed)),
            DEFLATED => Some(Content::Deflated(Box::new(Inflated::new(packed, budget.clone())))),
            _ => None,
        }
    }
}

/// What is in an archive.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// In the order of their places.
    pub(crate) entries: Vec<Entry>,
    /// Something does not fit together.
    pub(crate) is_damaged: bool,
    /// There are more than were asked for.
    pub(crate) has_more: bool,
}

/// Reads which files are in an archive, so many at most.
pub(crate) fn directory(file: &dyn ReadAt, entries_max: u32) -> io::Result<Directory> {
    let size = file.size_bytes()?;
    let mut directory = Directory::default();
    let mut listed = Vec::new();
    match central(file, size, entries_max as usize)? {
        Some(central) => {
            directory.is_damaged = central.is_damaged;
            directory.has_more = central.has_more;
            listed = central.records;
        }
        None => directory.is_damaged = true,
    }
    listed.sort_by_key(|record| record.local_at);
    // What lies between the files that are listed may hold others: some readers go from header to header.
    let mut from = 0;
    for record in &listed {
        hidden(file, from..record.local_at.min(size), entries_max, &mut directory)?;
        let Some((local, data_at)) = local(file, record.local_at)? else {
            directory.is_damaged = true;
            directory.entries.push(Entry {
                names: record.names.clone(),
                is_encrypted: record.flags & ENCRYPTED != 0,
                method: u16::MAX,
                packed: 0..record.size,
                said: None,
            });
            continue;
        };
        let mut names = record.names.clone();
        names.extend(local.names.into_iter().filter(|name| !record.names.contains(name)));
        let data_at = data_at.min(size);
        let packed = data_at..data_at.saturating_add(record.size).min(size);
        from = from.max(packed.end);
        directory.is_damaged |= local.method != record.method;
        directory.entries.push(Entry {
            names,
            is_encrypted: (record.flags | local.flags) & ENCRYPTED != 0,
            method: local.method,
            packed,
            said: Some((record.crc, record.unpacked)),
        });
    }
    hidden(file, from..size, entries_max, &mut directory)?;
    Ok(directory)
}

/// Adds the files whose headers stand here without being listed.
fn hidden(file: &dyn ReadAt, range: Range<u64>, entries_max: u32, directory: &mut Directory) -> io::Result<()> {
    let mut at = range.start;
    let mut piece = vec![0; if range.is_empty() { 0 } else { SEARCH_BYTES }];
    while at + LOCAL.len() as u64 <= range.end {
        let wanted = (range.end - at).min(piece.len() as u64) as usize;
        let count = fill(file, at, &mut piece[..wanted])?;
        if count < LOCAL.len() {
            break;
        }
        let Some(found) = memchr::memmem::find(&piece[..count], LOCAL) else {
            // A header may begin in the last bytes.
            at += (count - LOCAL.len() + 1) as u64;
            continue;
        };
        at += found as u64;
        let Some((record, data_at)) = local(file, at)? else {
            at += LOCAL.len() as u64;
            continue;
        };
        if directory.entries.len() >= entries_max as usize {
            directory.has_more = true;
            break;
        }
        let is_size_known = record.flags & SIZES_FOLLOW == 0 && record.size > 0;
        let end = if is_size_known { data_at.saturating_add(record.size).min(range.end) } else { range.end };
        let packed = data_at.min(end)..end;
        at = if is_size_known { packed.end.max(data_at) } else { data_at };
        directory.entries.push(Entry {
            names: record.names,
            is_encrypted: record.flags & ENCRYPTED != 0,
            method: record.method,
            packed,
            said: None,
        });
        // A file that the directory does not name.
        directory.is_damaged = true;
    }
    Ok(())
}

/// What a header says of a file.
#[derive(Debug)]
struct Record {
    names: Vec<String>,
    flags: u16,
    method: u16,
    crc: u32,
    /// Packed bytes.
    size: u64,
    /// Unpacked bytes.
    unpacked: u64,
    local_at: u64,
}

struct Central {
    records: Vec<Record>,
    is_damaged: bool,
    has_more: bool,
}

fn le_16(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |bytes| u16::from(bytes[0]) | u16::from(bytes[1]) << 8)
}

fn le_32(bytes: &[u8], at: usize) -> u32 {
    u32::from(le_16(bytes, at)) | u32::from(le_16(bytes, at + 2)) << 16
}

fn le_64(bytes: &[u8], at: usize) -> u64 {
    u64::from(le_32(bytes, at)) | u64::from(le_32(bytes, at + 4)) << 32
}

/// The directory at the archive's end; none when there is none.
fn central(file: &dyn ReadAt, size: u64, entries_max: usize) -> io::Result<Option<Central>> {
    let tail_at = size.saturating_sub(END_BYTES_MAX);
    let tail = bytes(file, tail_at, (size - tail_at) as usize)?;
    let Some(found) = memchr::memmem::rfind(&tail, END).filter(|at| tail.len() - at >= END_BYTES) else {
        return Ok(None);
    };
    let end = &tail[found..];
    let end_at = tail_at + found as u64;
    let (mut count, mut directory_bytes, mut directory_at) =
        (u64::from(le_16(end, 10)), u64::from(le_32(end, 12)), u64::from(le_32(end, 16)));
    let mut behind = end_at;
    let locator_at = found.saturating_sub(20);
    if tail[locator_at..].starts_with(END_64_LOCATOR) {
        let end_64_at = le_64(&tail, locator_at + 8);
        let end_64 = bytes(file, end_64_at, 56)?;
        if end_64.starts_with(b"PK\x06\x06") {
            (count, directory_bytes, directory_at) = (le_64(&end_64, 32), le_64(&end_64, 40), le_64(&end_64, 48));
            behind = end_64_at;
        }
    }
    // Something may stand before the archive: a program that unpacks it.
    let real_at = behind.saturating_sub(directory_bytes);
    let starts_at = |at: u64| Ok::<_, io::Error>(bytes(file, at, 4)? == CENTRAL);
    let shift = match (count, starts_at(real_at)?, starts_at(directory_at)?) {
        (0, _, _) => 0,
        (_, true, _) => real_at.saturating_sub(directory_at),
        (_, false, true) => 0,
        _ => return Ok(None),
    };
    let mut central = Central { records: Vec::new(), is_damaged: false, has_more: false };
    let mut at = directory_at.saturating_add(shift);
    loop {
        let header = bytes(file, at, CENTRAL_BYTES)?;
        if !header.starts_with(CENTRAL) || header.len() < CENTRAL_BYTES {
            break;
        }
        if central.records.len() == entries_max {
            central.has_more = true;
            return Ok(Some(central));
        }
        let (flags, name_size, extra_size) = (le_16(&header, 8), le_16(&header, 28), le_16(&header, 30));
        let behind = bytes(file, at + CENTRAL_BYTES as u64, usize::from(name_size) + usize::from(extra_size))?;
        let (name, extra) = behind.split_at(usize::from(name_size).min(behind.len()));
        let (unpacked, size, local_at) = sizes_64(extra, &header);
        central.records.push(Record {
            names: names(name, flags, extra),
            flags,
            method: le_16(&header, 10),
            crc: le_32(&header, 16),
            size,
            unpacked,
            local_at: local_at.saturating_add(shift),
        });
        at += CENTRAL_BYTES as u64 + u64::from(name_size) + u64::from(extra_size) + u64::from(le_16(&header, 32));
    }
    // Without zip64 only the last 16 bits of the count are there.
    central.is_damaged = central.records.len() as u64 & 0xffff != count & 0xffff;
    Ok(Some(central))
}

/// Unpacked and packed size and place of the local header, which may be in the extra field.
fn sizes_64(extra: &[u8], header: &[u8]) -> (u64, u64, u64) {
    const IN_EXTRA: u32 = u32::MAX;
    let (unpacked, packed, at) = (le_32(header, 24), le_32(header, 20), le_32(header, 42));
    let Some(long) = extra_field(extra, 0x0001) else {
        return (unpacked.into(), packed.into(), at.into());
    };
    let mut next = 0;
    let mut long_or = |short: u32| {
        if short != IN_EXTRA || long.len() < next + 8 {
            return u64::from(short);
        }
        next += 8;
        le_64(long, next - 8)
    };
    let (unpacked, packed) = (long_or(unpacked), long_or(packed));
    (unpacked, packed, long_or(at))
}

fn extra_field(mut extra: &[u8], id: u16) -> Option<&[u8]> {
    while extra.len() >= 4 {
        let size = usize::from(le_16(extra, 2));
        let body = &extra[4..(4 + size).min(extra.len())];
        if le_16(extra, 0) == id {
            return Some(body);
        }
        extra = &extra[4 + body.len()..];
    }
    None
}

/// A file's names: as it stands, and as the field for UTF-8 has it.
fn names(name: &[u8], flags: u16, extra: &[u8]) -> Vec<String> {
    let end_of = |name: &[u8]| name[name.len().saturating_sub(NAME_BYTES_MAX)..].to_vec();
    let name = end_of(name);
    let own = if flags & UTF_8 == 0 { charset::raw(&name) } else { String::from_utf8_lossy(&name).into_owned() };
    let mut names = vec![own];
    if let Some(field) = extra_field(extra, 0x7075).and_then(|field| field.get(5..)) {
        let other = String::from_utf8_lossy(&end_of(field)).into_owned();
        if other != names[0] {
            names.push(other);
        }
    }
    names
}

/// The header before a file's bytes, and where these begin.
fn local(file: &dyn ReadAt, at: u64) -> io::Result<Option<(Record, u64)>> {
    let header = bytes(file, at, LOCAL_BYTES)?;
    if !header.starts_with(LOCAL) || header.len() < LOCAL_BYTES {
        return Ok(None);
    }
    let (flags, name_size, extra_size) = (le_16(&header, 6), le_16(&header, 26), le_16(&header, 28));
    let behind = bytes(file, at + LOCAL_BYTES as u64, usize::from(name_size) + usize::from(extra_size))?;
    let (name, extra) = behind.split_at(usize::from(name_size).min(behind.len()));
    let data_at = at + LOCAL_BYTES as u64 + u64::from(name_size) + u64::from(extra_size);
    let record = Record {
        names: names(name, flags, extra),
        flags,
        method: le_16(&header, 8),
        crc: le_32(&header, 14),
        size: u64::from(le_32(&header, 18)),
        unpacked: u64::from(le_32(&header, 22)),
        local_at: at,
    };
    Ok(Some((record, data_at)))
}

/// A file's content.
pub(crate) enum Content<'a> {
    Stored(Slice<'a>),
    Deflated(Box<Inflated<'a>>),
}

impl Content<'_> {
    pub(crate) fn as_read_at(&self) -> &dyn ReadAt {
        match self {
            Self::Stored(slice) => slice,
            Self::Deflated(inflated) => inflated.as_ref(),
        }
    }
}

/// A deflated content, unpacked while it is read. Reading before what was read last begins from the start; each byte
/// that is unpacked, again or not, is taken from the budget, and without one left reading fails.
pub(crate) struct Inflated<'a> {
    packed: Slice<'a>,
    budget: Rc<Cell<u64>>,
    state: RefCell<Unpacking>,
}

struct Unpacking {
    decompress: Decompress,
    packed_at: u64,
    input: Vec<u8>,
    taken: usize,
    piece_at: u64,
    piece: Vec<u8>,
    is_over: bool,
}

impl Unpacking {
    fn new() -> Self {
        Self {
            decompress: Decompress::new(false),
            packed_at: 0,
            input: Vec::new(),
            taken: 0,
            piece_at: 0,
            piece: Vec::new(),
            is_over: false,
        }
    }

    fn end(&self) -> u64 {
        self.piece_at + self.piece.len() as u64
    }

    /// Unpacks the next piece.
    fn advance(&mut self, packed: &dyn ReadAt) -> io::Result<()> {
        if self.taken == self.input.len() {
            self.input = vec![0; PIECE_BYTES];
            let count = packed.read_at(self.packed_at, &mut self.input)?;
            self.input.truncate(count);
            self.taken = 0;
            self.packed_at += count as u64;
        }
        self.piece_at = self.end();
        self.piece = vec![0; PIECE_BYTES];
        let (before_in, before_out) = (self.decompress.total_in(), self.decompress.total_out());
        let status = self.decompress.decompress(&self.input[self.taken..], &mut self.piece, FlushDecompress::None);
        let taken = (self.decompress.total_in() - before_in) as usize;
        let given = (self.decompress.total_out() - before_out) as usize;
        self.taken += taken;
        self.piece.truncate(given);
        match status {
            Ok(Status::StreamEnd) => self.is_over = true,
            Ok(_) if taken == 0 && given == 0 => return Err(ErrorKind::InvalidData.into()),
            Ok(_) => {}
            Err(error) => return Err(io::Error::new(ErrorKind::InvalidData, error)),
        }
        Ok(())
    }
}

impl<'a> Inflated<'a> {
    fn new(packed: Slice<'a>, budget: Rc<Cell<u64>>) -> Self {
        Self { packed, budget, state: RefCell::new(Unpacking::new()) }
    }
}

impl ReadAt for Inflated<'_> {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.borrow_mut();
        if at < state.piece_at {
            *state = Unpacking::new();
        }
        while at >= state.end() {
            if state.is_over {
                return Ok(0);
            }
            state.advance(&self.packed)?;
            let Some(left) = self.budget.get().checked_sub(state.piece.len() as u64) else {
                self.budget.set(0);
                return Err(ErrorKind::QuotaExceeded.into());
            };
            self.budget.set(left);
        }
        let rest = &state.piece[(at - state.piece_at) as usize..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        self.read_at(u64::MAX, &mut [0])?;
        Ok(self.state.borrow().end())
    }
}
