//! Changes, one after another.
//!
//! What is to change is read right before, and compared with what it was when the change was decided. Where the server tells
//! forms apart (ETag) it is also asked to make the change only to that form. An answer that is a refusal is believed where it
//! can be: where the server had trouble (5xx), what is there is looked at before anything is said of the change.

use connector::{Change, ChangeOutcome, Door, Effect, Error, PlannedChange, Secret};
use http::Answer;
use model::{Cause, Entry, Scope};
use serde_json::{Value, json};

use super::discover::Server;
use super::find::{self, There};
use crate::config::Config;
use crate::map::edit::{self, Difference};
use crate::map::fields::{Holder, Map, Type};
use crate::map::patch;
use crate::wire::answer::{self, text};
use crate::wire::client::{Client, Patience, Request, Sent};
use crate::wire::url::encoded;

/// What the operations of PATCH are.
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A platform with what is needed to write to it.
pub(crate) struct Writing<'w> {
    pub(crate) config: &'w Config,
    pub(crate) map: &'w Map,
    pub(crate) client: &'w Client,
    pub(crate) server: &'w Server,
    pub(crate) door: &'w dyn Door,
}

/// What came of trying a change.
enum Tried {
    /// An outcome.
    Outcome(ChangeOutcome),
    /// The server asks to wait; nothing was made. With its answer.
    Waits(Answer),
    /// The server had trouble: what is there tells.
    Looks(Answer),
}

impl From<ChangeOutcome> for Tried {
    fn from(outcome: ChangeOutcome) -> Self {
        Self::Outcome(outcome)
    }
}

/// Makes these changes. An error is one that says nothing of the change it came with, such as a login that is refused: it was
/// not made. Where others were made before it, those are told, and what follows is left untried.
pub(crate) async fn apply(writing: &Writing<'_>, changes: &[PlannedChange]) -> Result<Vec<ChangeOutcome>, Error> {
    let mut outcomes = Vec::with_capacity(changes.len());
    let mut ended: Option<String> = None;
    for planned in changes {
        if let Some(why) = &ended {
            outcomes.push(untried(why));
            continue;
        }
        match writing.change(&planned.change).await {
            Ok(outcome) => {
                if let ChangeOutcome::InDoubt(error) = &outcome {
                    ended = Some(format!("what came before is in doubt: {}", error.what));
                }
                outcomes.push(outcome);
            }
            Err(error) if outcomes.is_empty() => return Err(error),
            Err(error) => {
                outcomes.push(untried(&error.to_string()));
                ended = Some(error.what);
            }
        }
    }
    Ok(outcomes)
}

fn untried(why: &str) -> ChangeOutcome {
    ChangeOutcome::Refused(Error::new(Cause::Stopped, Scope::Item, format!("not tried: {why}")))
}

fn refused(what: String) -> ChangeOutcome {
    ChangeOutcome::Refused(Error::new(Cause::Refused, Scope::Item, what))
}

/// An error that is about one change rather than about the server.
fn of_item(error: Error) -> Result<ChangeOutcome, Error> {
    match error.scope {
        Scope::Item => Ok(ChangeOutcome::Refused(error)),
        _ => Err(error),
    }
}

impl Writing<'_> {
    async fn change(&self, change: &Change) -> Result<ChangeOutcome, Error> {
        let mut patience = Patience::default();
        let mut is_again = false;
        loop {
            let tried = match change {
                Change::Create { entry, password } => {
                    if is_again && let Some(outcome) = self.heard_before(entry).await {
                        return Ok(outcome);
                    }
                    self.create(entry, password.as_ref()).await?
                }
                Change::Update { before, after } => self.update(before, after).await?,
                Change::Remove { before } => self.remove(before).await?,
            };
            match tried {
                Tried::Outcome(outcome) => return Ok(outcome),
                Tried::Waits(answer) => {
                    is_again = true;
                    if !patience.wait(&answer, self.config.throttle_wait_max).await {
                        if let Change::Create { entry, .. } = change
                            && let Some(outcome) = self.heard_before(entry).await
                        {
                            return Ok(outcome);
                        }
                        let what = format!("{} asks to go slower, for longer than is waited", self.client.address());
                        return Err(self.refusal(what, &answer, None).reaching(Scope::Run));
                    }
                }
                Tried::Looks(answer) => return self.look(change, &answer).await,
            }
        }
    }

    fn refusal(&self, what: String, answer: &Answer, password: Option<&Secret>) -> Error {
        let mut secrets = self.client.secrets();
        secrets.extend(password);
        answer::refusal(what, answer, &secrets)
    }

    fn can(&self, of: Type) -> impl Fn(&Holder) -> Result<(), String> {
        move |holder| self.server.can(of, holder)
    }

    /// Sends a request. What its answer means besides success is for whoever sends it.
    async fn send(
        &self,
        request: Request<'_>,
        effect: Effect,
        (what, password): (&str, Option<&Secret>),
    ) -> Result<Result<Answer, Tried>, Error> {
        let answer = match self.client.send(&request, self.door, effect).await {
            Sent::Answered(answer) => answer,
            Sent::Unsent(error) => return Err(error),
            Sent::InDoubt(error) => {
                let error = Error { what: format!("{what}: the answer did not come ({})", error.what), ..error };
                return Ok(Err(ChangeOutcome::InDoubt(error).into()));
            }
        };
        Ok(match answer.status {
            200..=299 | 404 | 409 | 412 => Ok(answer),
            // It says that it did not do it, and when it will.
            429 => Err(Tried::Waits(answer)),
            503 if answer.field("retry-after").is_some() => Err(Tried::Waits(answer)),
            // Whoever stands between us and the server does not know what became of it there.
            502 | 504 => {
                let error =
                    Error::new(Cause::InDoubt, Scope::Item, what).said(answer::words(&answer, &self.client.secrets()));
                Err(ChangeOutcome::InDoubt(error).into())
            }
            501 => Err(ChangeOutcome::Refused(self.refusal(what.to_owned(), &answer, password)).into()),
            500.. => Err(Tried::Looks(answer)),
            _ => Err(of_item(self.refusal(what.to_owned(), &answer, password))?.into()),
        })
    }

    async fn create(&self, entry: &Entry, password: Option<&Secret>) -> Result<Tried, Error> {
        let what = format!("cannot make {} on {}", entry.label(), self.client.address());
        let of = Type::of(entry.kind);
        let Some(origin) = &entry.origin else {
            return Ok(refused(format!("{what}: it has no mark, so it could not be found again")).into());
        };
        let Some(endpoint) = self.server.endpoint(of) else {
            let what = format!("{what}: the platform has no {}", of.name());
            return Ok(ChangeOutcome::Refused(Error::new(Cause::Unsupported, Scope::Item, what)).into());
        };
        let mut content = match edit::created(self.map, entry, &self.can(of)) {
            Ok(content) => content,
            Err(cannot) => return Ok(unheld(&what, &cannot).into()),
        };
        if let Some(password) = password {
            if !edit::is_user(entry.kind) {
                return Ok(refused(format!("{what}: a {} has no password there", of.name())).into());
            }
            content["password"] = password.reveal().into();
            if let Some(path) = &self.map.must_change {
                path.set(&mut content, Some(true.into()));
            }
        }
        let request = Request { method: "POST", path: endpoint, if_match: None, content: Some(&content) };
        let answer = match self.send(request, Effect::CreateEntry, (&what, password)).await? {
            Ok(answer) => answer,
            Err(tried) => return Ok(tried),
        };
        match answer.status {
            200..=299 => self.made(of, entry, origin, (&what, &answer)).await,
            409 => {
                // What is in its way may be what an earlier try has made.
                if let Some(outcome) = self.marked(origin, &what).await? {
                    return Ok(outcome.into());
                }
                Ok(ChangeOutcome::Refused(self.refusal(what, &answer, password)).into())
            }
            _ => Ok(ChangeOutcome::Refused(self.refusal(what, &answer, password)).into()),
        }
    }

    /// Whoever was asked to wait with a creation may have been heard all the same. None where it is certain that nothing was made.
    async fn heard_before(&self, entry: &Entry) -> Option<ChangeOutcome> {
        let what = format!("cannot make {} on {}", entry.label(), self.client.address());
        match self.marked(entry.origin.as_deref().unwrap_or_default(), &what).await {
            Ok(found) => found,
            Err(error) => {
                let what = format!("{what}: whether it is made can't be seen: {error}");
                Some(ChangeOutcome::InDoubt(Error::new(Cause::InDoubt, Scope::Item, what)))
            }
        }
    }

    /// The outcome that a mark which is there already means; none where it is not there.
    async fn marked(&self, origin: &str, what: &str) -> Result<Option<ChangeOutcome>, Error> {
        let found = find::marked((self.config, self.client), self.server, origin).await?;
        Ok(match found.as_slice() {
            [] => None,
            [(_, one)] => text(one, "id").map(|id| ChangeOutcome::Done { key: id.to_owned() }),
            many => Some(refused(format!("{what}: {} entries there bear its mark", many.len()))),
        })
    }

    /// What was made, with the key that it has, if all of it was kept.
    async fn made(
        &self,
        of: Type,
        entry: &Entry,
        origin: &str,
        (what, answer): (&str, &Answer),
    ) -> Result<Tried, Error> {
        let doubt = |why: String| {
            let error = Error::new(Cause::InDoubt, Scope::Item, format!("{what}: it says that it is made, but {why}"));
            Ok(Tried::from(ChangeOutcome::InDoubt(error)))
        };
        let mut resource: Value = serde_json::from_slice(&answer.content).unwrap_or_default();
        if text(&resource, "id").is_none() {
            // Half an answer: the mark tells which one it is.
            match find::marked((self.config, self.client), self.server, origin).await {
                Ok(found) if found.len() == 1 => resource = found.into_iter().map(|(_, one)| one).collect(),
                Ok(found) => return doubt(format!("{} entries bear its mark", found.len())),
                Err(error) => return doubt(error.to_string()),
            }
            if let Value::Array(one) = resource {
                resource = one.into_iter().next().unwrap_or_default();
            }
        }
        let Some(key) = text(&resource, "id").map(str::to_owned) else { return doubt("it has no id".to_owned()) };
        if text(&resource, "externalId") != Some(origin) {
            return doubt(format!("{key} does not bear its mark"));
        }
        let there = match find::entry(self.map, self.client, of, &resource) {
            Ok(there) => there,
            Err(error) => return doubt(error.to_string()),
        };
        let before = Entry::new("", entry.kind);
        let lost = lost(&edit::differences(&before, entry), (&before, entry), &there);
        if lost.is_empty() {
            return Ok(ChangeOutcome::Done { key }.into());
        }
        doubt(format!("{key} lacks {}: the platform does not keep that", lost.join(", ")))
    }

    async fn there(&self, of: Type, before: &Entry) -> Result<Result<There, ChangeOutcome>, Error> {
        match find::resource(self.client, self.server, of, &before.key).await {
            Ok(Some(there)) => Ok(Ok(there)),
            Ok(None) => Ok(Err(ChangeOutcome::Conflict(format!("there is no {} {}", of.name(), before.key)))),
            Err(error) => Ok(Err(of_item(error)?)),
        }
    }

    async fn update(&self, before: &Entry, after: &Entry) -> Result<Tried, Error> {
        let of = Type::of(before.kind);
        let what = format!("cannot change {} on {}", before.label(), self.client.address());
        let there = match self.there(of, before).await? {
            Ok(there) => there,
            Err(outcome) => return Ok(outcome.into()),
        };
        let current = match find::entry(self.map, self.client, of, &there.resource) {
            Ok(current) => current,
            Err(error) => return Ok(of_item(error)?.into()),
        };
        let differences = edit::differences(before, after);
        let is_so = differences.iter().all(|difference| difference.agrees(&current, after));
        if is_so {
            return Ok(ChangeOutcome::Unchanged { key: before.key.clone() }.into());
        }
        let odd: Vec<&str> = differences
            .iter()
            .filter(|difference| matches!(difference, Difference::Of(_)) && !difference.agrees(&current, before))
            .map(|difference| difference.name())
            .collect();
        if !odd.is_empty() {
            let what = format!("{} is not as it was: {} differ", before.label(), odd.join(", "));
            return Ok(ChangeOutcome::Conflict(what).into());
        }
        let mut resource = there.resource.clone();
        if let Err(cannot) = edit::edited(self.map, &mut resource, before, after, &self.can(of)) {
            return Ok(unheld(&what, &cannot).into());
        }
        let path = format!("{}/{}", self.server.endpoint(of).unwrap_or_default(), encoded(&before.key));
        let content = if self.server.patches {
            let operations = patch::operations(&there.resource, &resource);
            if operations.is_empty() {
                return Ok(ChangeOutcome::Unchanged { key: before.key.clone() }.into());
            }
            json!({ "schemas": [PATCH], "Operations": operations })
        } else {
            if let Some(object) = resource.as_object_mut() {
                object.retain(|name, _| !name.eq_ignore_ascii_case("meta"));
            }
            resource
        };
        let method = if self.server.patches { "PATCH" } else { "PUT" };
        let request = Request { method, path: &path, if_match: there.etag.as_deref(), content: Some(&content) };
        let answer = match self.send(request, Effect::ChangeEntry, (&what, None)).await? {
            Ok(answer) => answer,
            Err(tried) => return Ok(tried),
        };
        match answer.status {
            200..=299 => self.kept(of, (before, after), &differences, (&what, &answer)).await,
            404 => Ok(ChangeOutcome::Conflict(format!("there is no {} {} any more", of.name(), before.key)).into()),
            412 => Ok(ChangeOutcome::Conflict(format!("{} changed while it was to be changed", before.label())).into()),
            _ => Ok(ChangeOutcome::Refused(self.refusal(what, &answer, None)).into()),
        }
    }

    /// Was all of a change kept? The answer has the resource, or it is read.
    async fn kept(
        &self,
        of: Type,
        (before, after): (&Entry, &Entry),
        differences: &[Difference],
        (what, answer): (&str, &Answer),
    ) -> Result<Tried, Error> {
        let key = before.key.clone();
        let said: Value = serde_json::from_slice(&answer.content).unwrap_or_default();
        let said =
            if text(&said, "id") == Some(&key) { find::entry(self.map, self.client, of, &said).ok() } else { None };
        // A form that leaves something out, such as members, is not the last word.
        if let Some(said) = &said
            && lost(differences, (before, after), said).is_empty()
        {
            return Ok(ChangeOutcome::Done { key }.into());
        }
        let there = match find::resource(self.client, self.server, of, &key).await {
            Ok(Some(there)) => find::entry(self.map, self.client, of, &there.resource),
            Ok(None) => Err(Error::new(Cause::Missing, Scope::Item, format!("{key} is not there any more"))),
            Err(error) => Err(error),
        };
        let there = match there {
            Ok(there) => there,
            Err(error) => return Ok(ChangeOutcome::InDoubt(Error { cause: Cause::InDoubt, ..error }).into()),
        };
        let lost = lost(differences, (before, after), &there);
        if lost.is_empty() {
            return Ok(ChangeOutcome::Done { key }.into());
        }
        let what = format!("{what}: the platform says that it did, and does not keep {}", lost.join(", "));
        if lost.len() == differences.len() {
            return Ok(refused(what).into());
        }
        Ok(ChangeOutcome::InDoubt(Error::new(Cause::InDoubt, Scope::Item, what)).into())
    }

    async fn remove(&self, before: &Entry) -> Result<Tried, Error> {
        let of = Type::of(before.kind);
        let what = format!("cannot remove {} from {}", before.label(), self.client.address());
        let key = before.key.clone();
        let there = match find::resource(self.client, self.server, of, &key).await {
            Ok(Some(there)) => there,
            Ok(None) => return Ok(ChangeOutcome::Unchanged { key }.into()),
            Err(error) => return Ok(of_item(error)?.into()),
        };
        let Some(origin) = &before.origin else {
            return Ok(refused(format!("{what}: it bears no mark of ours")).into());
        };
        if text(&there.resource, "externalId") != Some(origin) {
            return Ok(ChangeOutcome::Conflict(format!("{} does not bear the mark {origin}", before.label())).into());
        }
        let current = match find::entry(self.map, self.client, of, &there.resource) {
            Ok(current) => current,
            Err(error) => return Ok(of_item(error)?.into()),
        };
        if !edit::differences(before, &current).is_empty() {
            return Ok(ChangeOutcome::Conflict(format!("{} is not as it was", before.label())).into());
        }
        let path = format!("{}/{}", self.server.endpoint(of).unwrap_or_default(), encoded(&key));
        let request = Request { method: "DELETE", path: &path, if_match: there.etag.as_deref(), content: None };
        let answer = match self.send(request, Effect::RemoveEntry, (&what, None)).await? {
            Ok(answer) => answer,
            Err(tried) => return Ok(tried),
        };
        Ok(match answer.status {
            200..=299 | 404 => ChangeOutcome::Done { key },
            412 => ChangeOutcome::Conflict(format!("{} changed while it was to be removed", before.label())),
            _ => ChangeOutcome::Refused(self.refusal(what, &answer, None)),
        }
        .into())
    }

    /// What became of a change at which the server had trouble: what is there says so.
    async fn look(&self, change: &Change, answer: &Answer) -> Result<ChangeOutcome, Error> {
        let (label, password) = match change {
            Change::Create { entry, password } => (entry.label(), password.as_ref()),
            Change::Update { before, .. } | Change::Remove { before } => (before.label(), None),
        };
        let what = format!("{} had trouble with {label}", self.client.address());
        let error = self.refusal(what, answer, password).reaching(Scope::Item);
        let seen = match change {
            Change::Create { entry, .. } => {
                let origin = entry.origin.as_deref().unwrap_or_default();
                self.marked(origin, label).await
            }
            Change::Update { before, after } => self.seen(before, Some(after)).await,
            Change::Remove { before } => self.seen(before, None).await,
        };
        match seen {
            Ok(Some(outcome)) => Ok(outcome),
            Ok(None) => Ok(ChangeOutcome::Refused(error)),
            Err(looking) => {
                let what = format!("{}, and what came of it can't be seen: {looking}", error.what);
                Ok(ChangeOutcome::InDoubt(Error { what, cause: Cause::InDoubt, ..error }))
            }
        }
    }

    /// Is it as it is to be? None where it is as it was.
    async fn seen(&self, before: &Entry, after: Option<&Entry>) -> Result<Option<ChangeOutcome>, Error> {
        let of = Type::of(before.kind);
        let key = before.key.clone();
        let there = find::resource(self.client, self.server, of, &key).await?;
        let (there, after) = match (there, after) {
            (None, None) => return Ok(Some(ChangeOutcome::Done { key })),
            (Some(_), None) => return Ok(None),
            (None, Some(_)) => {
                return Ok(Some(ChangeOutcome::Conflict(format!("there is no {} {key} any more", of.name()))));
            }
            (Some(there), Some(after)) => (there, after),
        };
        let current = find::entry(self.map, self.client, of, &there.resource)?;
        let differences = edit::differences(before, after);
        if differences.iter().all(|difference| difference.agrees(&current, after)) {
            return Ok(Some(ChangeOutcome::Done { key }));
        }
        if differences.iter().all(|difference| difference.agrees(&current, before)) {
            return Ok(None);
        }
        let what = format!("{key} is neither as it was nor as it is to be");
        Err(Error::new(Cause::Refused, Scope::Item, what))
    }
}

/// The fields of a change whose new values are not there.
fn lost(differences: &[Difference], (before, after): (&Entry, &Entry), there: &Entry) -> Vec<&'static str> {
    let is_lost = |difference: &&Difference| difference.is_lost(before, after, there);
    differences.iter().filter(is_lost).map(|difference| difference.name()).collect()
}

/// The platform can't hold what is to be there.
fn unheld(what: &str, cannot: &[String]) -> ChangeOutcome {
    let what = format!("{what}: the platform can't hold {}", cannot.join("; "));
    ChangeOutcome::Refused(Error::new(Cause::Unsupported, Scope::Item, what))
}
