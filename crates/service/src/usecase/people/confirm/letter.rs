//! The letters that people are asked by: the texts, and what is put into them.

use std::path::Path;

use mailer::Letter;
use report::harmless;

use crate::Error;
use crate::config::{ConfirmationEntry, FILE, Proof};

/// The letter to the person; with one code, and with two.
const OWN: &str = include_str!("text/own.txt");
const OWN_ALONE: &str = include_str!("text/own_alone.txt");
/// The letter to the account.
const ACCOUNT: &str = include_str!("text/account.txt");
const OWN_SUBJECT: &str = "Please answer: is this account yours?";
const ACCOUNT_SUBJECT: &str = "A code for you, if you also work for {organisation}";
/// A text longer than this is no letter.
const TEXT_BYTES_MAX: u64 = 64 << 10;
/// What a letter to the person has to say, and one to the account.
const OWN_NEEDS: &[&str] = &["code", "account", "deadline", "contact"];
const ACCOUNT_NEEDS: &[&str] = &["code", "contact"];

/// What is put into a letter.
#[derive(Clone, Debug)]
pub(super) struct Fields<'f> {
    pub(super) name: &'f str,
    pub(super) organisation: &'f str,
    pub(super) other_code: &'f str,
    pub(super) account: &'f str,
    pub(super) deadline: String,
    pub(super) contact: &'f str,
}

/// A letter without what is put into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    subject: String,
    text: String,
}

/// The letters of a project: to the person, and to the account.
pub(super) struct Templates {
    pub(super) own: Template,
    pub(super) account: Template,
}

impl Templates {
    /// As the project's file has them; each is filled in once, so that what can't be is told before anybody is written to.
    pub(super) fn of(entry: &ConfirmationEntry, folder: &Path) -> Result<Self, Error> {
        let built_in = if entry.proof == Proof::Both { OWN } else { OWN_ALONE };
        let own = Template {
            subject: entry.subject.clone().unwrap_or_else(|| OWN_SUBJECT.to_owned()),
            text: text(entry.text_file.as_deref(), folder, "text_file", built_in)?,
        };
        let account = Template {
            subject: entry.account_subject.clone().unwrap_or_else(|| ACCOUNT_SUBJECT.to_owned()),
            text: text(entry.account_text_file.as_deref(), folder, "account_text_file", ACCOUNT)?,
        };
        let some =
            Fields { name: "", organisation: "", other_code: "", account: "", deadline: String::new(), contact: "" };
        for (template, key, needs) in [(&own, "", OWN_NEEDS), (&account, "account_", ACCOUNT_NEEDS)] {
            let wrong = |key: &str, what: &str| {
                Error::usage(format!("{FILE}: people.confirmation.{key}: {what}")).advise("correct the letter")
            };
            let (subject_key, text_key) = (format!("{key}subject"), format!("{key}text_file"));
            // Subjects stand in the logs of mail servers.
            if template.subject.contains("{code}") || template.subject.trim().is_empty() {
                return Err(wrong(&subject_key, "it is empty, or holds the code, which has no place in a subject"));
            }
            filled(&template.subject, &some, "").map_err(|what| wrong(&subject_key, &what))?;
            filled(&template.text, &some, "").map_err(|what| wrong(&text_key, &what))?;
            if let Some(missing) = needs.iter().find(|field| !template.text.contains(&format!("{{{field}}}"))) {
                return Err(wrong(&text_key, &format!("it does not say {{{missing}}}")));
            }
        }
        Ok(Self { own, account })
    }
}

impl Template {
    /// The letter to this address.
    pub(super) fn letter(
        &self,
        (from, to): (&str, &str),
        message_id: String,
        at: i64,
        (fields, code): (&Fields<'_>, &str),
    ) -> Result<Letter, Error> {
        let fill = |text: &str| filled(text, fields, code).map_err(Error::usage);
        Ok(Letter {
            from: from.to_owned(),
            to: to.to_owned(),
            subject: fill(&self.subject)?,
            message_id,
            is_automatic: true,
            in_reply_to: None,
            at,
            text: fill(&self.text)?,
            enclosures: Vec::new(),
        })
    }
}

fn text(file: Option<&Path>, folder: &Path, key: &str, built_in: &str) -> Result<String, Error> {
    let Some(file) = file else { return Ok(built_in.to_owned()) };
    let path = folder.join(file);
    let wrong = |what: String| {
        Error::usage(format!("{FILE}: people.confirmation.{key}: {}: {what}", path.display()))
            .advise("write the letter there, in UTF-8; or leave it out, and the one that is built in is sent")
    };
    let size = std::fs::metadata(&path).map_err(|error| wrong(error.to_string()))?.len();
    if size > TEXT_BYTES_MAX {
        return Err(wrong("it is too long for a letter".to_owned()));
    }
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// A text with what stands in braces put in. What is put in is read no further, and can't forge another line.
fn filled(text: &str, fields: &Fields<'_>, code: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        if before.contains('}') {
            break;
        }
        let (field, after) = after.split_once('}').ok_or("a brace is not closed")?;
        let value = match field {
            "name" => fields.name,
            "organisation" => fields.organisation,
            "other_code" => fields.other_code,
            "account" => fields.account,
            "deadline" => fields.deadline.as_str(),
            "contact" => fields.contact,
            "code" => code,
            _ => return Err(format!("{{{field}}} is not known")),
        };
        out.push_str(before);
        out.push_str(&harmless(value));
        rest = after;
    }
    if rest.contains('}') {
        return Err("a brace is not opened".to_owned());
    }
    out.push_str(rest);
    Ok(out)
}

/// The day of a moment in seconds since 1970, as people write it: `10 December 2026`.
pub(super) fn day_in_words(at: i64) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let day = report::day(at);
    let mut parts = day.split('-').map(|part| part.parse::<usize>().unwrap_or(1));
    let (year, month, of_month) = (parts.next().unwrap_or(1), parts.next().unwrap_or(1), parts.next().unwrap_or(1));
    format!("{of_month} {} {year}", MONTHS[(month - 1).min(11)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &str) -> Fields<'_> {
        Fields {
            name,
            organisation: "Hill Trust",
            other_code: "RY2",
            account: "ann@national.example",
            deadline: day_in_words(1_796_860_800),
            contact: "the help desk",
        }
    }

    #[test]
    fn every_letter_that_is_built_in_says_all_it_has_to() {
        for (text, needs) in [(OWN, OWN_NEEDS), (OWN_ALONE, OWN_NEEDS), (ACCOUNT, ACCOUNT_NEEDS)] {
            let letter = filled(text, &fields("Ann Lee"), "AAAA-BBBB-CCCC-DDDD").unwrap();
            assert!(!letter.contains(['{', '}']) && letter.contains("AAAA-BBBB-CCCC-DDDD"), "{letter}");
            assert!(letter.contains("10 December 2026") && letter.contains("the help desk"), "{letter}");
            assert!(letter.contains("never ask for a password"), "{letter}");
            assert!(needs.iter().all(|field| text.contains(&format!("{{{field}}}"))));
            assert!(super::super::code::Code::all_in(&filled(text, &fields("Ann"), "").unwrap()).is_empty());
        }
    }

    #[test]
    fn what_is_put_in_is_no_template_and_no_line_of_its_own() {
        let letter = filled("Dear {name},\n{code}", &fields("{code}\r\nSTAYS \u{1b}[2J"), "c").unwrap();
        assert_eq!(letter.lines().count(), 2, "{letter:?}");
        assert!(letter.starts_with("Dear {code}") && letter.ends_with("\nc"), "{letter:?}");
        for wrong in ["{nmae}", "{name", "name}", "{}"] {
            assert!(filled(wrong, &fields("Ann"), "").is_err(), "{wrong}");
        }
    }
}
