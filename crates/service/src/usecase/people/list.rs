//! `people list` and `people show`: every object with its class, and all that is known of one.

use std::collections::{BTreeMap, HashMap};

use model::{AccountState, Entry, EntryKind};
use people::{Candidate, Class, Contradiction, Doubt, Incomplete, Object, ObjectId, Reconciled, Rule, Standing};
use report::{Cell, Column, Document, Kind, Sentence, Table, Weight};
use serde::Serialize;
use store::ConfirmationState;

use super::confirm::is_as_asked;
use super::portal::AWAITED;
use super::{Known, MatchingList, PeopleProject, SignedList, SignoffState, UploadLine, counts};
use crate::Error;

/// Which objects are listed: all, where nothing is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListChoice {
    /// Only those of this class: `new`, `existing`, `excluded`, `archive-only`, `unresolved`.
    pub class: Option<String>,
    /// Only those of this kind: `person`, `shared`, `room`, `equipment`, `system`, `list`, `contact`.
    pub kind: Option<String>,
    /// Only accounts that nobody has logged in to for so many days.
    pub idle_days: Option<u32>,
}

/// An object.
#[derive(Clone, Debug, Serialize)]
pub struct ObjectLine {
    /// What to call it in other commands.
    pub id: String,
    /// What it stands for.
    pub kind: &'static str,
    /// What it is called.
    pub name: String,
    /// Its mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// Its state at the source.
    pub state: &'static str,
    /// When somebody last logged in (seconds since 1970).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_logon: Option<i64>,
    /// Its class.
    pub class: &'static str,
    /// Why it is in that class, in words.
    pub why: String,
    /// What somebody has to do, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Its account on the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The account's mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_mail: Option<String>,
    /// The rule that matched it, or `person`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched_by: Option<&'static str>,
    /// Whether its match is signed off: `signed`, `changed` since it was, or `unsigned`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<SignoffState>,
    /// What the platform says of its account that somebody should look at: `unknown`, `moved`, or a state such as `locked`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<&'static str>,
    /// What its person was asked about an account under another organisation's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<QuestionLine>,
}

/// A question that a person was asked by mail.
#[derive(Clone, Debug, Serialize)]
pub struct QuestionLine {
    /// How it stands.
    pub state: QuestionState,
    /// When it was asked (seconds since 1970).
    pub at: i64,
    /// Until when it can be answered.
    pub until: i64,
    /// Why the last answer could not be taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// How a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuestionState {
    /// Its letters may not have been sent.
    Sending,
    /// An answer is waited for.
    Asked,
    /// None came in time.
    Overdue,
    /// What it was about has changed since.
    Changed,
    /// Its letters could not be sent, or too many answers had a wrong code.
    Void,
    /// It was answered.
    Answered,
}

impl QuestionState {
    /// The state's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Asked => "asked",
            Self::Overdue => "overdue",
            Self::Changed => "changed since",
            Self::Void => "void",
            Self::Answered => "answered",
        }
    }
}

/// All objects, or those chosen.
#[derive(Clone, Debug, Serialize)]
pub struct ListReport {
    /// How many objects each class has, chosen or not.
    pub classes: BTreeMap<&'static str, usize>,
    /// How many of each class are of which kind.
    pub kinds: BTreeMap<&'static str, BTreeMap<&'static str, usize>>,
    /// The list of who has which account, and the digest that it is signed by.
    pub matching: MatchingList,
    /// The list of everybody with their class, and the digest that it is signed by.
    pub scope: MatchingList,
    /// How many accounts of the organisation's objects have each flag, chosen or not.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<&'static str, usize>,
    /// When the portal's report of users was written (seconds since 1970), where the platform has only a portal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<i64>,
    /// The file for the portal that has no result yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submission: Option<UploadLine>,
    /// The objects.
    pub objects: Vec<ObjectLine>,
}

/// An account that something speaks for.
#[derive(Clone, Debug, Serialize)]
pub struct CandidateLine {
    /// The account's key.
    pub account: String,
    /// What it is called.
    pub name: String,
    /// Its mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// The organisation it is under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// Its state.
    pub state: &'static str,
    /// What speaks for it: the rule, and what both have.
    pub evidence: Vec<(&'static str, String)>,
    /// What speaks against it.
    pub against: Vec<String>,
    /// The evidence is certain by itself.
    pub certain: bool,
}

/// All that is known of an object.
#[derive(Clone, Debug, Serialize)]
pub struct ShowReport {
    /// The object.
    #[serde(flatten)]
    pub line: ObjectLine,
    /// As its directory has it.
    pub entry: Entry,
    /// Its candidates.
    pub candidates: Vec<CandidateLine>,
    /// What was decided about it: when, by whom, what, on what evidence.
    pub decisions: Vec<(i64, String, String, String)>,
}

impl ListReport {
    /// The report as a document.
    pub fn document(&self) -> Document {
        let count = |class: &str| self.classes.get(class).copied().unwrap_or_default();
        let unresolved = count("unresolved");
        let counts = classes_in_words(&self.classes);
        let weight = if unresolved == 0 { Weight::Well } else { Weight::Attention };
        let mut sentences = vec![Sentence { weight, text: counts }];
        if self.matching.rows > 0 {
            let text =
                format!("Digest of the {} matches, to sign them by: {}", self.matching.rows, self.matching.digest);
            sentences.push(Sentence { weight: Weight::Plain, text });
        }
        if let Some(new) = self.kinds.get("new") {
            let of: Vec<String> = new.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            sentences.push(Sentence { weight: Weight::Plain, text: format!("New: {}.", of.join(", ")) });
        }
        if self.scope.rows > 0 {
            let text =
                format!("Digest of all {} classes, to sign the scope by: {}", self.scope.rows, self.scope.digest);
            sentences.push(Sentence { weight: Weight::Plain, text });
        }
        let waits = |state: QuestionState| {
            self.objects.iter().filter(|line| line.asked.as_ref().is_some_and(|asked| asked.state == state)).count()
        };
        let (asked, overdue) = (waits(QuestionState::Asked), waits(QuestionState::Overdue));
        if asked + overdue > 0 {
            let weight = if overdue == 0 { Weight::Plain } else { Weight::Attention };
            let text = format!("Asked whose an account is: {asked} have time to answer, {overdue} are overdue.");
            sentences.push(Sentence { weight, text });
        }
        sentences.extend(self.of_the_platform());
        let cell = |text: Option<&str>| text.map_or(Cell::Empty, |text| Cell::Text(text.to_owned()));
        let row = |line: &ObjectLine| {
            let signed = line.signed.map(|signed| match signed {
                SignoffState::Signed => "signed",
                SignoffState::Changed => "changed since",
                SignoffState::Unsigned => "unsigned",
            });
            vec![
                cell(Some(&line.name)),
                cell(Some(line.kind)),
                cell(line.mail.as_deref()),
                cell(Some(line.class)),
                cell(Some(&line.why)),
                cell(line.account_mail.as_deref().or(line.account.as_deref())),
                cell(line.matched_by),
                cell(Some(&line.flags.join(", ")).filter(|flags| !flags.is_empty()).map(String::as_str)),
                cell(signed),
                cell(line.asked.as_ref().map(|asked| asked.state.name())),
                line.last_logon.map_or(Cell::Empty, Cell::Moment),
                cell(Some(line.state)),
                cell(line.next.as_deref()),
                cell(Some(&line.id)),
            ]
        };
        let table = Table {
            name: "people",
            title: "Everybody, each in one class".to_owned(),
            columns: vec![
                Column::new("name", Kind::Text),
                Column::new("kind", Kind::Text),
                Column::new("mail", Kind::Text),
                Column::new("class", Kind::Text),
                Column::new("why", Kind::Prose),
                Column::if_any("account", Kind::Text),
                Column::if_any("matched by", Kind::Text),
                Column::if_any("platform says", Kind::Text),
                Column::if_any("signed", Kind::Text),
                Column::if_any("asked", Kind::Text),
                Column::if_any("last logon", Kind::Moment),
                Column::new("state", Kind::Text),
                Column::if_any("what to do", Kind::Prose),
                Column::aside("id", Kind::Text),
            ],
            rows: self.objects.iter().map(row).collect(),
            total: None,
            empty: "nobody is listed",
        };
        Document {
            title: "Reconciliation of people".to_owned(),
            sentences,
            tables: vec![table],
            main: "people",
            ..Document::default()
        }
    }
}

/// How many objects each class has; of the archive, where any has.
pub fn classes_in_words(classes: &BTreeMap<&'static str, usize>) -> String {
    let count = |class: &str| classes.get(class).copied().unwrap_or_default();
    let is_told = |class: &&str| *class != "archive-only" || count(class) > 0;
    let each = Class::NAMES.into_iter().filter(is_told).map(|class| format!("{} {class}", count(class)));
    format!("{}.", each.collect::<Vec<_>>().join(", "))
}

impl ListReport {
    /// What the platform says of accounts, how old that is, and what it has not answered yet.
    fn of_the_platform(&self) -> Vec<Sentence> {
        let mut sentences = Vec::new();
        if !self.flags.is_empty() {
            let flags: Vec<String> = self.flags.iter().map(|(flag, count)| format!("{count} {flag}")).collect();
            let text = format!("Of these accounts the platform says: {}.", flags.join(", "));
            sentences.push(Sentence { weight: Weight::Attention, text });
        }
        if let Some(at) = self.as_of {
            let text = format!("The portal's report of users was written at {}.", report::moment(at));
            sentences.push(Sentence { weight: Weight::Plain, text });
        }
        if let Some(open) = &self.submission {
            let weight = if open.overdue { Weight::Attention } else { Weight::Plain };
            sentences.push(Sentence { weight, text: open.sentence() });
        }
        sentences
    }
}

const DAY_SECONDS: i64 = 86_400;

impl PeopleProject {
    /// Every object with its class, or those chosen.
    pub async fn list(&self, choice: &ListChoice) -> Result<ListReport, Error> {
        choice.check()?;
        let known = self.known().await?;
        let signed = self.signed().await?;
        let now = self.store.now().await? / 1000;
        let rows = known.reconciliation.rows.iter().map(|row| line(&known, row, &signed));
        let objects = rows.filter(|line| choice.takes(line, now)).collect();
        let mut flags: BTreeMap<&'static str, usize> = BTreeMap::new();
        let flagged = known.reconciliation.rows.iter().flat_map(|row| known.flags(row));
        flagged.for_each(|flag| *flags.entry(flag).or_default() += 1);
        let mut kinds: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for row in &known.reconciliation.rows {
            let Some(object) = known.object(&row.matched.object) else { continue };
            *kinds.entry(row.class.name()).or_default().entry(object.entry.kind.name()).or_default() += 1;
        }
        Ok(ListReport {
            classes: counts(&known.reconciliation),
            kinds,
            matching: MatchingList::of(&known, SignedList::Matching),
            scope: MatchingList::of(&known, SignedList::Scope),
            flags,
            as_of: known.as_of.map(|at| at / 1000),
            submission: self.awaited_upload().await?,
            objects,
        })
    }

    /// All that is known of one object.
    pub async fn show(&self, wanted: &str) -> Result<ShowReport, Error> {
        let known = self.known().await?;
        let signed = self.signed().await?;
        let object = known.find(wanted)?;
        let row = known.reconciliation.row(&object.id).ok_or_else(|| super::damaged("the reconciliation"))?;
        let candidates = row.matched.candidates.iter().filter_map(|candidate| candidate_line(&known, candidate));
        let words = self.store.words(self.key).await?.into_iter();
        let decisions = words
            .filter(|word| word.directory == object.id.directory && word.key == object.id.key)
            .map(|word| (word.at, word.said_by, word.what, word.evidence));
        Ok(ShowReport {
            line: line(&known, row, &signed),
            entry: object.entry.clone(),
            candidates: candidates.collect(),
            decisions: decisions.collect(),
        })
    }
}

/// An object with its class, for people.
pub(super) fn line(known: &Known, row: &Reconciled, signed: &HashMap<ObjectId, model::Digest>) -> ObjectLine {
    let id = &row.matched.object;
    let Object { entry, .. } = known.object(id).unwrap_or_else(|| unreachable!("a row has its object"));
    let account = row.matched.account().and_then(|key| known.account(key));
    let (why, next) = reason(known, row);
    let matched_by = match &row.matched.standing {
        Standing::Accepted { rule, .. } => Some(rule.map_or("person", Rule::name)),
        _ => None,
    };
    ObjectLine {
        id: id.to_string(),
        kind: entry.kind.name(),
        name: entry.label().to_owned(),
        mail: entry.mail.clone(),
        state: entry.state.name(),
        last_logon: entry.last_logon,
        class: row.class.name(),
        why,
        next,
        account: account.map(|account| account.key.clone()),
        account_mail: account.and_then(|account| account.mail.clone()),
        matched_by,
        flags: known.flags(row),
        signed: account.map(|_| SignoffState::of(signed.get(id), known.to_be_signed(row))),
        asked: question(known, row),
    }
}

/// What the person of an object was asked, as long as it matters: while it waits for their word, and once they gave it.
fn question(known: &Known, row: &Reconciled) -> Option<QuestionLine> {
    let last = known.asked.get(&row.matched.object)?;
    let waits = matches!(row.class, Class::Unresolved(Doubt::OtherOrganisation { .. }));
    let state = match last.state {
        ConfirmationState::Answered => QuestionState::Answered,
        _ if !waits => return None,
        ConfirmationState::Void | ConfirmationState::Replaced => QuestionState::Void,
        _ if !is_as_asked(known, row, last) => QuestionState::Changed,
        _ if known.at > last.of.expires_at => QuestionState::Overdue,
        ConfirmationState::Sending => QuestionState::Sending,
        ConfirmationState::Asked => QuestionState::Asked,
    };
    let at = last.sent_at.unwrap_or(last.made_at) / 1000;
    Some(QuestionLine { state, at, until: last.of.expires_at / 1000, said: last.said.clone() })
}

/// What somebody has to do about an account under another organisation's code.
fn about_other_code(known: &Known, row: &Reconciled) -> String {
    let id = &row.matched.object;
    if known.proof.is_none() {
        return "ask its person, and record the answer: people confirm WHO".to_owned();
    }
    let Some(asked) = question(known, row) else {
        return format!("ask its person: people confirm --ask {id}");
    };
    let why = asked.said.map_or_else(String::new, |said| format!("{said}; "));
    let (at, until) = (report::day(asked.at), report::day(asked.until));
    let again = format!("people confirm --ask --again {id}");
    match asked.state {
        QuestionState::Asked => {
            format!("{why}its person was asked on {at} and has time until {until}: people confirm --mailed")
        }
        QuestionState::Sending => format!("its person may not have been asked: people confirm --ask {id}"),
        QuestionState::Overdue => {
            format!(
                "{why}no answer came until {until}: speak to its person, and {again}, or record it: people confirm {id}"
            )
        }
        QuestionState::Changed | QuestionState::Answered => {
            format!("it changed since its person was asked: look at it, and {again}")
        }
        QuestionState::Void => format!("{why}speak to its person, and {again}, or record it: people confirm {id}"),
    }
}

impl ListChoice {
    fn check(&self) -> Result<(), Error> {
        let classes = Class::NAMES;
        if let Some(class) = self.class.as_deref().filter(|class| !classes.contains(class)) {
            return Err(
                Error::usage(format!("there is no class {class:?}")).advise(format!("write {}", classes.join(", ")))
            );
        }
        if let Some(kind) = self.kind.as_deref().filter(|kind| EntryKind::from_name(kind).is_none()) {
            let kinds = EntryKind::EVERY.map(EntryKind::name).join(", ");
            return Err(Error::usage(format!("there is no kind {kind:?}")).advise(format!("write one of {kinds}")));
        }
        Ok(())
    }

    fn takes(&self, line: &ObjectLine, now: i64) -> bool {
        let is_idle = |days: u32| {
            let holds_mail = EntryKind::from_name(line.kind).is_some_and(EntryKind::holds_mail);
            holds_mail && line.last_logon.is_none_or(|at| at < now - i64::from(days) * DAY_SECONDS)
        };
        self.class.as_deref().is_none_or(|class| class == line.class)
            && self.kind.as_deref().is_none_or(|kind| kind == line.kind)
            && self.idle_days.is_none_or(is_idle)
    }
}

fn candidate_line(known: &Known, candidate: &Candidate) -> Option<CandidateLine> {
    let mut gone = known.accounts_gone.iter();
    let account =
        known.account(&candidate.account).or_else(|| gone.find(|account| account.key == candidate.account))?;
    let evidence = candidate.evidence.iter().map(|evidence| (evidence.rule.name(), evidence.what.clone()));
    Some(CandidateLine {
        account: account.key.clone(),
        name: account.label().to_owned(),
        mail: account.mail.clone(),
        organisation: account.organisation.clone(),
        state: account.state.name(),
        evidence: evidence.collect(),
        against: candidate.against.iter().map(contradiction).collect(),
        certain: candidate.is_certain,
    })
}

fn contradiction(against: &Contradiction) -> String {
    let words = match against {
        Contradiction::MadeFor { whom } => return format!("its mark says that it was made for {whom}"),
        Contradiction::Kind => "one is a person and the other is not",
        Contradiction::LocalId => "the organisation gave them different numbers",
        Contradiction::Names => "their names do not agree, or one has none",
    };
    words.to_owned()
}

/// Why an object is in its class, and what somebody has to do about it.
pub(super) fn reason(known: &Known, row: &Reconciled) -> (String, Option<String>) {
    let label =
        |id: &ObjectId| known.object(id).map_or_else(|| id.to_string(), |object| object.entry.label().to_owned());
    match &row.class {
        Class::New => match row.matched.standing {
            Standing::NoAccount { said: true } => ("a person says that it has no account".to_owned(), None),
            _ => ("nothing on the platform speaks for it".to_owned(), None),
        },
        Class::Existing { .. } => {
            let by = match &row.matched.standing {
                Standing::Accepted { rule: Some(rule), .. } => evidence_of(row, *rule),
                _ => "a person says so".to_owned(),
            };
            (by, None)
        }
        Class::Excluded { filter: Some(filter), .. } => (format!("by the filter {filter}"), None),
        Class::Archived { filter: Some(filter), .. } => (format!("by the filter {filter}"), None),
        Class::Excluded { reason, .. } | Class::Archived { reason, .. } => {
            (format!("by a person: {}", reason.as_deref().unwrap_or_default()), None)
        }
        Class::Incomplete(what) => {
            let what: Vec<String> = what
                .iter()
                .map(|what| match what {
                    Incomplete::Lacks(field) => format!("it has no {field}"),
                    Incomplete::NoOwner => "nobody answers for it".to_owned(),
                    Incomplete::Twice { field, other } => format!("{} has the same {field}", label(other)),
                })
                .collect();
            (what.join("; "), Some("correct it in its directory, or leave it out with people exclude".to_owned()))
        }
        Class::Unresolved(Doubt::GoneFromPlatform { account }) if known.awaited.contains(account) => (
            "its account was made, and is not in the portal's report of users yet".to_owned(),
            Some("fetch the report from the portal again, then people sync".to_owned()),
        ),
        Class::Unresolved(Doubt::GoneFromPlatform { account }) if account.starts_with(AWAITED) => (
            "the portal said that its account was made, and its report of users does not show it".to_owned(),
            Some("ask the platform's people; where it was not made after all: people match WHO --none".to_owned()),
        ),
        Class::Unresolved(doubt) => {
            let (why, next) = doubt_words(doubt, &label);
            let next = match doubt {
                Doubt::OtherOrganisation { .. } => about_other_code(known, row),
                _ => next.to_owned(),
            };
            (why, Some(next))
        }
    }
}

fn evidence_of(row: &Reconciled, rule: Rule) -> String {
    let evidence = row.matched.candidates.iter().flat_map(|candidate| &candidate.evidence);
    let what = evidence.filter(|evidence| evidence.rule == rule).map(|evidence| evidence.what.as_str()).next();
    match rule {
        Rule::MadeForThem => "this program made it".to_owned(),
        _ => format!("{}: {}", rule.name(), what.unwrap_or_default()),
    }
}

const DECIDE: &str = "decide: people match WHO --account KEY, --different KEY or --none";

fn doubt_words(doubt: &Doubt, label: &dyn Fn(&ObjectId) -> String) -> (String, &'static str) {
    match doubt {
        Doubt::Weak => ("what speaks for an account is not enough: a name, a mark, a number".to_owned(), DECIDE),
        Doubt::GoneFromPlatform { account } => (
            format!("its account {account} is gone from the platform"),
            "have it restored or read the platform again; where it has none any more: people match WHO --none",
        ),
        Doubt::SeveralAccounts => (
            "several accounts are certainly its own".to_owned(),
            "have all but one closed or joined, or decide: people match WHO --different KEY",
        ),
        Doubt::ClaimedByOthers { others } => {
            let others: Vec<String> = others.iter().map(label).collect();
            (format!("its account is as certainly that of {}", others.join(" and ")), DECIDE)
        }
        Doubt::Taken { by } => (format!("its account was given to {}", label(by)), DECIDE),
        Doubt::Contradicted { by } => {
            let by: Vec<String> = by.iter().map(contradiction).collect();
            (format!("the evidence is certain, but {}", by.join(" and ")), DECIDE)
        }
        Doubt::NotTheirsAlone => ("what speaks for its account others have, too".to_owned(), DECIDE),
        Doubt::Unusable { state } => (
            match state {
                AccountState::Leaver => "its account is marked as a leaver's".to_owned(),
                state => format!("its account is {}", state.name()),
            },
            "have the account restored on the platform, or decide: people match WHO --account KEY or --different KEY",
        ),
        Doubt::OtherOrganisation { organisation } => (
            format!("its account is under the code {organisation}"),
            "ask its person, and record the answer: people confirm WHO",
        ),
        Doubt::NoOrganisation => ("its account is under no organisation's code".to_owned(), DECIDE),
        Doubt::ChangedSince => ("it or its account changed since a person decided".to_owned(), DECIDE),
        Doubt::AccountGone => ("the account that it was given is gone from the platform".to_owned(), DECIDE),
    }
}
