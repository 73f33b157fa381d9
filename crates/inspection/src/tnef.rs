//! winmail.dat: the attachments that Outlook packs into one part (MS-OXTNEF).

use std::io;
use std::ops::Range;

use crate::charset;
use crate::read::{ReadAt, bytes};

/// A name longer than this is not read whole.
const TEXT_BYTES_MAX: usize = 2_048;
/// Properties of an attachment, at most.
const PROPERTIES_MAX: u32 = 2_000;
/// Values of one property, at most.
const VALUES_MAX: u32 = 2_000;

/// Where attributes begin: behind the signature and a key.
const FIRST_AT: u64 = 6;

/// Before an attribute's data stand its level, its id and its size.
const HEADER_BYTES: u64 = 9;

const LEVEL_ATTACHMENT: u8 = 2;
const ATTACHMENT_TITLE: u16 = 0x8010;
const ATTACHMENT_DATA: u16 = 0x800f;
const ATTACHMENT_BEGIN: u16 = 0x9002;
const ATTACHMENT_PROPERTIES: u16 = 0x9005;

const TEXT_8: u16 = 0x1e;
const TEXT_16: u16 = 0x1f;
const BINARY: u16 = 0x102;
const OBJECT: u16 = 0xd;
const MANY: u16 = 0x1000;

const DATA: u16 = 0x3701;
const DISPLAY_NAME: u16 = 0x3001;
const FILE_NAME: u16 = 0x3704;
const LONG_FILE_NAME: u16 = 0x3707;
const MIME_TAG: u16 = 0x370e;

/// Before an embedded message stands the id of its interface.
const INTERFACE_BYTES: u64 = 16;

/// An attachment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Attachment {
    pub(crate) names: Vec<String>,
    pub(crate) mime: Option<String>,
    /// Where its content is.
    pub(crate) data: Option<Range<u64>>,
}

/// What is in a winmail.dat.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Winmail {
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) is_damaged: bool,
    /// There are more than were asked for.
    pub(crate) has_more: bool,
}

/// Reads the attachments, so many at most.
pub(crate) fn read(file: &dyn ReadAt, attachments_max: u32) -> io::Result<Winmail> {
    let size = file.size_bytes()?;
    let mut winmail = Winmail::default();
    let mut at = FIRST_AT;
    // A line end or two may follow the last attribute.
    while at + HEADER_BYTES < size {
        let head = bytes(file, at, HEADER_BYTES as usize)?;
        let &[level, id_0, id_1, _, _, size_0, size_1, size_2, size_3] = head.as_slice() else {
            winmail.is_damaged = true;
            break;
        };
        let id = u16::from_le_bytes([id_0, id_1]);
        let length = u64::from(u32::from_le_bytes([size_0, size_1, size_2, size_3]));
        let data = at + HEADER_BYTES..at + HEADER_BYTES + length;
        // Behind it stands a checksum of two bytes.
        at = data.end + 2;
        if data.end > size || level == 0 || level > LEVEL_ATTACHMENT {
            winmail.is_damaged = true;
            break;
        }
        if level != LEVEL_ATTACHMENT {
            continue;
        }
        if id == ATTACHMENT_BEGIN || winmail.attachments.is_empty() {
            if winmail.attachments.len() >= attachments_max as usize {
                winmail.has_more = true;
                break;
            }
            winmail.attachments.push(Attachment::default());
        }
        let Some(attachment) = winmail.attachments.last_mut() else { continue };
        match id {
            ATTACHMENT_TITLE => {
                let name = text(file, &data, TEXT_8)?;
                attachment.add(name);
            }
            ATTACHMENT_DATA => attachment.data = Some(data),
            ATTACHMENT_PROPERTIES => winmail.is_damaged |= !properties(file, data, attachment)?,
            _ => {}
        }
    }
    Ok(winmail)
}

impl Attachment {
    fn add(&mut self, name: String) {
        if !name.is_empty() && !self.names.contains(&name) {
            self.names.push(name);
        }
    }
}

fn text(file: &dyn ReadAt, range: &Range<u64>, kind: u16) -> io::Result<String> {
    let count = (range.end - range.start).min(TEXT_BYTES_MAX as u64) as usize;
    let bytes = bytes(file, range.start, count)?;
    let text = if kind == TEXT_16 { charset::text("utf-16le", &bytes) } else { charset::raw(&bytes) };
    Ok(text.trim_end_matches('\0').to_owned())
}

/// Reads an attachment's properties. False where they don't fit together.
fn properties(file: &dyn ReadAt, range: Range<u64>, attachment: &mut Attachment) -> io::Result<bool> {
    let mut reader = Reader { file, at: range.start, end: range.end };
    let Some(count) = reader.u32()? else { return Ok(false) };
    for _ in 0..count.min(PROPERTIES_MAX) {
        let Some(tag) = reader.u32()? else { return Ok(false) };
        let (kind, id) = (tag as u16, (tag >> 16) as u16);
        if id >= 0x8000 && !reader.skip_name()? {
            return Ok(false);
        }
        let value = match reader.values(kind)? {
            Values::First(value) => value,
            Values::Skipped => continue,
            Values::Damaged => return Ok(false),
        };
        match (id, kind & !MANY) {
            // Before the short name, which may be a stand-in: it is what a person sees.
            (LONG_FILE_NAME, TEXT_8 | TEXT_16) => attachment.names.insert(0, text(file, &value, kind)?),
            (FILE_NAME | DISPLAY_NAME, TEXT_8 | TEXT_16) => {
                let name = text(file, &value, kind)?;
                attachment.add(name);
            }
            (MIME_TAG, TEXT_8 | TEXT_16) => attachment.mime = Some(text(file, &value, kind)?.to_ascii_lowercase()),
            (DATA, BINARY | OBJECT) if attachment.data.is_none() => {
                let is_embedded = kind == OBJECT && value.end - value.start > INTERFACE_BYTES;
                let begin = value.start + if is_embedded { INTERFACE_BYTES } else { 0 };
                attachment.data = Some(begin..value.end);
            }
            _ => {}
        }
    }
    Ok(count <= PROPERTIES_MAX)
}

/// The values of a property.
enum Values {
    /// Where the first one is, of those whose size varies.
    First(Range<u64>),
    /// None that is of use here.
    Skipped,
    /// They don't fit together.
    Damaged,
}

/// Reads numbers one after another, up to an end.
struct Reader<'a> {
    file: &'a dyn ReadAt,
    at: u64,
    end: u64,
}

impl Reader<'_> {
    fn u32(&mut self) -> io::Result<Option<u32>> {
        if self.at + 4 > self.end {
            return Ok(None);
        }
        let read = bytes(self.file, self.at, 4)?;
        self.at += 4;
        Ok(read.try_into().ok().map(u32::from_le_bytes))
    }

    /// The next bytes, so many, padded to a multiple of four.
    fn take(&mut self, size: u64) -> Option<Range<u64>> {
        let range = self.at..self.at + size;
        self.at += size.next_multiple_of(4);
        (range.end <= self.end).then_some(range)
    }

    /// Skips the name of a property that has one: a GUID, then a number or a text.
    fn skip_name(&mut self) -> io::Result<bool> {
        if self.take(16).is_none() {
            return Ok(false);
        }
        match self.u32()? {
            Some(0) => Ok(self.u32()?.is_some()),
            Some(_) => {
                let Some(size) = self.u32()? else { return Ok(false) };
                Ok(self.take(u64::from(size)).is_some())
            }
            None => Ok(false),
        }
    }

    /// Skips a property's values.
    fn values(&mut self, kind: u16) -> io::Result<Values> {
        let single = kind & !MANY;
        let varies = matches!(single, TEXT_8 | TEXT_16 | BINARY | OBJECT);
        let count = if varies || kind & MANY != 0 {
            match self.u32()? {
                Some(count) if count <= VALUES_MAX => count,
                _ => return Ok(Values::Damaged),
            }
        } else {
            1
        };
        let mut first = None;
        for _ in 0..count {
            let size = match single {
                0x1 => 0,
                0x2 | 0x3 | 0x4 | 0xa | 0xb => 4,
                0x5 | 0x6 | 0x7 | 0x14 | 0x40 => 8,
                0x48 => 16,
                _ if varies => match self.u32()? {
                    Some(size) => u64::from(size),
                    None => return Ok(Values::Damaged),
                },
                _ => return Ok(Values::Damaged),
            };
            let Some(value) = self.take(size) else { return Ok(Values::Damaged) };
            if varies && first.is_none() {
                first = Some(value);
            }
        }
        Ok(first.map_or(Values::Skipped, Values::First))
    }
}
