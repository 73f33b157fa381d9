//! Moving messages to another folder: UID MOVE (RFC 6851), where UIDPLUS lets the server tell which UIDs they have there
//! (COPYUID).
//!
//! A message that is moved keeps its bytes, its date and its flags, and each one is moved or left as it is. Of several, some
//! may be moved and others not, so what an answer says is compared with what is left in the folder. Where the two disagree,
//! or the answer is lost, it is in doubt which folder a message lies in; the session goes on if the connection is well.

use std::collections::{BTreeMap, BTreeSet};

use connector::{Effect, Error, Known, Moved};
use model::{Cause, Flags, FolderPath, ItemId, Scope};

use super::select::Mode;
use super::store::uids_of;
use crate::map::refusal::{self, Doing};
use crate::session::Session;
use crate::wire::command::Command;
use crate::wire::response::Completion;
use crate::wire::set::{UidSet, number, write_sets};

impl Session {
    /// Moves messages; those that are not there are none the worse.
    pub(crate) async fn move_messages(
        &mut self,
        from: Known<'_>,
        to: &FolderPath,
        ids: &[ItemId],
    ) -> Result<Vec<Moved>, Error> {
        if !self.offers.moves {
            let what = format!("the server can't move messages from {}", self.place(from.path));
            return Err(Error::new(Cause::Unsupported, Scope::Folder, what));
        }
        let name = self.wire_name(to).await?;
        self.select_known(from, Mode::Write).await?;
        let there: Vec<u32> = self.flags_of(&uids_of(ids)).await?.into_keys().collect();
        let sets = write_sets(&there);
        let command = |set: &String| (Command::new("UID MOVE").words(set).quoted(&name), Effect::Move);
        let commands: Vec<(Command, Effect)> = sets.iter().map(command).collect();
        let mut answers: Vec<Answer> = sets.iter().map(|set| Answer::of(set)).collect();
        let completions = self
            .run_effects(&commands, |index, response| {
                if let Some(code) = response.code("COPYUID") {
                    answers[index].take(code.arguments);
                }
            })
            .await?;
        for (answer, completion) in answers.iter_mut().zip(&completions) {
            if completion.has("COPYUID") {
                answer.take(completion.arguments.as_bytes());
            }
        }
        let what = format!("cannot move messages from {} to {:?}", self.place(from.path), to.to_string());
        let left = self.flags_of(&there).await.map_err(|error| Error { cause: Cause::InDoubt, ..error })?;
        settled(&what, &completions, &answers, &there, &left)?;
        let outcome = |id: &ItemId| {
            let uid = id.as_u32().filter(|uid| there.binary_search(uid).is_ok());
            uid.and_then(|uid| answers.iter().find_map(|answer| answer.outcome(uid))).unwrap_or(Moved::Gone)
        };
        Ok(ids.iter().map(outcome).collect())
    }
}

/// Were all messages that were there moved? Else why not, or that it is in doubt which of them were.
fn settled(
    what: &str,
    completions: &[Completion],
    answers: &[Answer],
    there: &[u32],
    left: &BTreeMap<u32, Flags>,
) -> Result<(), Error> {
    let in_doubt = |why: &str| Error::new(Cause::InDoubt, Scope::Folder, format!("{what}: {why}"));
    match completions.iter().find(|completion| !completion.is_ok()) {
        Some(refused) if left.len() == there.len() && !answers.iter().any(|answer| answer.is_told) => {
            Err(refusal::refused(what, refused, Doing::Change))
        }
        Some(refused) => Err(in_doubt("the server refused, and some may have been moved").said(&refused.text)),
        None if !left.is_empty() => Err(in_doubt("the server says that it has, and some are still there")),
        None => Ok(()),
    }
}

/// What the answer to one command says of its messages.
struct Answer {
    asked: UidSet,
    /// The new UID of each, as far as it is told.
    new: BTreeMap<u32, u32>,
    /// There was a COPYUID.
    is_told: bool,
    /// There was one that can't be right.
    is_wrong: bool,
}

impl Answer {
    fn of(set: &str) -> Self {
        let asked = UidSet::parse(set.as_bytes()).unwrap_or_default();
        Self { asked, new: BTreeMap::new(), is_told: false, is_wrong: false }
    }

    /// Takes what follows COPYUID: `1511554416 142,399 41:42`. It stands in an untagged answer before the messages vanish,
    /// as on Dovecot and Cyrus, or with the end of the command (RFC 6851 section 4.3).
    fn take(&mut self, arguments: &[u8]) {
        self.is_told = true;
        match copy_uid(arguments, &self.asked) {
            Some(pairs) => self.new.extend(pairs),
            None => self.is_wrong = true,
        }
    }

    /// What became of a message that was there a moment before; none where this command did not ask for it.
    fn outcome(&self, uid: u32) -> Option<Moved> {
        if !self.asked.contains(uid) {
            return None;
        }
        Some(match self.new.get(&uid) {
            Some(new) => Moved::There(Some(ItemId::from_u32(*new))),
            // The answer names those that were moved, and this one is not among them: somebody else took it.
            None if self.is_told && !self.is_wrong => Moved::Gone,
            None => Moved::There(None),
        })
    }
}

/// The old and new UIDs of a COPYUID (RFC 4315), if they are as many, once each, and were asked for.
fn copy_uid(arguments: &[u8], asked: &UidSet) -> Option<Vec<(u32, u32)>> {
    let mut words = arguments.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let _validity = number(words.next()?)?;
    let (old, new) = (UidSet::parse(words.next()?)?, UidSet::parse(words.next()?)?);
    if old.len() > asked.len() || old.len() != new.len() {
        return None;
    }
    let is_right = old.iter().all(|uid| asked.contains(uid)) && !new.contains(0);
    let once_each = |set: &UidSet| set.iter().collect::<BTreeSet<u32>>().len() as u64 == set.len();
    (is_right && once_each(&old) && once_each(&new)).then(|| old.iter().zip(new.iter()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What became of these messages, in short: the new UID, `there`, `gone`, or `-` where they were not asked for.
    fn outcomes(set: &str, codes: &[&str], uids: &[u32]) -> Vec<String> {
        let mut answer = Answer::of(set);
        for code in codes {
            answer.take(code.as_bytes());
        }
        let short = |uid: &u32| match answer.outcome(*uid) {
            Some(Moved::There(Some(id))) => id.to_string(),
            Some(Moved::There(None)) => "there".to_owned(),
            Some(Moved::Gone) => "gone".to_owned(),
            None => "-".to_owned(),
        };
        uids.iter().map(short).collect()
    }

    #[test]
    fn copyuid_gives_each_message_its_new_uid() {
        assert_eq!(outcomes("4:6", &["9 4:6 20:22"], &[4, 5, 6, 7]), ["20", "21", "22", "-"]);
        assert_eq!(outcomes("4:6", &["9 6,4:5 20:22"], &[4, 5, 6]), ["21", "22", "20"]);
        assert_eq!(outcomes("4:6", &["9 4 20", "9 5:6 21:22"], &[4, 6]), ["20", "22"]);
        assert_eq!(outcomes("4:6", &["9 4:6 20:22", "9 4:6 20:22"], &[5]), ["21"], "told twice");
    }

    #[test]
    fn a_message_that_copyuid_leaves_out_was_gone() {
        assert_eq!(outcomes("4:6", &["9 4,6 20:21"], &[4, 5, 6]), ["20", "gone", "21"]);
    }

    #[test]
    fn without_a_copyuid_that_fits_nobody_says_where() {
        assert_eq!(outcomes("4:6", &[], &[4, 9]), ["there", "-"]);
        for wrong in ["", "9", "9 4:6", "9 4:6 20:21", "9 4:7 20:23", "9 1:4294967295 1:4294967295", "9 4,4 20:21"] {
            assert_eq!(outcomes("4:6", &[wrong], &[5]), ["there"], "{wrong}");
        }
        for wrong in ["9 4:5 0:1", "9 4:5 20,20", "x 4:5 20:21", "9 a b"] {
            assert_eq!(outcomes("4:6", &[wrong], &[5]), ["there"], "{wrong}");
        }
    }
}
