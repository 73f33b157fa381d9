//! Looks at each part: its names, its type, its content, and at what is packed into it.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::rc::Rc;

use model::Digest;
use ring::digest::{Context, SHA256};

use crate::decode::{Decoded, Encoding};
use crate::finding::{Extent, File, Finding, Inspection};
use crate::kind::{DISC_AT, HEAD_BYTES, Kind, is_disc};
use crate::read::{Lines, ReadAt, Slice, bytes};
use crate::rules::{Banned, Limits, Rules, Seal, Unseen, Why};
use crate::walk::{Part, Visitor, holds_message, walk};
use crate::{inline, name, tnef, zip};

/// Bytes hashed at once.
const PIECE_BYTES: usize = 64 * 1024;
/// More findings of one attachment are not listed: it is replaced as a whole.
const FINDINGS_OF_ATTACHMENT_MAX: usize = 25;
/// A field's name is not longer than this.
const FIELD_BYTES_MAX: usize = 80;
/// Types that winmail.dat comes with.
const WINMAIL_TYPES: [&str; 2] = ["application/ms-tnef", "application/vnd.ms-tnef"];

/// The state of an inspection.
pub(crate) struct Inspector<'a> {
    message: &'a dyn ReadAt,
    rules: &'a Rules,
    limits: &'a Limits,
    /// Bytes that may still be unpacked.
    unpacked: Rc<Cell<u64>>,
    /// Files of archives that may still be looked at.
    entries: u32,
    /// Set while a message within an encoded part is looked at.
    outer: Option<Outer>,
    is_full: bool,
    found: Inspection,
}

/// The part that holds an encoded message.
#[derive(Clone)]
struct Outer {
    at: Spot,
    seal: Option<Seal>,
    depth: u32,
}

/// Where the looking is.
#[derive(Clone)]
struct Spot {
    part: String,
    inside: Vec<String>,
    extent: Extent,
}

/// Something with a name and a content.
struct Thing {
    names: Vec<String>,
    mimes: Vec<String>,
    /// It is a file to whoever reads the message, not its text.
    is_attachment: bool,
    /// Its name says nothing of what it is: an attached message is often named after its subject, such as `Our visit to
    /// example.com`, and what makes up a document is no file to its reader.
    is_name_idle: bool,
    /// Its size is not more than this, if anyone knows.
    size_max: Option<u64>,
    seal: Option<Seal>,
}

impl Thing {
    fn name(&self) -> String {
        self.names.first().map(|name| name::shown(name)).unwrap_or_default()
    }

    fn file(&self, content: &dyn ReadAt) -> io::Result<File> {
        let measured = match measure(content) {
            Ok((size, digest)) => (Some(size), Some(digest)),
            Err(error) if is_of_archive(&error) => (None, None),
            Err(error) => return Err(error),
        };
        let mime = self.mimes.first().cloned().unwrap_or_default();
        Ok(File { name: self.name(), mime, size_bytes: measured.0, sha256: measured.1 })
    }
}

/// Is it an archive that fails, not the reading of the message?
fn is_of_archive(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::QuotaExceeded)
}

/// Size and SHA-256 of a content.
fn measure(content: &dyn ReadAt) -> io::Result<(u64, Digest)> {
    let (mut hash, mut size, mut piece) = (Context::new(&SHA256), 0, vec![0; PIECE_BYTES]);
    loop {
        let count = content.read_at(size, &mut piece)?;
        if count == 0 {
            break;
        }
        hash.update(&piece[..count]);
        size += count as u64;
    }
    let digest = Digest::from_bytes(hash.finish().as_ref()).ok_or(ErrorKind::Other)?;
    Ok((size, digest))
}

impl<'a> Inspector<'a> {
    pub(crate) fn new(message: &'a dyn ReadAt, rules: &'a Rules, limits: &'a Limits) -> Self {
        Self {
            message,
            rules,
            limits,
            unpacked: Rc::new(Cell::new(limits.unpacked_bytes_max)),
            entries: limits.archive_entries_max,
            outer: None,
            is_full: false,
            found: Inspection::default(),
        }
    }

    pub(crate) fn run(mut self) -> io::Result<Inspection> {
        let (message, limits) = (self.message, self.limits);
        walk(message, limits, &mut self)?;
        let (mut found, size) = (self.found, message.size_bytes()?);
        for finding in &mut found.findings {
            finding.bytes.end = finding.bytes.end.min(size);
        }
        found.findings.sort_by_key(|finding| (finding.bytes.start, std::cmp::Reverse(finding.bytes.end)));
        Ok(found)
    }

    fn push(&mut self, finding: Finding) {
        if self.is_full {
            return;
        }
        if self.found.findings.len() < self.limits.findings_max {
            self.found.findings.push(finding);
            return;
        }
        // What is not listed is not replaced either, so the message as a whole can't travel under that rule.
        self.is_full = finding.rule.is_some();
        let ban = self.ban_of_unseen(Unseen::TooManyFindings);
        let rule = finding.rule.or(ban);
        let is_said = self.found.findings.iter().any(|known| known.why == Why::Unseen(Unseen::TooManyFindings));
        if rule.is_some() || !is_said {
            self.found.findings.push(Finding {
                rule,
                why: Why::Unseen(Unseen::TooManyFindings),
                file: File::default(),
                part: String::new(),
                inside: Vec::new(),
                attachment: None,
                sealed: None,
                bytes: Extent::Message.bytes(),
                extent: Extent::Message,
            });
        }
    }

    fn ban_of_unseen(&self, unseen: Unseen) -> Option<String> {
        let bans = |ban: &&crate::Ban| matches!(&ban.what, Banned::Unseen(list) if list.contains(&unseen));
        self.rules.bans.iter().find(bans).map(|ban| ban.id.clone())
    }

    fn push_unseen(&mut self, unseen: Unseen, file: File, at: &Spot, sealed: Option<Seal>) {
        let rule = self.ban_of_unseen(unseen);
        self.push_at(rule, Why::Unseen(unseen), file, at, sealed);
    }

    fn push_at(&mut self, rule: Option<String>, why: Why, file: File, at: &Spot, sealed: Option<Seal>) {
        self.push(Finding {
            rule,
            why,
            file,
            part: at.part.clone(),
            inside: at.inside.clone(),
            attachment: None,
            sealed,
            bytes: at.extent.bytes(),
            extent: at.extent.clone(),
        });
    }

    /// What a seal hides. A rule that bans this is about the seal itself, so it binds whatever happens to what is under
    /// seals; and nothing takes the place of a text that nobody has seen.
    fn push_seal_unseen(&mut self, unseen: Unseen, at: Spot) {
        self.push_unseen(unseen, File::default(), &Spot { extent: Extent::Message, ..at }, None);
    }

    /// Where a part is: within the message, or within the encoded one that is looked at.
    fn spot(&self, part: &Part) -> Spot {
        match &self.outer {
            Some(outer) => {
                let mut spot = outer.at.clone();
                spot.inside.push(format!("part {}", part.number));
                spot
            }
            None => Spot { part: part.number.clone(), inside: Vec::new(), extent: Extent::Part(part.place.clone()) },
        }
    }

    fn seal_of(&self, part: &Part) -> Option<Seal> {
        self.outer.as_ref().and_then(|outer| outer.seal).or(part.seal)
    }

    /// The first rule that bans this.
    fn banned(&self, thing: &Thing, kind: Option<Kind>, content: &dyn ReadAt) -> io::Result<Option<(String, Why)>> {
        for ban in &self.rules.bans {
            let why = match &ban.what {
                Banned::Extensions(list) => {
                    let names = if thing.is_name_idle { &[] } else { thing.names.as_slice() };
                    let found = names.iter().find_map(|name| name::banned_extension(name, list));
                    found.map(|extension| Why::Extension(extension.to_owned()))
                }
                Banned::Types(list) => {
                    let matches = |mime: &&String| {
                        let group = mime.split('/').next().unwrap_or_default();
                        list.contains(*mime) || list.contains(&format!("{group}/*"))
                    };
                    thing.mimes.iter().find(matches).map(|mime| Why::Type(mime.clone()))
                }
                Banned::Kinds(list) => kind
                    .filter(|kind| list.contains(kind) && (thing.is_attachment || !kind.may_be_text()))
                    .map(Why::Kind),
                Banned::LargerThan(max) => {
                    let may_be = thing.is_attachment && thing.size_max.is_some_and(|size| size > *max);
                    (may_be && content.size_bytes()? > *max).then_some(Why::LargerThan(*max))
                }
                Banned::Unseen(_) => None,
            };
            if let Some(why) = why {
                return Ok(Some((ban.id.clone(), why)));
            }
        }
        Ok(None)
    }

    /// Takes the reading of a whole file of an archive from what may be unpacked: an archive may list one file a thousand
    /// times, and what is only stored in it costs nothing to write.
    fn may_read(&self, content: &dyn ReadAt, depth: u32) -> io::Result<bool> {
        if depth == 0 {
            return Ok(true);
        }
        let size = match content.size_bytes() {
            Err(error) if is_of_archive(&error) => return Ok(true), // said by whoever reads it next
            size => size?,
        };
        let left = self.unpacked.get().checked_sub(size);
        self.unpacked.set(left.unwrap_or(0));
        Ok(left.is_some())
    }

    /// Looks at something and at what is packed into it.
    fn look(&mut self, thing: &Thing, content: &dyn ReadAt, at: &Spot, depth: u32) -> io::Result<()> {
        let head = bytes(content, 0, HEAD_BYTES)?;
        let mut kind = Kind::of(&head);
        if kind.is_none() && thing.is_attachment && head.len() == HEAD_BYTES && asks_for_discs(self.rules) {
            kind = is_disc(&bytes(content, DISC_AT, 5)?).then_some(Kind::DiscImage);
        }
        if let Some((rule, why)) = self.banned(thing, kind, content)? {
            let file = if self.may_read(content, depth)? { thing.file(content)? } else { named(thing) };
            self.push_at(Some(rule), why, file, at, thing.seal);
            return Ok(());
        }
        let is_winmail = kind == Some(Kind::Winmail);
        if kind.is_some_and(Kind::is_other_archive) && thing.is_attachment {
            self.push_unseen(Unseen::UnknownArchive, named(thing), at, thing.seal);
        } else if kind == Some(Kind::Zip) || is_winmail || says_zip(thing) {
            if depth >= self.limits.archive_depth_max {
                self.push_unseen(Unseen::DeepArchive, named(thing), at, thing.seal);
            } else if !self.may_read(content, depth)? {
                self.push_unseen(Unseen::LargeArchive, named(thing), at, thing.seal);
            } else {
                let mut within = at.clone();
                within.inside.push(thing.name());
                let outcome = if is_winmail {
                    self.look_into_winmail(thing, content, &within, depth)
                } else {
                    self.look_into_zip(thing, content, &within, depth)
                };
                match outcome {
                    Err(error) if is_of_archive(&error) => {
                        let unseen = match error.kind() {
                            ErrorKind::QuotaExceeded => Unseen::LargeArchive,
                            _ if is_winmail => Unseen::DamagedWinmail,
                            _ => Unseen::DamagedArchive,
                        };
                        self.push_unseen(unseen, named(thing), at, thing.seal);
                    }
                    outcome => outcome?,
                }
            }
        } else if thing.mimes.iter().any(|mime| WINMAIL_TYPES.contains(&mime.as_str())) {
            self.push_unseen(Unseen::DamagedWinmail, named(thing), at, thing.seal);
        }
        Ok(())
    }

    fn look_into_zip(&mut self, thing: &Thing, file: &dyn ReadAt, at: &Spot, depth: u32) -> io::Result<()> {
        let directory = zip::directory(file, self.entries)?;
        self.entries = self.entries.saturating_sub(directory.entries.len() as u32);
        let found_before = self.found.findings.len();
        let mut unseen = Vec::new();
        let mut add = |what: Unseen| {
            if !unseen.contains(&what) {
                unseen.push(what);
            }
        };
        if directory.is_damaged {
            add(Unseen::DamagedArchive);
        }
        if directory.has_more {
            add(Unseen::LargeArchive);
        }
        let is_document = is_document(thing, &directory);
        let budget = self.unpacked.clone();
        for entry in &directory.entries {
            if entry.is_folder() {
                continue;
            }
            if self.found.findings.len() - found_before >= FINDINGS_OF_ATTACHMENT_MAX {
                break;
            }
            let inner = Thing {
                names: entry.names.clone(),
                mimes: Vec::new(),
                is_attachment: true,
                is_name_idle: is_document,
                size_max: None,
                seal: thing.seal,
            };
            let content = if entry.is_encrypted { None } else { entry.open(file, &budget) };
            let outcome = match &content {
                Some(content) => self.look(&inner, content.as_read_at(), at, depth + 1),
                None => {
                    add(if entry.is_encrypted { Unseen::EncryptedArchive } else { Unseen::UnknownArchive });
                    self.look_by_name(&inner, at);
                    Ok(())
                }
            };
            match outcome {
                Err(error) if is_of_archive(&error) => {
                    let is_large = error.kind() == ErrorKind::QuotaExceeded;
                    add(if is_large { Unseen::LargeArchive } else { Unseen::DamagedArchive });
                    self.look_by_name(&inner, at);
                }
                outcome => outcome?,
            }
            if is_macro(&entry.names) {
                self.look_by_kind(Kind::OfficeMacro, &inner, at);
            }
        }
        let mut outside = at.clone();
        outside.inside.pop();
        for what in unseen {
            self.push_unseen(what, named(thing), &outside, thing.seal);
        }
        Ok(())
    }

    /// Judges something by its name alone, where its content can't be read.
    fn look_by_name(&mut self, thing: &Thing, at: &Spot) {
        let nothing: &[u8] = &[];
        if let Ok(Some((rule, why))) = self.banned(thing, None, &nothing) {
            self.push_at(Some(rule), why, named(thing), at, thing.seal);
        }
    }

    fn look_by_kind(&mut self, kind: Kind, thing: &Thing, at: &Spot) {
        let bans = |ban: &&crate::Ban| matches!(&ban.what, Banned::Kinds(list) if list.contains(&kind));
        if let Some(ban) = self.rules.bans.iter().find(bans) {
            self.push_at(Some(ban.id.clone()), Why::Kind(kind), named(thing), at, thing.seal);
        }
    }

    fn look_into_winmail(&mut self, thing: &Thing, file: &dyn ReadAt, at: &Spot, depth: u32) -> io::Result<()> {
        let winmail = tnef::read(file, self.entries)?;
        self.entries = self.entries.saturating_sub(winmail.attachments.len() as u32);
        let found_before = self.found.findings.len();
        for attachment in &winmail.attachments {
            if self.found.findings.len() - found_before >= FINDINGS_OF_ATTACHMENT_MAX {
                break;
            }
            let range = attachment.data.clone().unwrap_or(0..0);
            let inner = Thing {
                names: attachment.names.clone(),
                mimes: attachment.mime.iter().cloned().collect(),
                is_attachment: true,
                is_name_idle: false,
                size_max: Some(range.end - range.start),
                seal: thing.seal,
            };
            self.look(&inner, &Slice::new(file, range), at, depth + 1)?;
        }
        let mut outside = at.clone();
        outside.inside.pop();
        for (is_so, what) in [(winmail.is_damaged, Unseen::DamagedWinmail), (winmail.has_more, Unseen::LargeArchive)] {
            if is_so {
                self.push_unseen(what, named(thing), &outside, thing.seal);
            }
        }
        Ok(())
    }

    /// Looks for files and PGP texts among a part's lines.
    fn look_into_text(&mut self, part: &Part, content: &Decoded<'_>, at: &Spot) -> io::Result<()> {
        let inline = inline::find(content)?;
        if inline.has_more {
            let at = Spot { extent: Extent::Message, ..at.clone() };
            self.push_unseen(Unseen::TooManyParts, File::default(), &at, self.seal_of(part));
        }
        for is_encrypted in inline.pgp {
            let seal = if is_encrypted { Seal::PgpInlineEncrypted } else { Seal::PgpInlineSigned };
            self.found.seals.push((at.part.clone(), seal));
            if let Some(unseen) = seal.unseen() {
                self.push_seal_unseen(unseen, at.clone());
            }
        }
        for file in inline.files {
            let size = file.range.end - file.range.start;
            let thing = Thing {
                names: vec![file.name],
                mimes: vec!["application/octet-stream".to_owned()],
                is_attachment: true,
                is_name_idle: false,
                size_max: Some(size),
                seal: self.seal_of(part).or(file.is_signed.then_some(Seal::PgpInlineSigned)),
            };
            let extent = match &self.outer {
                Some(outer) => outer.at.extent.clone(),
                None => text_extent(part, content, &file.range)?,
            };
            let spot = Spot { extent, ..at.clone() };
            let text = Slice::new(content, file.range.start + file.opening_bytes..file.range.end);
            let decoded = Decoded::new(&text, file.encoding);
            let before = self.found.findings.len();
            self.look(&thing, &decoded, &spot, 0)?;
            if self.outer.is_none() {
                self.tell_attachment(before, &thing, &decoded)?;
            }
        }
        Ok(())
    }

    /// Whatever is found within an attachment tells which attachment that is; and what is replaced tells its digest.
    fn tell_attachment(&mut self, from: usize, thing: &Thing, content: &dyn ReadAt) -> io::Result<()> {
        let is_within = |finding: &Finding| !finding.inside.is_empty() && finding.attachment.is_none();
        let is_bare = |finding: &Finding| {
            let is_own = finding.inside.is_empty() && finding.extent != Extent::Message;
            is_own && finding.rule.is_some() && finding.file.sha256.is_none()
        };
        if self.found.findings.iter().skip(from).any(|finding| is_within(finding) || is_bare(finding)) {
            let file = thing.file(content)?;
            for finding in self.found.findings.iter_mut().skip(from) {
                if is_within(finding) {
                    finding.attachment = Some(file.clone());
                } else if is_bare(finding) {
                    finding.file = file.clone();
                }
            }
        }
        Ok(())
    }

    /// Looks at a message that lies encoded in a part.
    fn look_into_message(&mut self, part: &Part, content: &Decoded<'_>, at: &Spot) -> io::Result<()> {
        let depth = self.outer.as_ref().map_or(0, |outer| outer.depth) + 1;
        if depth > self.limits.archive_depth_max {
            self.push_unseen(Unseen::TooDeep, File::default(), at, self.seal_of(part));
            return Ok(());
        }
        let outer = self.outer.replace(Outer { at: at.clone(), seal: self.seal_of(part), depth });
        let outcome = walk(content, self.limits, self);
        self.outer = outer;
        outcome
    }
}

/// What can be said of something without reading it.
fn named(thing: &Thing) -> File {
    File { name: thing.name(), mime: thing.mimes.first().cloned().unwrap_or_default(), ..File::default() }
}

/// Is there a header field before the first empty line? Then a part that says it is a message is one.
fn begins_like_a_message(content: &dyn ReadAt) -> io::Result<bool> {
    let is_field = |line: &[u8]| {
        let name = line.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')).count();
        name > 0 && line.get(name) == Some(&b':')
    };
    let mut lines = Lines::new(content, 0);
    while let Some(line) = lines.next(FIELD_BYTES_MAX)? {
        if lines.text().is_empty() || line.start > HEAD_BYTES as u64 {
            break;
        }
        if is_field(lines.text()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Something that calls itself an archive may have something before it.
fn says_zip(thing: &Thing) -> bool {
    let zip = ["zip".to_owned(), "zipx".to_owned(), "jar".to_owned()].into();
    thing.mimes.iter().any(|mime| mime.ends_with("/zip") || mime.ends_with("/x-zip-compressed"))
        || thing.names.iter().any(|name| name::banned_extension(name, &zip).is_some())
}

fn asks_for_discs(rules: &Rules) -> bool {
    rules.bans.iter().any(|ban| match &ban.what {
        Banned::Kinds(kinds) => kinds.contains(&Kind::DiscImage),
        Banned::Unseen(unseen) => unseen.contains(&Unseen::UnknownArchive),
        _ => false,
    })
}

/// Is this archive a document (of Office, OpenDocument or EPUB) that nobody calls an archive?
fn is_document(thing: &Thing, directory: &zip::Directory) -> bool {
    let has = |wanted: &str| directory.entries.iter().any(|entry| entry.names.iter().all(|name| name == wanted));
    !says_zip(thing) && (has("[Content_Types].xml") || has("mimetype"))
}

/// Does an Office document keep its macros in this file?
fn is_macro(names: &[String]) -> bool {
    names.iter().any(|name| {
        let name = name.to_ascii_lowercase();
        name.ends_with("vbaproject.bin") || name.ends_with("macrosheets/sheet1.xml")
    })
}

/// What to replace for some lines of a part's text: whole groups of its encoding.
fn text_extent(part: &Part, content: &Decoded<'_>, range: &Range<u64>) -> io::Result<Extent> {
    let (begin, _) = content.around(range.start)?;
    let (_, end) = content.around(range.end)?;
    let before = bytes(content, begin.decoded, (range.start - begin.decoded) as usize)?;
    let behind = bytes(content, range.end, (end.decoded - range.end) as usize)?;
    let body_at = part.place.body.start;
    Ok(Extent::Text {
        decoded: range.clone(),
        bytes: body_at + begin.encoded..body_at + end.encoded,
        encoding: part.content.encoding,
        before,
        behind,
        is_crlf: part.place.is_crlf,
    })
}

impl Visitor for Inspector<'_> {
    fn part(&mut self, message: &dyn ReadAt, part: &Part) -> io::Result<()> {
        let at = self.spot(part);
        let encoded = Slice::new(message, part.place.body.clone());
        let content = Decoded::new(&encoded, part.content.encoding);
        let mime = part.content.mime.as_str();
        let is_text = mime.starts_with("text/") || mime.starts_with("multipart/");
        let thing = Thing {
            names: part.content.names.clone(),
            mimes: if part.content.mimes.is_empty() { vec![mime.to_owned()] } else { part.content.mimes.clone() },
            is_attachment: part.content.is_attachment || !part.content.names.is_empty() || !is_text,
            is_name_idle: holds_message(mime) && begins_like_a_message(&content)?,
            size_max: Some(encoded.size_bytes()?),
            seal: self.seal_of(part),
        };
        let before = self.found.findings.len();
        self.look(&thing, &content, &at, 0)?;
        if self.found.findings[before..].iter().any(|finding| finding.rule.is_some()) {
            // It is replaced as a whole.
        } else if mime == "message/partial" {
            self.push_unseen(Unseen::Fragment, named(&thing), &at, thing.seal);
        } else if holds_message(mime) && part.content.encoding != Encoding::Identity {
            self.look_into_message(part, &content, &at)?;
        } else if mime == "text/plain" {
            self.look_into_text(part, &content, &at)?;
        }
        if self.outer.is_none() {
            self.tell_attachment(before, &thing, &content)?;
        }
        Ok(())
    }

    fn seal(&mut self, part: &Part, seal: Seal) {
        let at = self.spot(part);
        self.found.seals.push((at.part.clone(), seal));
        if let Some(unseen) = seal.unseen() {
            self.push_seal_unseen(unseen, at);
        }
    }

    fn unseen(&mut self, part: Option<&Part>, what: Unseen) {
        // Where a part ends is not known yet, nor whether readers agree about it: nothing less than all can be replaced.
        let at = part.map_or(Spot { part: String::new(), inside: Vec::new(), extent: Extent::Message }, |part| Spot {
            extent: Extent::Message,
            ..self.spot(part)
        });
        let sealed = part.and_then(|part| self.seal_of(part));
        self.push_unseen(what, File::default(), &at, sealed);
    }
}
