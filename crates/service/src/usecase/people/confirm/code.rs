//! One-time codes: 80 random bits, in letters that are not taken for one another. Of a code only its keyed tag is kept.

use std::path::Path;

use people::ObjectId;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::super::password::{self, internal};
use crate::Error;

const OF: &str = "codes";
const PURPOSE: &[u8] = b"whimbrel confirmation codes 1";
/// Crockford's base 32: no I, L, O and U. Whoever writes I or L means 1, and O means 0.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Of five bits each.
const LENGTH: usize = 16;
/// Letters that stand together when it is written.
const GROUP: usize = 4;
/// Codes of a text that are looked at; a letter and its answer hold two.
const FOUND_MAX: usize = 8;

/// A code, without the signs that it is written with.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Code([u8; LENGTH]);

impl Code {
    pub(super) fn random() -> Result<Self, Error> {
        let mut code = [0; LENGTH];
        SystemRandom::new().fill(&mut code).map_err(|_| internal())?;
        Ok(Self(code.map(|byte| LETTERS[usize::from(byte % 32)])))
    }

    /// As it is written: `7KQF-2M9D-XH4T-P0RW`.
    pub(super) fn shown(&self) -> String {
        let groups: Vec<&str> =
            self.0.chunks(GROUP).map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
        groups.join("-")
    }

    /// The code that somebody gives alone, with whatever between its letters.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let letters: Vec<u8> = text.chars().filter(|c| c.is_alphanumeric()).map(letter).collect::<Option<_>>()?;
        letters.try_into().ok().map(Self)
    }

    /// The codes in a text: groups joined by dashes of any kind, or all letters together.
    pub(super) fn all_in(text: &str) -> Vec<Self> {
        let text: String = text.chars().map(|c| if is_dash(c) { '-' } else { c }).collect();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let is_written = |word: &&str| {
            let groups: Vec<&str> = word.split('-').collect();
            let is_grouped = groups.iter().all(|group| group.len() == GROUP) && groups.len() == LENGTH / GROUP;
            // A word of sixteen letters is no code.
            is_grouped || word.len() == LENGTH && word.bytes().any(|byte| byte.is_ascii_digit())
        };
        let mut found: Vec<Self> = Vec::new();
        for code in words.map(|word| word.trim_matches('-')).filter(is_written).filter_map(Self::parse) {
            if !found.contains(&code) && found.len() < FOUND_MAX {
                found.push(code);
            }
        }
        found
    }
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn letter(c: char) -> Option<u8> {
    let letter = match c.to_ascii_uppercase() {
        'I' | 'L' => '1',
        'O' => '0',
        c => c,
    };
    u8::try_from(letter).ok().filter(|letter| LETTERS.contains(letter))
}

/// Which of the two codes of a question it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodeOf {
    /// The one that goes to the person's own address.
    Own,
    /// The one that goes to the account's.
    Account,
}

/// What a code is for. It holds for nothing else.
#[derive(Clone, Copy)]
pub(super) struct Purpose<'p> {
    pub(super) object: &'p ObjectId,
    pub(super) account: &'p str,
    pub(super) of: CodeOf,
}

/// The key that tags are made with.
pub(super) struct Tags(hmac::Key);

impl Tags {
    /// The key in this file; made when there is none and nothing rests on it yet.
    pub(super) fn open(path: &Path, may_make: bool) -> Result<Self, Error> {
        let key = password::key(OF, path, may_make, "no code can be checked")?;
        Ok(Self(key.derived::<_, hmac::Key>(b"", PURPOSE, hmac::HMAC_SHA256)))
    }

    pub(super) fn tag(&self, code: &Code, purpose: Purpose<'_>) -> Vec<u8> {
        hmac::sign(&self.0, &tagged(code, purpose)).as_ref().to_vec()
    }

    /// Is this the code that the tag was made of, for this purpose?
    pub(super) fn is(&self, tag: &[u8], code: &Code, purpose: Purpose<'_>) -> bool {
        hmac::verify(&self.0, &tagged(code, purpose), tag).is_ok()
    }
}

fn tagged(code: &Code, purpose: Purpose<'_>) -> Vec<u8> {
    let of = match purpose.of {
        CodeOf::Own => "own",
        CodeOf::Account => "account",
    };
    let code = std::str::from_utf8(&code.0).unwrap_or_default();
    serde_json::json!([purpose.object, purpose.account, of, code]).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_however_it_is_written() {
        let code = Code::parse("7KQF-2M9D-XH4T-P0RW").unwrap();
        assert_eq!(code.shown(), "7KQF-2M9D-XH4T-P0RW");
        for text in [
            "MOVED 7KQF-2M9D-XH4T-P0RW",
            "moved 7kqf-2m9d-xh4t-porw.",
            "> 7KQF\u{2013}2M9D\u{2011}XH4T-P0RW\r\n",
            "(7kqf2m9dxh4tp0rw)",
        ] {
            assert!(Code::all_in(text) == [code.clone()], "{text}");
        }
        assert!(Code::parse(" 7kqf 2m9d xh4t p0rw ") == Some(code));
        for text in ["7KQF-2M9D-XH4T", "that they have been here", "7KQF-2M9D-XH4T-P0RU", "responsibilities", ""] {
            assert!(Code::all_in(text).is_empty(), "{text}");
        }
        let many: Vec<String> = (0..20).map(|_| Code::random().unwrap().shown()).collect();
        assert_eq!(Code::all_in(&many.join(" ")).len(), FOUND_MAX);
    }

    #[test]
    fn a_code_holds_for_what_it_was_made_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.key");
        assert!(Tags::open(&path, false).is_err());
        let tags = Tags::open(&path, true).unwrap();
        let (ann, ben, code) = (ObjectId::new("ad", "1"), ObjectId::new("ad", "2"), Code::random().unwrap());
        let purpose = Purpose { object: &ann, account: "p1", of: CodeOf::Own };
        let tag = tags.tag(&code, purpose);
        let again = Tags::open(&path, false).unwrap();
        assert!(again.is(&tag, &code, purpose));
        assert!(!again.is(&tag, &Code::random().unwrap(), purpose));
        for other in [
            Purpose { object: &ben, ..purpose },
            Purpose { account: "p2", ..purpose },
            Purpose { of: CodeOf::Account, ..purpose },
        ] {
            assert!(!again.is(&tag, &code, other));
        }
        assert!(!tag.windows(LENGTH).any(|part| part == code.0));
    }
}
