//! DirSync (MS-ADTS section 3.1.1.3.4.1.3): what changed in a naming context since a cookie.
//!
//! It tells an object by what changed of it, whether it is in scope or not, so each is read again by its GUID within the scope.
//! What is not found there is gone. Attributes of which nothing is read change without being told.
//!
//! What stands below a container that was renamed or moved is told of as little as what has other rights by it, so containers
//! are asked for, too, by a search of their own: what is below a changed one is read again.

use std::collections::{BTreeMap, BTreeSet};

use connector::Error;
use ldap3::{LdapResult, Scope as Within};

use super::tell::Reading;
use crate::map::cursor::Feed;
use crate::map::entry::DESCRIPTOR;
use crate::wire::connection::{Received, Search};
use crate::wire::{controls, filter, guid, result};

/// Answers to one reading, at most: each is up to two GiB. It keeps a server that never comes to an end from being asked for
/// ever.
const ANSWERS_MAX: usize = 100_000;

/// What a change feed told.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// Objects that are new or changed.
    pub(crate) objects: BTreeSet<String>,
    /// Objects that are gone.
    pub(crate) gone: BTreeSet<String>,
    /// Containers that are called otherwise, stand elsewhere or have other rights: where they stand, by key.
    pub(crate) containers: BTreeMap<String, String>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Nothing: where things stand.
    Nothing,
    /// What may be in scope.
    Objects,
    /// What they stand in.
    Containers,
}

/// A server's no, or what it gave.
pub(crate) type Answer<T> = Result<T, LdapResult>;

impl Reading<'_> {
    /// Where things stand now: a cookie for each context, of a search that finds nothing.
    pub(crate) async fn dirsync_start(&mut self) -> Result<Answer<Feed>, Error> {
        let mut cookies = Vec::new();
        for context in self.scope.contexts(&self.root) {
            match self.dirsync(&context, Vec::new(), What::Nothing, &mut Changed::default()).await? {
                Ok(cookie) => cookies.push((context, cookie)),
                Err(answer) => return Ok(Err(answer)),
            }
        }
        Ok(Ok(Feed::DirSync(cookies)))
    }

    /// What changed since these cookies.
    pub(crate) async fn dirsync_changed(
        &mut self,
        cookies: Vec<(String, Vec<u8>)>,
    ) -> Result<Answer<(Changed, Feed)>, Error> {
        let (mut changed, mut next) = (Changed::default(), Vec::new());
        for (context, cookie) in cookies {
            // From the same place on. What changes between the two searches is told again, for the first one's end is kept.
            match self.dirsync(&context, cookie.clone(), What::Objects, &mut changed).await? {
                Ok(cookie) => next.push((context.clone(), cookie)),
                Err(answer) => return Ok(Err(answer)),
            }
            if let Err(answer) = self.dirsync(&context, cookie, What::Containers, &mut changed).await? {
                return Ok(Err(answer));
            }
        }
        Ok(Ok((changed, Feed::DirSync(next))))
    }

    async fn dirsync(
        &mut self,
        context: &str,
        mut cookie: Vec<u8>,
        what: What,
        changed: &mut Changed,
    ) -> Result<Answer<Vec<u8>>, Error> {
        let filter = match what {
            What::Nothing => filter::any([""]),
            What::Objects => self.scope.classes.clone(),
            What::Containers => self.scope.containers.to_owned(),
        };
        // A rename changes `name`; the time of the last change is each controller's own, and never sent here.
        let mut attributes = if what == What::Containers { vec![DESCRIPTOR.to_owned()] } else { self.map.asked() };
        attributes.extend(["name", "isDeleted", "parentGUID"].map(str::to_owned));
        let search = Search { base: context, within: Within::Subtree, filter: &filter, attributes: &attributes };
        for _ in 0..ANSWERS_MAX {
            let with = vec![controls::dirsync(&cookie), controls::dacl_only()];
            let mut stream = self.connection.search(search, with).await?;
            while let Some(received) = self.next(&mut stream).await? {
                let Received::Entry(entry, _) = received else { continue };
                let Some(key) = entry.values("objectGUID").first().and_then(|bytes| guid::text(bytes)) else {
                    continue;
                };
                let is_deleted = entry.has("isDeleted", "TRUE") || entry.dn.contains("\\0ADEL:");
                if what == What::Containers {
                    // One that is deleted was empty by then: each object below it is told as deleted by itself.
                    changed.containers.remove(&key);
                    changed.containers.extend((!is_deleted).then_some((key, entry.dn)));
                } else if is_deleted {
                    changed.objects.remove(&key);
                    changed.gone.insert(key);
                } else {
                    changed.gone.remove(&key);
                    changed.objects.insert(key);
                }
            }
            let answer = stream.finish().await;
            match answer.rc {
                0 => {}
                result::BUSY | result::UNAVAILABLE | result::TIME_LIMIT_EXCEEDED => {
                    return Err(result::refusal(format!("cannot ask what changed in {context:?}"), &answer));
                }
                _ => return Ok(Err(answer)),
            }
            let Some((has_more, next)) = controls::dirsync_done(&answer.ctrls) else { return Ok(Err(answer)) };
            cookie = next;
            if !has_more {
                return Ok(Ok(cookie));
            }
        }
        let what = format!("the server never comes to the end of what changed in {context:?}");
        Err(Error::new(model::Cause::Protocol, model::Scope::Run, what))
    }
}
