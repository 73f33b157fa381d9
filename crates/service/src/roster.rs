//! The roster of a project: the rows of `people.csv`, and everybody of whom the people's plane knows both sides.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use model::{AccountState, Actor, Entry, EntryKind, MailboxKind, Phase};
use people::{Class, Object};
use store::{MailboxRow, ProjectKey, Store};
use switch::Rule;

use crate::Error;
use crate::config::{Config, MailboxName, PeopleEntry};
use crate::people::{self as file, People, Row};
use crate::usecase::people::{BothBooks, Known, PeopleProject, SignoffState};

/// Somebody whose mailbox is not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Withheld {
    /// What they are called at the source.
    pub source: String,
    /// The endpoint of the source, where that is known.
    pub endpoint: Option<String>,
    /// Why not, and what to do.
    pub why: String,
    /// Where its copy has begun the mailbox stays on the roster, but it is not told here that it is withheld before that.
    pub only_if_begun: bool,
}

impl Withheld {
    /// Is it about this mailbox?
    pub(crate) fn is_of(&self, endpoint: &str, source: &str) -> bool {
        self.source.eq_ignore_ascii_case(source) && self.endpoint.as_deref().is_none_or(|own| own == endpoint)
    }
}

const UNSIGNED: &str = "its match is not signed off: whimbrel people match --sign";
const CHANGED: &str = "its match changed since it was signed off: look at it, then whimbrel people match --sign";
const NOT_IN_BOOKS: &str = "it does not stand in both address books: whimbrel addressbook sync";
const NO_MATCH: &str =
    "people.csv names both sides, and no signed match does: match it, or leave require.signed_match out";
const NO_SOURCE_NAME: &str =
    "its entry has no name of a mailbox (people.source_name): correct it, then whimbrel people sync";
const NO_TARGET_NAME: &str =
    "its account has no name of a mailbox (people.target_name): correct it, then whimbrel people sync";
const NO_ENDPOINT: &str = "there are several sources of mail: write the one of its directory into people.mail, as people.mail = { ad = \"local\" }";
const NO_MAILBOX: &str =
    "it has no mailbox at the source, and its address may be another one's there: look whose it is";
const DISABLED: &str = "it is disabled at the source, and its address may be another one's by now: look whose it is";
const LEFT: &str = "the personnel system says that they have left: whimbrel people tasks";
const NO_ARCHIVE: &str = "its mail is left to the archive, and there is no [archive]: say where that is";
const IN_FILE: &str = "people.csv gives it a target, and its mail is left to the archive: take the row out, or the decision back with people include";
const ANOTHER_ARCHIVE: &str = "archive it by a project of its own";
const GONE: &str = "it is gone from its directory: whimbrel people tasks";

/// The rows of `people.csv`; none where there is no such file and `[people]` says who there is.
pub(crate) fn read_file(folder: &Path, config: &Config) -> Result<People, Error> {
    if config.file.people.is_some() && !folder.join(file::FILE).exists() {
        return Ok(People::default());
    }
    file::read(folder, &config.sources())
}

/// Adds everybody of whom both sides are known, and takes out those whose match has to be signed first and is not.
pub(crate) async fn complete(
    config: &Config,
    store: &Store,
    key: ProjectKey,
    actor: &Actor,
    people: &mut People,
) -> Result<Vec<Withheld>, Error> {
    let must_be_signed = config.file.require.signed_match;
    let Some(entry) = &config.file.people else {
        if must_be_signed || config.file.require.address_book {
            let what = format!("{}: [require] needs [people]", crate::PROJECT_FILE);
            return Err(Error::usage(what).advise("say where people come from, or leave it out"));
        }
        return Ok(Vec::new());
    };
    let plane = PeopleProject::of(config.clone(), entry.clone(), store.clone(), key, actor.clone())?;
    let known = plane.known().await?;
    let (signed, made) = (plane.signed().await?, plane.made().await?);
    let books = match config.file.require.address_book {
        true => Some(plane.both_books().await?),
        // Whoever is switched has to be in both; a project that keeps no books is asked for a word instead.
        false if config.asks_for(Rule::AddressBooks) && entry.platform.is_some() => plane.both_books().await.ok(),
        false => None,
    };
    let endpoints = store.endpoints(key).await?;
    let plan = Roster::of(config, entry, &known, Begun::of(&store.mailboxes(key).await?, &endpoints))?;
    let left = plane.left_by_staff().await?;
    let (mut rows, mut withheld) = (Vec::new(), Vec::new());
    let mut file = FileRows::of(people, &plan.sources[0]);
    for row in &known.reconciliation.rows {
        let id = &row.matched.object;
        let Some(object) = known.object(id) else { continue };
        let Some(kind) = mailbox_kind(object.entry.kind) else { continue };
        let to_archive = matches!(row.class, Class::Archived { .. });
        // Part of a mailbox would lie at one place, and part at the other.
        if let Some((begun, why)) = plan.begun_elsewhere(config, object, to_archive) {
            let is_in_file = file.withhold(people, &plan, object, &why, &mut withheld);
            if is_in_file || to_archive || matches!(row.class, Class::Existing { .. }) {
                let (source, endpoint) = (begun.source.clone(), Some(begun.source_endpoint.clone()));
                withheld.push(Withheld { source, endpoint, why, only_if_begun: false });
                continue;
            }
        }
        if to_archive {
            // Their mail goes nowhere else, whatever the file says; what is meant is for a person to say.
            if file.withhold(people, &plan, object, IN_FILE, &mut withheld) {
                withheld.push(plan.withheld(object, IN_FILE.to_owned()));
                continue;
            }
            match plan.to_archive(object, kind, config.file.archive.is_some()) {
                Ok(row) => rows.push(row),
                Err(why) => withheld.push(plan.withheld(object, why)),
            }
            continue;
        }
        let mut hold_back = |why: String| withheld.push(plan.withheld(object, why));
        let Class::Existing { account } = &row.class else {
            let why = format!("it is {} now: whimbrel people show {id}", row.class.name());
            withheld.push(Withheld { only_if_begun: true, ..plan.withheld(object, why) });
            continue;
        };
        let Some(account) = known.account(account) else { continue };
        let Some(source) = entry.source_name.of(&object.entry) else {
            hold_back(NO_SOURCE_NAME.to_owned());
            continue;
        };
        let Some(target) = entry.target_name.of(account) else {
            hold_back(NO_TARGET_NAME.to_owned());
            continue;
        };
        if let Some(why) = plan.not_theirs(object, source, false) {
            hold_back(why);
            continue;
        }
        if people::staff_number(&object.entry).is_some_and(|number| left.contains(&number)) {
            hold_back(LEFT.to_owned());
            continue;
        }
        if must_be_signed {
            let why = match SignoffState::of(signed.get(id), known.to_be_signed(row)) {
                SignoffState::Signed => None,
                SignoffState::Changed => Some(CHANGED),
                SignoffState::Unsigned => Some(UNSIGNED),
            };
            if let Some(why) = why {
                hold_back(why.to_owned());
                continue;
            }
        }
        let in_books = |books: &BothBooks| {
            [&books.source, &books.platform].iter().all(|book| book.there.contains(&id.to_string()))
        };
        if config.file.require.address_book && !books.as_ref().is_none_or(in_books) {
            hold_back(NOT_IN_BOOKS.to_owned());
            continue;
        }
        let was_made = made.get(id).is_some_and(|row| row.made.account == account.key);
        rows.push(Row {
            line: 0,
            source: source.to_owned(),
            target: target.to_owned(),
            name: object.entry.names.display.clone(),
            kind,
            collection: None,
            source_endpoint: plan.endpoint(object).filter(|_| plan.sources.len() > 1),
            // Who had the account before works there already.
            target_in_use: !was_made || account.last_logon.is_some(),
            new_account: Some(was_made),
            // Of an account that was made it is known that nobody has until somebody is seen to have.
            activated: account.is_activated.or(account.last_logon.map(|_| true)).or(was_made.then_some(false)),
            in_books: books.as_ref().map(in_books),
            archive: false,
            quota_bytes: object.entry.quota_bytes.or(account.quota_bytes),
            vip: false,
            source_password: None,
            target_password: None,
        });
    }
    for object in known.gone.iter().filter(|object| mailbox_kind(object.entry.kind).is_some()) {
        withheld.push(Withheld { only_if_begun: true, ..plan.withheld(object, GONE.to_owned()) });
    }
    file.take_out(people);
    merge(people, rows, must_be_signed || config.file.require.address_book, &mut withheld);
    withhold_doubles(people, &plan.sources, &mut withheld);
    // Who is on the roster by another row is not withheld.
    withheld.retain(|withheld| {
        !withheld.only_if_begun
            || !people
                .rows
                .iter()
                .any(|row| withheld.is_of(row.source_endpoint.as_ref().unwrap_or(&plan.sources[0]), &row.source))
    });
    Ok(withheld)
}

/// What mailboxes are called at the source, and who else is called so.
struct Roster<'r> {
    sources: Vec<String>,
    entry: &'r PeopleEntry,
    /// Whose each name is, in whatever case: mail addresses anywhere, accounts at their endpoint.
    holders: HashMap<(Option<String>, String), Vec<&'r Object>>,
    /// Directories that tell who has a mailbox.
    telling: HashSet<&'r str>,
    /// What has begun to be copied, by its name at the source in small letters.
    begun: HashMap<String, Vec<Begun>>,
    /// Whose mail the archive has under which name, in small letters: endpoint and name.
    archived: HashMap<String, Vec<(String, String)>>,
    archive: Option<String>,
}

impl<'r> Roster<'r> {
    fn of(config: &Config, entry: &'r PeopleEntry, known: &'r Known, begun: Vec<Begun>) -> Result<Self, Error> {
        let sources = config.sources();
        if let Some(endpoint) = entry.mail.values().find(|endpoint| !sources.contains(endpoint)) {
            let what = format!("{}: people.mail: {endpoint:?} is none of source.mail", crate::PROJECT_FILE);
            return Err(Error::usage(what).advise(format!("write one of {}", sources.join(", "))));
        }
        let tells = |object: &&Object| object.entry.has_mailbox;
        let telling = known.objects.iter().filter(tells).map(|object| object.id.directory.as_str()).collect();
        let archive = config.file.archive.as_ref().map(|archive| archive.mail.clone());
        let (mut by_source, mut by_target) = (HashMap::new(), HashMap::new());
        for begun in begun {
            if archive.as_ref() == Some(&begun.target_endpoint) {
                let its = (begun.source_endpoint.clone(), begun.source.clone());
                by_target.entry(begun.target.to_lowercase()).or_insert_with(Vec::new).push(its);
            }
            by_source.entry(begun.source.to_lowercase()).or_insert_with(Vec::new).push(begun);
        }
        let mut roster =
            Self { sources, entry, holders: HashMap::new(), telling, begun: by_source, archived: by_target, archive };
        // A contact has no mailbox, and stands for somebody in many address books.
        for object in known.objects.iter().filter(|object| object.entry.kind != EntryKind::Contact) {
            let mut names = HashSet::new();
            match entry.source_name {
                MailboxName::Mail => {
                    names.extend(object.entry.mail_keys());
                    names.extend(object.entry.mail.as_deref().map(model::mail_key));
                }
                MailboxName::Account => names.extend(object.entry.account.as_deref().map(str::to_lowercase)),
            }
            for name in names {
                let key = roster.key(object, name);
                roster.holders.entry(key).or_default().push(object);
            }
        }
        Ok(roster)
    }

    fn key(&self, object: &Object, name: String) -> (Option<String>, String) {
        let at = match self.entry.source_name {
            MailboxName::Mail => None,
            MailboxName::Account => self.endpoint(object),
        };
        (at, name)
    }

    /// Where the mailboxes of its directory are.
    fn endpoint(&self, object: &Object) -> Option<String> {
        self.entry.mail_endpoint(&object.id.directory, &self.sources)
    }

    fn withheld(&self, object: &Object, why: String) -> Withheld {
        let name = self.entry.source_name.of(&object.entry).map_or_else(|| object.id.to_string(), str::to_owned);
        Withheld { source: name, endpoint: self.endpoint(object), why, only_if_begun: false }
    }

    /// The copy of this object's mailbox that has begun to go to another place, under whatever name it had; and what to do.
    fn begun_elsewhere(&self, config: &Config, object: &Object, to_archive: bool) -> Option<(&Begun, String)> {
        let at = self.endpoint(object);
        let goes_to = if to_archive { self.archive.as_deref()? } else { config.target() };
        let names = names_of(&object.entry);
        let mut begun = names.iter().filter_map(|name| self.begun.get(name)).flatten();
        let begun = begun.find(|begun| {
            begun.target_endpoint != goes_to && at.as_ref().is_none_or(|at| *at == begun.source_endpoint)
        })?;
        let (was, place) = (&begun.target, &begun.target_endpoint);
        let why = if self.archive.as_ref() == Some(place) {
            "its copy to the archive has begun, and it is to move now: copy it there by a project of another name"
                .to_owned()
        } else if to_archive && place == config.target() {
            format!(
                "its copy to {was} has begun, and its mail is left to the archive now: take that back, or leave it out"
            )
        } else {
            format!(
                "its copy to {was} at the endpoint {place} has begun: set target.mail or archive.mail back to it, or begin a project \
                 of another name"
            )
        };
        Some((begun, why))
    }

    /// The row of somebody whose mail goes to the archive, under the name that it has at the source; or why there is none.
    fn to_archive(&self, object: &Object, kind: MailboxKind, is_there: bool) -> Result<Row, String> {
        let source = self.entry.source_name.of(&object.entry).ok_or(NO_SOURCE_NAME)?;
        if !is_there {
            return Err(NO_ARCHIVE.to_owned());
        }
        if let Some(why) = self.not_theirs(object, source, true) {
            return Err(why);
        }
        // One folder of the archive is one mailbox's, whoever is on the roster now.
        let held = self.archived.get(&source.to_lowercase()).into_iter().flatten();
        let (own, others): (Vec<_>, Vec<_>) = held.partition(|(at, _)| Some(at) == self.endpoint(object).as_ref());
        if let Some((at, name)) = others.first() {
            return Err(format!("the archive has the mail of {name} of {at} under that name: {ANOTHER_ARCHIVE}"));
        }
        // What has begun goes on under the name that it began with, whatever the case of its letters is now.
        let source = own.first().map_or(source, |(_, name)| name);
        Ok(Row {
            line: 0,
            source: source.to_owned(),
            target: source.to_owned(),
            name: object.entry.names.display.clone(),
            kind,
            collection: None,
            source_endpoint: self.endpoint(object).filter(|_| self.sources.len() > 1),
            target_in_use: false,
            new_account: Some(true),
            activated: None,
            in_books: None,
            archive: true,
            quota_bytes: None,
            vip: false,
            source_password: None,
            target_password: None,
        })
    }

    /// Why a name may not lead to the mailbox of this object; none: it does.
    fn not_theirs(&self, object: &Object, source: &str, to_archive: bool) -> Option<String> {
        let entry = &object.entry;
        if self.endpoint(object).is_none() {
            return Some(NO_ENDPOINT.to_owned());
        }
        let name = match self.entry.source_name {
            MailboxName::Mail => model::mail_key(source),
            MailboxName::Account => source.to_lowercase(),
        };
        let holders = self.holders.get(&self.key(object, name)).into_iter().flatten();
        let others: Vec<String> =
            holders.filter(|other| other.id != object.id).map(|other| other.id.to_string()).collect();
        if !others.is_empty() {
            let others = others.join(" and ");
            return Some(format!(
                "{others} is called {source} at the source, too: correct it there, then whimbrel people sync"
            ));
        }
        // The account behind a mailbox of many is disabled as a rule; that of somebody whose mail is only kept, too.
        let is_disabled = matches!(entry.state, AccountState::Disabled | AccountState::Expired | AccountState::Leaver);
        if is_disabled && !to_archive && matches!(entry.kind, EntryKind::Person | EntryKind::System) {
            return Some(DISABLED.to_owned());
        }
        let has_none = !entry.has_mailbox && self.telling.contains(object.id.directory.as_str());
        has_none.then(|| NO_MAILBOX.to_owned())
    }
}

/// What a mailbox of this entry may be called, in small letters.
pub(crate) fn names_of(entry: &Entry) -> HashSet<String> {
    let own = entry.mail.iter().chain(&entry.account).map(|name| name.to_lowercase());
    own.chain(entry.mail.as_deref().map(model::mail_key)).chain(entry.mail_keys()).collect()
}

/// A mailbox whose copy has begun.
struct Begun {
    source_endpoint: String,
    source: String,
    target_endpoint: String,
    target: String,
}

impl Begun {
    fn of(mailboxes: &[MailboxRow], endpoints: &[(i64, String, String)]) -> Vec<Self> {
        let name = |number: i64| {
            let named = endpoints.iter().find(|(known, ..)| *known == number);
            named.map_or_else(String::new, |(_, name, _)| name.clone())
        };
        let begun = mailboxes.iter().filter(|row| row.state.phase != Phase::Planned).map(|row| &row.roster);
        let begun = begun.map(|row| Self {
            source_endpoint: name(row.source_endpoint),
            source: row.source_name.clone(),
            target_endpoint: name(row.target_endpoint),
            target: row.target_name.clone(),
        });
        begun.collect()
    }
}

/// The rows of the file, by the name of the mailbox.
struct FileRows {
    by_name: HashMap<String, Vec<usize>>,
    endpoints: Vec<String>,
    withheld: HashSet<usize>,
}

impl FileRows {
    fn of(people: &People, first: &str) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, row) in people.rows.iter().enumerate() {
            for name in HashSet::from([row.source.to_lowercase(), model::mail_key(&row.source)]) {
                by_name.entry(name).or_default().push(place);
            }
        }
        let endpoints = people.rows.iter().map(|row| row.source_endpoint.clone().unwrap_or_else(|| first.to_owned()));
        Self { by_name, endpoints: endpoints.collect(), withheld: HashSet::new() }
    }

    /// Withholds what the file says of this object's mailbox, under whatever name. False: nothing.
    fn withhold(
        &mut self,
        people: &People,
        plan: &Roster<'_>,
        object: &Object,
        why: &str,
        withheld: &mut Vec<Withheld>,
    ) -> bool {
        let at = plan.endpoint(object);
        let names = names_of(&object.entry);
        let places = names.iter().filter_map(|name| self.by_name.get(name)).flatten();
        let theirs: HashSet<usize> =
            places.copied().filter(|place| at.as_ref().is_none_or(|at| *at == self.endpoints[*place])).collect();
        for place in &theirs {
            if self.withheld.insert(*place) {
                let (source, endpoint) = (people.rows[*place].source.clone(), Some(self.endpoints[*place].clone()));
                withheld.push(Withheld { source, endpoint, why: why.to_owned(), only_if_begun: false });
            }
        }
        !theirs.is_empty()
    }

    fn take_out(self, people: &mut People) {
        let mut place = 0..;
        people.rows.retain(|_| place.next().is_none_or(|place| !self.withheld.contains(&place)));
    }
}

/// A row of the file goes before one of the plane about the same mailbox; where matches must be signed, only what the plane
/// says counts.
fn merge(people: &mut People, rows: Vec<Row>, must_be_signed: bool, withheld: &mut Vec<Withheld>) {
    let name = |row: &Row| (row.source_endpoint.clone(), row.source.to_lowercase());
    if must_be_signed {
        let of = |row: &Row| (name(row), row.target.to_lowercase());
        let signed: HashSet<_> = rows.iter().map(of).collect();
        let told: HashSet<String> =
            withheld.iter().filter(|told| !told.only_if_begun).map(|told| told.source.to_lowercase()).collect();
        people.rows.retain(|row| {
            let keeps = signed.contains(&of(row));
            if !keeps && !told.contains(&row.source.to_lowercase()) {
                let (source, endpoint) = (row.source.clone(), row.source_endpoint.clone());
                withheld.push(Withheld { source, endpoint, why: NO_MATCH.to_owned(), only_if_begun: false });
            }
            keeps
        });
    }
    // What the directories tell of the very same account is so of the file's row as well.
    let told: HashMap<_, _> = rows.iter().map(|row| ((name(row), row.target.to_lowercase()), row)).collect();
    for row in &mut people.rows {
        if let Some(told) = told.get(&(name(row), row.target.to_lowercase())) {
            (row.activated, row.in_books) = (told.activated, told.in_books);
            row.new_account = row.new_account.or(told.new_account);
        }
    }
    let known: HashSet<_> = people.rows.iter().map(name).collect();
    people.rows.extend(rows.into_iter().filter(|row| !known.contains(&name(row))));
}

/// No mailbox is copied twice, and no two into one: where the file and the plane say so together, neither is known to be
/// right.
fn withhold_doubles(people: &mut People, sources: &[String], withheld: &mut Vec<Withheld>) {
    let source = |row: &Row| (row.source_endpoint.as_ref().unwrap_or(&sources[0]).clone(), row.source.to_lowercase());
    let target = |row: &Row| (row.archive, row.target.to_lowercase());
    let (mut by_source, mut by_target) = (HashMap::new(), HashMap::new());
    for row in &people.rows {
        by_source.entry(source(row)).or_insert_with(Vec::new).push(row.source.clone());
        by_target.entry(target(row)).or_insert_with(Vec::new).push(row.source.clone());
    }
    people.rows.retain(|row| {
        let why = if by_target[&target(row)].len() > 1 {
            let all = by_target[&target(row)].join(" and ");
            let cure =
                if row.archive { ANOTHER_ARCHIVE } else { "look whose it is, and correct people.csv or the match" };
            format!("{} would be the target of {all}: {cure}", row.target)
        } else if by_source[&source(row)].len() > 1 {
            "it is on the roster twice: correct its directories".to_owned()
        } else {
            return true;
        };
        let (source, endpoint) = (row.source.clone(), row.source_endpoint.clone());
        withheld.push(Withheld { source, endpoint, why, only_if_begun: false });
        false
    });
}

fn mailbox_kind(kind: EntryKind) -> Option<MailboxKind> {
    match kind {
        EntryKind::Person | EntryKind::System => Some(MailboxKind::Person),
        EntryKind::Shared => Some(MailboxKind::Shared),
        EntryKind::Room => Some(MailboxKind::Room),
        EntryKind::Equipment => Some(MailboxKind::Equipment),
        EntryKind::List | EntryKind::Contact => None,
    }
}
