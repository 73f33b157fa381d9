//! `people confirm --ask`: people are asked by mail whose an account under another organisation's code is.
//!
//! Two people may have one name. So a letter goes to where the organisation's own directory says that the person reads their mail,
//! and never to the account alone, which may be a stranger's. That the account is theirs is shown by two codes: one in that letter,
//! one sent to the account. Who reads both is one person; a wrong yes of either alone opens nothing. That it is not theirs needs
//! the first code only: then nothing of theirs goes there.
//!
//! A question is on record, with the tags of its codes, before a letter is sent, and again once all are. What ends in between is
//! asked anew: with new codes, and the ones before hold no more.

use std::collections::HashMap;

use mailer::is_address;
use model::{AccountState, Digest, Entry, EntryKind};
use people::{Class, Doubt, Object, ObjectId, Reconciled};
use serde::Serialize;
use serde_json::json;
use store::{ConfirmationRow, ConfirmationState, NewConfirmation, PeopleLease};

use super::super::post::Post;
use super::super::{Known, PeopleProject};
use super::code::{Code, CodeOf, Purpose, Tags};
use super::letter::{Fields, Templates, day_in_words};
use crate::Error;
use crate::config::{ConfirmationEntry, FILE, Proof};
use crate::secret::Environment;

const DAY_MS: i64 = 86_400_000;

/// Who was asked.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AskReport {
    /// Nobody was written to.
    pub dry_run: bool,
    /// Who was written to, or would be.
    pub asked: Vec<AskedLine>,
    /// Who was not, and why.
    pub not_asked: Vec<NotAskedLine>,
}

/// Somebody who was asked.
#[derive(Clone, Debug, Serialize)]
pub struct AskedLine {
    /// The object.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Where the person was written to.
    pub address: String,
    /// The account that it is about.
    pub account: String,
    /// Where the second code was sent to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_address: Option<String>,
    /// Until when they can answer (seconds since 1970).
    pub until: i64,
}

/// Somebody who was not.
#[derive(Clone, Debug, Serialize)]
pub struct NotAskedLine {
    /// The object.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Why not, and what to do.
    pub why: String,
    /// They were asked before, and have time to answer: nobody has to do anything.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_time: bool,
}

impl AskReport {
    /// Everybody was asked, now or before.
    pub fn is_well(&self) -> bool {
        self.not_asked.iter().all(|line| line.has_time)
    }
}

/// Somebody who can be asked, and about what.
pub(super) struct Whom<'k> {
    pub(super) object: &'k Object,
    pub(super) account: &'k Entry,
    /// Where they are written to.
    pub(super) address: &'k str,
    /// Where the second code is sent to.
    pub(super) account_address: Option<&'k str>,
    /// What both are, what speaks for the account, and where both are written to.
    pub(super) bound: Digest,
}

const DIRECTLY: &str = "ask them directly, and record the answer: people confirm WHO --account KEY --outcome …";

/// Whom to ask about an object; or why nobody can be asked by mail.
pub(super) fn whom<'k>(known: &'k Known, row: &Reconciled, proof: Proof) -> Result<Whom<'k>, String> {
    let Class::Unresolved(Doubt::OtherOrganisation { organisation }) = &row.class else {
        return Err(format!("it is {}, and waits for no answer: people show", row.class.name()));
    };
    let object = known.object(&row.matched.object).ok_or("it is gone")?;
    let mut certain = row.matched.candidates.iter().filter(|candidate| candidate.is_certain && !candidate.is_gone);
    let candidate = certain.next().filter(|_| certain.next().is_none());
    let account = candidate.and_then(|candidate| known.account(&candidate.account));
    let (Some(candidate), Some(account)) =
        (candidate, account.filter(|it| it.organisation.as_ref() == Some(organisation)))
    else {
        return Err(format!("which account it is about is not certain: {DIRECTLY}"));
    };
    if object.entry.kind != EntryKind::Person || account.kind != EntryKind::Person {
        return Err(format!("nobody in particular reads its mail: {DIRECTLY}"));
    }
    let address = own_address(known, object)?;
    let account_address = match proof {
        Proof::Own => None,
        Proof::Both => Some(address_of(known, object, account)?),
    };
    let bound = json!([candidate.looked(), address, account_address]);
    let bound = Digest::of(bound.to_string().as_bytes());
    Ok(Whom { object, account, address, account_address, bound })
}

/// Where a person reads their mail now, if it is certain that nobody else does.
fn own_address<'k>(known: &Known, object: &'k Object) -> Result<&'k str, String> {
    let entry = &object.entry;
    if matches!(entry.state, AccountState::Disabled | AccountState::Expired | AccountState::Leaver) {
        return Err(format!(
            "it is {} at the source, and its address may be another's: {DIRECTLY}",
            entry.state.name()
        ));
    }
    let tells = |other: &Object| other.id.directory == object.id.directory && other.entry.has_mailbox;
    if !entry.has_mailbox && known.objects.iter().any(tells) {
        return Err(format!("it has no mailbox at the source: {DIRECTLY}"));
    }
    let Some(address) = entry.mail.as_deref().filter(|mail| is_address(mail)) else {
        return Err(format!("it has no address that can be written to: {DIRECTLY}"));
    };
    let (key, own) = (model::mail_key(address), entry.mail_keys());
    let routed = entry.routed_to.iter().map(|to| model::mail_key(&model::Address::parse(to).text));
    if routed.into_iter().any(|to| !own.contains(&to) && to != key) {
        return Err(format!("its mail is sent on to another address: {DIRECTLY}"));
    }
    if known.objects.iter().any(|other| other.id != object.id && has_address(&other.entry, &key)) {
        return Err(format!("others have its address, too: {DIRECTLY}"));
    }
    Ok(address)
}

/// Where whoever has an account reads its mail, if that is certain, and is not where the person reads theirs.
fn address_of<'k>(known: &Known, object: &Object, account: &'k Entry) -> Result<&'k str, String> {
    let why = |what: &str| Err(format!("its account {what}, so no second code can be sent there: {DIRECTLY}"));
    if matches!(account.state, AccountState::Disabled | AccountState::Expired) {
        return why(&format!("is {}", account.state.name()));
    }
    let Some(address) = account.mail.as_deref().filter(|mail| is_address(mail)) else {
        return why("has no address that can be written to");
    };
    let key = model::mail_key(address);
    if account.routed_to.iter().any(|to| model::mail_key(&model::Address::parse(to).text) != key) {
        return why("sends its mail on");
    }
    let is_anothers = |other: &Entry| other.key != account.key && has_address(other, &key);
    if has_address(&object.entry, &key)
        || known
            .objects
            .iter()
            .any(|object| object.entry.kind != EntryKind::Contact && has_address(&object.entry, &key))
        || known.accounts.iter().any(is_anothers)
    {
        return why("has no address that is its alone");
    }
    Ok(address)
}

fn has_address(entry: &Entry, key: &str) -> bool {
    entry.mail.as_deref().is_some_and(|mail| model::mail_key(mail) == key)
        || entry.mail_keys().iter().any(|own| own == key)
}

/// The last question about each object.
pub(in crate::usecase::people) fn latest(rows: Vec<ConfirmationRow>) -> HashMap<ObjectId, ConfirmationRow> {
    rows.into_iter().map(|row| (ObjectId::new(&row.of.directory, &row.of.key), row)).collect()
}

/// The same as what was asked about, if it still is.
pub(super) fn as_asked<'k>(known: &'k Known, row: &Reconciled, question: &ConfirmationRow) -> Option<Whom<'k>> {
    let proof = if question.of.account_code.is_some() { Proof::Both } else { Proof::Own };
    let now = whom(known, row, proof).ok()?;
    (now.bound == question.of.bound && now.account.key == question.of.account).then_some(now)
}

/// Is what was asked about still what it was?
pub(in crate::usecase::people) fn is_as_asked(known: &Known, row: &Reconciled, question: &ConfirmationRow) -> bool {
    as_asked(known, row, question).is_some()
}

impl PeopleProject {
    pub(super) fn confirmation_entry(&self) -> Result<&ConfirmationEntry, Error> {
        self.entry.confirmation.as_deref().ok_or_else(|| {
            Error::usage(format!("{FILE} has no [people.confirmation]")).advise(
                "say who asks, and which mailbox answers come to; or ask them yourself, and record what they say",
            )
        })
    }

    /// Asks those who are given, or everybody who waits for their own word about an account under another organisation's code.
    /// Who was written to within `again_days` is not written to again, unless told.
    pub async fn ask(
        &self,
        who: &[String],
        again: bool,
        dry_run: bool,
        environment: Environment<'_>,
    ) -> Result<AskReport, Error> {
        let post = Post::of(&self.config, &self.confirmation_entry()?.post(), environment)?;
        Box::pin(self.ask_by(&post, who, again, dry_run)).await
    }

    /// The same, by this mailbox.
    pub(super) async fn ask_by(
        &self,
        post: &Post,
        who: &[String],
        again: bool,
        dry_run: bool,
    ) -> Result<AskReport, Error> {
        if !dry_run {
            self.may_change()?;
        }
        let entry = self.confirmation_entry()?;
        let letters = Templates::of(entry, &self.config.folder)?;
        if dry_run {
            return self.ask_held(None, post, &letters, (who, again)).await;
        }
        let lease = self.hold().await?;
        let done = Box::pin(self.while_held(&lease, self.ask_held(Some(&lease), post, &letters, (who, again)))).await;
        self.leave(&lease, done).await
    }

    /// Nobody is written to where nobody holds the people: that is a dry run.
    async fn ask_held(
        &self,
        lease: Option<&PeopleLease>,
        post: &Post,
        letters: &Templates,
        (who, again): (&[String], bool),
    ) -> Result<AskReport, Error> {
        let entry = self.confirmation_entry()?;
        let known = self.known().await?;
        let now = self.store.now().await?;
        let mut report = AskReport { dry_run: lease.is_none(), ..AskReport::default() };
        let wanted = who.iter().map(|who| known.find(who).map(|object| &object.id)).collect::<Result<Vec<_>, _>>()?;
        let waits = |row: &&Reconciled| {
            if who.is_empty() {
                matches!(row.class, Class::Unresolved(Doubt::OtherOrganisation { .. }))
            } else {
                wanted.contains(&&row.matched.object)
            }
        };
        // The end of a day, as the letter names it.
        let expires_at = (now / DAY_MS + i64::from(entry.days) + 1) * DAY_MS - 1;
        for row in known.reconciliation.rows.iter().filter(waits) {
            let id = &row.matched.object;
            let name = known.object(id).map_or_else(|| id.to_string(), |object| object.entry.label().to_owned());
            let mut not_asked = |why: String, has_time| {
                report.not_asked.push(NotAskedLine { id: id.to_string(), name: name.clone(), why, has_time });
            };
            let whom = match whom(&known, row, entry.proof) {
                Ok(whom) => whom,
                Err(why) => {
                    not_asked(why, false);
                    continue;
                }
            };
            if let Some(last) = known.asked.get(id).filter(|_| !again)
                && let Some((why, has_time)) = too_soon(last, is_as_asked(&known, row, last), now, entry.again_days)
            {
                not_asked(why, has_time);
                continue;
            }
            if let Some(lease) = lease
                && let Err(error) = self.put(lease, post, letters, &whom, expires_at).await?
            {
                not_asked(format!("its letters are not sent: {error}"), false);
                // Where nobody takes letters the next one is not taken either.
                if !is_of_the_letter(&error) {
                    break;
                }
                continue;
            }
            report.asked.push(AskedLine {
                id: id.to_string(),
                name,
                address: whom.address.to_owned(),
                account: whom.account.key.clone(),
                account_address: whom.account_address.map(str::to_owned),
                until: expires_at / 1000,
            });
        }
        Ok(report)
    }

    /// Puts a question: on record, by letter, on record.
    async fn put(
        &self,
        lease: &PeopleLease,
        post: &Post,
        letters: &Templates,
        whom: &Whom<'_>,
        expires_at: i64,
    ) -> Result<Result<(), connector::Error>, Error> {
        let entry = self.confirmation_entry()?;
        let tags = self.tags(true).await?;
        let (own, of_account) = (Code::random()?, Code::random()?);
        let purpose = |of: CodeOf| Purpose { object: &whom.object.id, account: &whom.account.key, of };
        let new = NewConfirmation {
            directory: whom.object.id.directory.clone(),
            key: whom.object.id.key.clone(),
            account: whom.account.key.clone(),
            bound: whom.bound,
            code: tags.tag(&own, purpose(CodeOf::Own)),
            account_code: whom.account_address.map(|_| tags.tag(&of_account, purpose(CodeOf::Account))),
            address: whom.address.to_owned(),
            account_address: whom.account_address.map(str::to_owned),
            asked_by: self.actor.name.clone(),
            expires_at,
        };
        let detail = json!({ "object": whom.object.id.to_string(), "account": whom.account.key, "until": expires_at,
            "codes": 1 + usize::from(whom.account_address.is_some()) });
        self.store.audit(self.key, &self.actor, "people.asked", &detail).await?;
        let mut tx = self.store.write_people(lease).await?;
        let number = tx.add_confirmation(&new).await?;
        tx.commit().await?;

        let fields = Fields {
            name: whom.object.entry.label(),
            organisation: &self.config.file.organisation.name,
            other_code: whom.account.organisation.as_deref().unwrap_or_default(),
            account: whom.account.mail.as_deref().unwrap_or(&whom.account.key),
            deadline: day_in_words(expires_at / 1000),
            contact: &entry.contact,
        };
        let at = self.store.now().await? / 1000;
        let domain = entry.from.rsplit('@').next().unwrap_or_default();
        let id = |of: &str| format!("whimbrel.asks.{number}.{of}.{}@{domain}", whom.bound);
        let own_letter = letters.own.letter((&entry.from, whom.address), id("own"), at, (&fields, &own.shown()))?;
        // The second code first: nobody is asked for one that could not be sent.
        let mut sent = Ok(());
        if let Some(address) = whom.account_address {
            let with = (&fields, &*of_account.shown());
            let letter = letters.account.letter((&entry.from, address), id("account"), at, with)?;
            sent = post.mailer.send(&letter).await;
        }
        if sent.is_ok() {
            sent = post.mailer.send(&own_letter).await;
        }
        let mut tx = self.store.write_people(lease).await?;
        match &sent {
            Ok(()) => tx.confirmation_sent(number).await?,
            // It can't be sent to this address: nobody else is written to again before a person has looked.
            Err(error) if is_of_the_letter(error) => {
                tx.confirmation_refused(number, &super::super::post::kept(&error.to_string()), false, 0).await?;
            }
            Err(_) => {}
        }
        tx.commit().await?;
        Ok(sent)
    }

    /// The key of the tags of codes. It may be made as long as nothing is locked by one.
    pub(super) async fn tags(&self, may_make: bool) -> Result<Tags, Error> {
        let path = self.config.path(&self.entry.key_file);
        let mut is_free = may_make;
        if may_make && !path.exists() {
            let is_open = |row: &ConfirmationRow| row.state.is_open();
            is_free = self.store.accounts_made(self.key).await?.iter().all(|row| row.made.password.is_none())
                && !self.store.confirmations(self.key).await?.iter().any(is_open);
            for plan in self.store.plans(self.key).await? {
                let changes = self.store.changes(self.key, plan.plan).await?;
                is_free &= changes.iter().all(|change| change.secret.is_none());
            }
        }
        Tags::open(&path, is_free)
    }
}

/// Is it this letter that is not taken, and not that nobody takes any?
fn is_of_the_letter(error: &connector::Error) -> bool {
    matches!(error.cause, model::Cause::Refused | model::Cause::Unsupported)
}

/// Why somebody is not asked again yet, and whether they have time to answer. What was asked of two entries that are not what they
/// were can't be answered.
fn too_soon(last: &ConfirmationRow, is_as_asked: bool, now: i64, again_days: u32) -> Option<(String, bool)> {
    // Whose letters may not have been sent is asked anew.
    let at = match last.state {
        ConfirmationState::Sending => return None,
        ConfirmationState::Void => last.sent_at.unwrap_or(last.made_at),
        _ => last.sent_at?,
    };
    let again_at = at + i64::from(again_days) * DAY_MS;
    let day = |at: i64| report::day(at / 1000);
    if last.state == ConfirmationState::Asked && now <= last.of.expires_at && is_as_asked {
        let until = day(last.of.expires_at);
        return Some((format!("it was asked on {}, and has time until {until}; --again asks anew", day(at)), true));
    }
    let why = || format!("it was written to on {}; from {} on, or with --again", day(at), day(again_at));
    (now < again_at).then(|| (why(), false))
}
