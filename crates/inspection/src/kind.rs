//! What a file is by its first bytes, whatever it is called.

use serde::{Deserialize, Serialize};

/// How much of a file is looked at.
pub(crate) const HEAD_BYTES: usize = 4096;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident $words:literal;)+) => {
        /// What a file is by its content.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Kind { $($(#[doc = $doc])+ $variant,)+ }

        impl Kind {
            /// Every kind.
            pub const EVERY: &[Self] = &[$(Self::$variant,)+];

            /// Its name in a sentence.
            pub fn words(self) -> &'static str {
                match self { $(Self::$variant => $words,)+ }
            }
        }
    };
}

kinds! {
    /// A program or library for Windows (PE, NE, LE).
    WindowsProgram "a program for Windows";
    /// A program for DOS.
    DosProgram "a program for DOS";
    /// A program or library for Linux and others (ELF).
    ElfProgram "a program for Linux";
    /// A program or library for macOS (Mach-O).
    MachProgram "a program for macOS";
    /// A class of Java.
    JavaClass "a program in Java";
    /// A program for Android (DEX).
    AndroidProgram "a program for Android";
    /// WebAssembly.
    Wasm "a WebAssembly program";
    /// A script that names its interpreter (`#!`).
    Script "a script";
    /// A Windows shortcut.
    Shortcut "a Windows shortcut";
    /// Compiled HTML help.
    CompiledHelp "compiled help";
    /// An OLE compound file: Office documents of before 2007, installers, Outlook items.
    Ole "an OLE file";
    /// An Office document with macros (from 2007 on).
    OfficeMacro "a document with macros";
    /// A zip archive.
    Zip "a zip archive";
    /// A RAR archive.
    Rar "a RAR archive";
    /// A 7-Zip archive.
    SevenZip "a 7-Zip archive";
    /// A cabinet archive.
    Cabinet "a cabinet archive";
    /// A file packed by gzip, bzip2, xz or zstd.
    Packed "a packed file";
    /// A tar archive.
    Tar "a tar archive";
    /// An ACE, ARJ or LHA archive.
    OldArchive "an archive of an old kind";
    /// The image of a disc (ISO 9660).
    DiscImage "the image of a disc";
    /// The image of a virtual disk (VHD, VHDX).
    DiskImage "the image of a disk";
    /// An OneNote section.
    OneNote "an OneNote file";
    /// A Flash film.
    Flash "a Flash film";
    /// An e-mail with its attachments as Outlook packs it (TNEF).
    Winmail "a winmail.dat";
    /// Sound as MP3.
    Mp3 "an MP3 file";
    /// A film as AVI.
    Avi "an AVI film";
}

impl Kind {
    /// Is it an archive that nothing here looks into?
    pub(crate) fn is_other_archive(self) -> bool {
        use Kind::{Cabinet, DiscImage, DiskImage, OldArchive, Packed, Rar, SevenZip, Tar};
        matches!(self, Rar | SevenZip | Cabinet | Packed | Tar | OldArchive | DiscImage | DiskImage)
    }

    /// Can text begin like this? Then it counts only for attachments.
    pub(crate) fn may_be_text(self) -> bool {
        matches!(self, Self::Script | Self::Mp3)
    }

    /// The kind of a file with this beginning. (A disc's image tells only at its 32,769th byte: see [`is_disc`].)
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        let at = |at: usize, magic: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(magic));
        let le_16 = |at: usize| Some(u16::from_le_bytes(head.get(at..at + 2)?.try_into().ok()?));
        Some(match head {
            [b'M', b'Z', ..] | [b'Z', b'M', ..] => {
                let begin = le_16(0x3c).map(usize::from);
                let is_new = begin.is_some_and(|begin| {
                    at(begin, b"PE\0\0") || at(begin, b"NE") || at(begin, b"LE") || at(begin, b"LX")
                });
                // Only the header's 28 bytes tell it from a text that begins with these letters.
                let is_old = head.len() >= 28 && head[..28].contains(&0);
                match (is_new, is_old) {
                    (true, _) => Self::WindowsProgram,
                    (false, true) => Self::DosProgram,
                    _ => return None,
                }
            }
            [0x7f, b'E', b'L', b'F', ..] => Self::ElfProgram,
            [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => Self::MachProgram,
            // A class has its version here (45 and up), a program for several processors their number.
            [0xca, 0xfe, 0xba, 0xbe, _, _, high, low, ..] => {
                if u16::from_be_bytes([*high, *low]) >= 45 {
                    Self::JavaClass
                } else {
                    Self::MachProgram
                }
            }
            [b'd', b'e', b'x', b'\n', _, _, _, 0, ..] => Self::AndroidProgram,
            [0, b'a', b's', b'm', _, 0, 0, 0, ..] => Self::Wasm,
            [b'#', b'!', b'/' | b' ', ..] | [0xef, 0xbb, 0xbf, b'#', b'!', ..] => Self::Script,
            [0x4c, 0, 0, 0, 0x01, 0x14, 0x02, 0, ..] => Self::Shortcut,
            [b'I', b'T', b'S', b'F', _, 0, 0, 0, ..] => Self::CompiledHelp,
            [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => Self::Ole,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, b'P', b'K', ..] => Self::Zip,
            [b'R', b'a', b'r', b'!', 0x1a, 7, ..] => Self::Rar,
            [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Self::SevenZip,
            [b'M', b'S', b'C', b'F', 0, 0, 0, 0, ..] => Self::Cabinet,
            [0x1f, 0x8b, 8, ..] | [0xfd, b'7', b'z', b'X', b'Z', 0, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Packed,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => Self::Packed,
            [0x60, 0xea, _, _, ..] if le_16(2).is_some_and(|size| size <= 2600 && size > 0) => Self::OldArchive,
            [_, _, b'-', b'l', b'h' | b'z', _, b'-', ..] => Self::OldArchive,
            _ if at(7, b"**ACE**") => Self::OldArchive,
            _ if at(257, b"ustar") => Self::Tar,
            _ if head.starts_with(b"conectix") || head.starts_with(b"vhdxfile") => Self::DiskImage,
            [0xe4, 0x52, 0x5c, 0x7b, 0x8c, 0xd8, 0xa7, 0x4d, ..] => Self::OneNote,
            [b'F' | b'C' | b'Z', b'W', b'S', version, _, _, _, 0, ..] if *version < 64 => Self::Flash,
            [0x78, 0x9f, 0x3e, 0x22, ..] => Self::Winmail,
            [b'I', b'D', b'3', 2..=4, ..] => Self::Mp3,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => Self::Avi,
            _ => return None,
        })
    }
}

/// Where a disc's image tells that it is one.
pub(crate) const DISC_AT: u64 = 0x8001;

/// Are these bytes, from [`DISC_AT`] on, those of a disc's image?
pub(crate) fn is_disc(bytes: &[u8]) -> bool {
    bytes == b"CD001"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_beginning() {
        let mut pe = vec![0; 256];
        pe[..2].copy_from_slice(b"MZ");
        pe[0x3c] = 0x80;
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let dos = pe.clone();
        pe[0x80..0x84].copy_from_slice(b"PE\0\0");
        let cases: [(&[u8], Option<Kind>); 22] = [
            (&pe, Some(Kind::WindowsProgram)),
            (&dos, Some(Kind::DosProgram)),
            (b"MZ is how this text begins, and it goes on and on", None),
            (b"MZ", None),
            (b"\x7fELF\x02", Some(Kind::ElfProgram)),
            (b"\xcf\xfa\xed\xfe", Some(Kind::MachProgram)),
            (b"\xca\xfe\xba\xbe\0\0\0\x02", Some(Kind::MachProgram)),
            (b"\xca\xfe\xba\xbe\0\0\0\x34", Some(Kind::JavaClass)),
            (b"#!/bin/sh\n", Some(Kind::Script)),
            (b"#!", None),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Some(Kind::Ole)),
            (b"PK\x03\x04", Some(Kind::Zip)),
            (b"PKZIP", None),
            (b"Rar!\x1a\x07\x01\0", Some(Kind::Rar)),
            (b"\x1f\x8b\x08\0", Some(Kind::Packed)),
            (&tar, Some(Kind::Tar)),
            (b"\x78\x9f\x3e\x22\x01\0", Some(Kind::Winmail)),
            (b"RIFF....AVI LIST", Some(Kind::Avi)),
            (b"RIFF....WAVE", None),
            (b"CWS is a word", None),
            (b"", None),
            (b"Dear all,", None),
        ];
        for (head, expected) in cases {
            assert_eq!(Kind::of(head), expected, "{:?}", &head[..head.len().min(12)]);
        }
    }
}
