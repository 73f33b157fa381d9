//! People who were asked whose an account under another organisation's code is, and what came back by mail.
//!
//! Of an object's questions one is open at most: asking again puts the one before it aside in the same commit, so two codes never
//! hold at once.

use model::Digest;

use crate::people::PeopleTx;
use crate::people::word::WordRow;
use crate::sql::{Alone, Row, values};
use crate::{Error, ProjectKey, Store};

/// How far a question has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfirmationState {
    /// Its letters are about to be sent, or were: that is not on record yet.
    Sending,
    /// They were sent; an answer is waited for.
    Asked,
    /// It was answered.
    Answered,
    /// It was asked again: this one's codes hold no more.
    Replaced,
    /// Too many answers had a wrong code.
    Void,
}

impl ConfirmationState {
    const EVERY: [Self; 5] = [Self::Sending, Self::Asked, Self::Answered, Self::Replaced, Self::Void];

    /// The state's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Asked => "asked",
            Self::Answered => "answered",
            Self::Replaced => "replaced",
            Self::Void => "void",
        }
    }

    /// Can it still be answered?
    pub fn is_open(self) -> bool {
        matches!(self, Self::Sending | Self::Asked)
    }
}

/// A question as it is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConfirmation {
    /// The directory of the object.
    pub directory: String,
    /// Its key there.
    pub key: String,
    /// The account that it is about.
    pub account: String,
    /// What both were, and what spoke for the account.
    pub bound: Digest,
    /// The tag of the code that goes to the object's own address. The code itself is kept nowhere.
    pub code: Vec<u8>,
    /// The tag of the code that goes to the account's address.
    pub account_code: Option<Vec<u8>>,
    /// Where the person is asked, and answers from.
    pub address: String,
    /// The account's address.
    pub account_address: Option<String>,
    /// Who ran the program.
    pub asked_by: String,
    /// Until when it can be answered (milliseconds since 1970).
    pub expires_at: i64,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmationRow {
    /// Its number.
    pub confirmation: i64,
    /// What was asked.
    pub of: NewConfirmation,
    /// How far it has come.
    pub state: ConfirmationState,
    /// Answers with a wrong code.
    pub tries: i64,
    /// When it was made.
    pub made_at: i64,
    /// When its letters were sent.
    pub sent_at: Option<i64>,
    /// When it was answered or put aside.
    pub ended_at: Option<i64>,
    /// Why the last answer could not be taken.
    pub said: Option<String>,
}

/// What became of a message of the mailbox that answers come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyRow {
    /// Where it was found; no two have the same place.
    pub place: String,
    /// Its Message-ID.
    pub message_id: Option<String>,
    /// Whose message it is.
    pub sender: Option<String>,
    /// Of what its sender wrote.
    pub digest: Digest,
    /// The question that it answers.
    pub confirmation: Option<i64>,
    /// Its answer was taken.
    pub is_taken: bool,
    /// Why not.
    pub why: Option<String>,
}

impl Store {
    /// The questions of a project, the oldest first.
    pub async fn confirmations(&self, key: ProjectKey) -> Result<Vec<ConfirmationRow>, Error> {
        let select = "SELECT confirmation, directory, entry_key, account, bound, code, account_code, address, account_address, \
            asked_by, expires_at, state, tries, made_at, sent_at, ended_at, said FROM people_confirmation \
            WHERE organisation = $1 AND project = $2 ORDER BY confirmation";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| {
            let name = row.text(11);
            let state = ConfirmationState::EVERY.into_iter().find(|state| state.name() == name);
            Ok(ConfirmationRow {
                confirmation: row.int(0),
                of: NewConfirmation {
                    directory: row.text(1),
                    key: row.text(2),
                    account: row.text(3),
                    bound: Digest::from_bytes(row.blob(4)).ok_or_else(|| Error::damaged("a question's digest"))?,
                    code: row.blob(5).to_vec(),
                    account_code: row.blob_or_null(6).map(<[u8]>::to_vec),
                    address: row.text(7),
                    account_address: row.text_or_null(8),
                    asked_by: row.text(9),
                    expires_at: row.int(10),
                },
                state: state.ok_or_else(|| Error::damaged("a question's state"))?,
                tries: row.int(12),
                made_at: row.int(13),
                sent_at: row.int_or_null(14),
                ended_at: row.int_or_null(15),
                said: row.text_or_null(16),
            })
        };
        rows.iter().map(row).collect()
    }

    /// What became of the messages that answers came in.
    pub async fn replies(&self, key: ProjectKey) -> Result<Vec<ReplyRow>, Error> {
        let select = "SELECT place, message_id, sender, digest, confirmation, is_taken, why FROM people_reply \
            WHERE organisation = $1 AND project = $2 ORDER BY place";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| {
            Ok(ReplyRow {
                place: row.text(0),
                message_id: row.text_or_null(1),
                sender: row.text_or_null(2),
                digest: Digest::from_bytes(row.blob(3)).ok_or_else(|| Error::damaged("an answer's digest"))?,
                confirmation: row.int_or_null(4),
                is_taken: row.bool(5),
                why: row.text_or_null(6),
            })
        };
        rows.iter().map(row).collect()
    }
}

impl PeopleTx<'_> {
    /// Puts a question, and puts the open one about the same object aside; its number.
    pub async fn add_confirmation(&mut self, new: &NewConfirmation) -> Result<i64, Error> {
        let key = self.key;
        let aside = "UPDATE people_confirmation SET state = 'replaced', ended_at = {now} WHERE organisation = $1 AND project = $2 \
            AND directory = $3 AND entry_key = $4 AND state IN ('sending', 'asked')";
        let row = values![key.organisation, key.project, new.directory.as_str(), new.key.as_str()];
        self.tx.execute(aside, row).await?;
        let insert = "INSERT INTO people_confirmation (organisation, project, confirmation, directory, entry_key, account, bound, \
            code, account_code, address, account_address, asked_by, expires_at, state, tries, made_at) \
            SELECT $1, $2, coalesce(max(confirmation), 0) + 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'sending', 0, {now} \
            FROM people_confirmation WHERE organisation = $1 AND project = $2 RETURNING confirmation";
        let row = values![
            key.organisation,
            key.project,
            new.directory.as_str(),
            new.key.as_str(),
            new.account.as_str(),
            new.bound.as_bytes().to_vec(),
            new.code.clone(),
            new.account_code.clone(),
            new.address.as_str(),
            new.account_address.as_deref(),
            new.asked_by.as_str(),
            new.expires_at
        ];
        Ok(self.tx.query(insert, row).await?[0].int(0))
    }

    /// Records that the letters of a question were sent.
    pub async fn confirmation_sent(&mut self, confirmation: i64) -> Result<(), Error> {
        let update = "UPDATE people_confirmation SET state = 'asked', sent_at = {now} WHERE organisation = $1 AND project = $2 \
            AND confirmation = $3 AND state = 'sending'";
        self.tx.execute(update, values![self.key.organisation, self.key.project, confirmation]).await.map(|_| ())
    }

    /// Records why an answer to a question could not be taken. With so many wrong codes its own hold no more.
    pub async fn confirmation_refused(
        &mut self,
        confirmation: i64,
        why: &str,
        is_wrong_code: bool,
        tries_max: i64,
    ) -> Result<(), Error> {
        let update = "UPDATE people_confirmation SET said = $4, tries = tries + $5, \
            state = CASE WHEN tries + $5 >= $6 AND state IN ('sending', 'asked') THEN 'void' ELSE state END, \
            ended_at = CASE WHEN tries + $5 >= $6 AND state IN ('sending', 'asked') THEN {now} ELSE ended_at END \
            WHERE organisation = $1 AND project = $2 AND confirmation = $3";
        let row = values![self.key.organisation, self.key.project, confirmation, why, is_wrong_code, tries_max];
        self.tx.execute(update, row).await.map(|_| ())
    }

    /// Takes the answer to a question, with the decision that it is. False: it is not open any more, or something was decided about
    /// the object since so many decisions were known; nothing is changed.
    pub async fn confirmation_answered(
        &mut self,
        confirmation: i64,
        word: &WordRow,
        words_known: usize,
    ) -> Result<bool, Error> {
        self.tx.alone(Alone::People).await?;
        let key = self.key;
        let count = "SELECT count(*) FROM people_word WHERE organisation = $1 AND project = $2 AND directory = $3 \
            AND entry_key = $4";
        let row = values![key.organisation, key.project, word.directory.as_str(), word.key.as_str()];
        if self.tx.query(count, row).await?[0].int(0) != words_known as i64 {
            return Ok(false);
        }
        let update = "UPDATE people_confirmation SET state = 'answered', ended_at = {now}, said = NULL WHERE organisation = $1 \
            AND project = $2 AND confirmation = $3 AND state IN ('sending', 'asked')";
        if self.tx.execute(update, values![key.organisation, key.project, confirmation]).await? != 1 {
            return Ok(false);
        }
        super::word::insert_word(&mut self.tx, key, word).await?;
        Ok(true)
    }

    /// Records what became of a message. False: that of this place is on record.
    pub async fn add_reply(&mut self, reply: &ReplyRow) -> Result<bool, Error> {
        let insert = "INSERT INTO people_reply (organisation, project, place, message_id, sender, digest, confirmation, is_taken, \
            why, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, {now}) ON CONFLICT DO NOTHING";
        let row = values![
            self.key.organisation,
            self.key.project,
            reply.place.as_str(),
            reply.message_id.as_deref(),
            reply.sender.as_deref(),
            reply.digest.as_bytes().to_vec(),
            reply.confirmation,
            reply.is_taken,
            reply.why.as_deref()
        ];
        Ok(self.tx.execute(insert, row).await? == 1)
    }
}
