//! A reading from its beginning to its end: from a cursor where that works, whole where it does not.

use std::collections::BTreeSet;

use connector::{Clock, DirectoryCursor, DirectoryRead, EntrySink, Error};
use model::{Cause, Scope as Reach};

use super::dirsync::Changed;
use super::group;
use super::root::Root;
use super::scope::{self, Scope};
use super::tell::Reading;
use crate::config::{Changes, Config, Kind};
use crate::map::attributes::Field;
use crate::map::cursor::{Cursor, Feed, Movers};
use crate::map::entry::Map;
use crate::wire::connection::Connection;
use crate::wire::{controls, result};

/// Reads what is in scope: all of it, or what changed since the cursor.
pub(crate) async fn read(
    (config, map, clock): (&Config, &Map, &dyn Clock),
    since: Option<&DirectoryCursor>,
    sink: &mut dyn EntrySink,
) -> Result<DirectoryRead, Error> {
    if let Some(mistake) = config.mistake() {
        return Err(Error::new(Cause::Unsupported, Reach::Run, mistake));
    }
    let mut connection = Connection::reach(config).await?;
    connection.bind().await?;
    let root = Root::read(&mut connection).await?;
    let mut scope = Scope::of(config, &root)?;
    if let Some(group) = &config.scope_group {
        scope.members = Some(group::members(&mut connection, (config, map, &root), group).await?);
    }
    if scope.bases.len() > usize::from(u8::MAX) {
        let what = format!("{} bases are too many: name fewer, with a filter", scope.bases.len());
        return Err(Error::new(Cause::Unsupported, Reach::Run, what));
    }
    let digest = scope::digest(config, &root, &map.asked());
    let mut reading = Reading::new((connection, config, map), (root, scope), clock, sink);
    let cursor = since.and_then(Cursor::read).filter(|cursor| cursor.scope == digest);
    let followed = match cursor {
        Some(cursor) => reading.follow(cursor).await?,
        None => None,
    };
    let is_whole = followed.is_none();
    let feed = match followed {
        Some(feed) => feed,
        None => reading.whole().await?,
    };
    reading.flush().await?;
    // Active Directory has put names right by the time that it tells of who bears them.
    let movers = if config.kind == Kind::Ldap { reading.movers } else { Movers::default() };
    let cursor = Cursor { scope: digest, feed, movers, told: reading.told }.written();
    Ok(DirectoryRead { cursor, is_whole, entries_received: reading.connection.entries_received })
}

impl Reading<'_> {
    /// Tells everything. Gives how changes are learnt from here on: from where things stood before the first entry was read,
    /// so that what changes meanwhile is told the next time.
    async fn whole(&mut self) -> Result<Feed, Error> {
        self.told.clear();
        self.seen.clear();
        (self.movers, self.latest) = (Movers::default(), 0);
        self.follows = false;
        let wanted = self.config.changes;
        let syncs = self.config.kind == Kind::Ldap
            && matches!(wanted, Changes::Auto | Changes::Sync)
            && self.root.has_control(controls::SYNC_REQUEST)
            && self.map.attributes.of_field(Field::Key) == ["entryUUID"];
        if syncs {
            match self.sync(None).await? {
                Ok((_, feed)) => return self.whole_told(feed).await,
                Err(answer) => {
                    tracing::warn!(server = %self.config.address(), answer = %result::words(&answer), "no synchronisation by RFC 4533: changes are learnt by their times");
                    self.told.clear();
                    self.seen.clear();
                }
            }
        }
        let feed = self.start().await?;
        self.take_by_filter(&self.scope.filter.clone()).await?;
        Ok(match feed {
            Feed::Timestamp(since) => self.timestamp_next(since),
            feed => return self.whole_told(feed).await,
        })
    }

    /// After all was told, once more what names somebody who was not: it may have been told before they were called otherwise.
    async fn whole_told(&mut self, feed: Feed) -> Result<Feed, Error> {
        if matches!(feed, Feed::DirSync(_) | Feed::Sync(_)) {
            self.strangers_left = true;
            self.tell_who_names_them().await?;
        }
        Ok(feed)
    }

    /// The best way to learn of changes that the server offers.
    async fn start(&mut self) -> Result<Feed, Error> {
        let wanted = self.config.changes;
        if wanted == Changes::None {
            return Ok(Feed::None);
        }
        let is_ad = self.config.kind == Kind::ActiveDirectory;
        if is_ad && matches!(wanted, Changes::Auto | Changes::Dirsync) && self.root.has_control(controls::DIRSYNC) {
            match self.dirsync_start().await? {
                Ok(feed) => return Ok(feed),
                Err(answer) => {
                    tracing::warn!(server = %self.config.address(), answer = %result::words(&answer), "no DirSync: does the account have the right Replicating Directory Changes? Changes are learnt by uSNChanged");
                }
            }
        }
        if is_ad
            && matches!(wanted, Changes::Auto | Changes::Dirsync | Changes::Usn)
            && let Some(feed) = self.usn_start().await?
        {
            return Ok(feed);
        }
        Ok(Feed::Timestamp(0))
    }

    /// Tells what changed since a cursor, and gives the next one's feed. None when the cursor can't be used any more.
    async fn follow(&mut self, cursor: Cursor) -> Result<Option<Feed>, Error> {
        (self.told, self.earlier, self.follows) = (cursor.told, cursor.movers, true);
        let (gone, feed) = match cursor.feed {
            Feed::None => return Ok(None),
            Feed::DirSync(cookies) => match self.dirsync_changed(cookies).await? {
                Ok((mut changed, feed)) => {
                    let containers = std::mem::take(&mut changed.containers);
                    let mut gone = self.take_changed(changed).await?;
                    gone.extend(self.take_below(containers.into_values().collect()).await?);
                    (gone, feed)
                }
                Err(answer) => return Ok(self.refused(&result::words(&answer))),
            },
            // These two do not tell of anybody outside the scope who is gone, so it may always be.
            Feed::Usn(invocation, highest) => match self.usn_changed(&invocation, highest).await? {
                None => return Ok(self.refused("it is another domain controller, or was restored")),
                Some((changed, feed)) => {
                    self.strangers_left = true;
                    let mut gone = self.take_changed(changed).await?;
                    gone.extend(self.compare_keys().await?);
                    (gone, feed)
                }
            },
            Feed::Timestamp(since) => {
                self.strangers_left = true;
                self.timestamp_changed(since).await?;
                let gone = self.compare_keys().await?;
                (gone, self.timestamp_next(since))
            }
            Feed::Sync(cookies) => match self.sync(Some(&cookies)).await? {
                Ok(followed) => followed,
                Err(answer) => return Ok(self.refused(&result::words(&answer))),
            },
        };
        let left = self.follow_group().await?;
        self.tell_gone(gone.into_iter().chain(left).collect()).await?;
        self.tell_who_names_them().await?;
        Ok(Some(feed))
    }

    fn refused(&self, why: &str) -> Option<Feed> {
        tracing::warn!(server = %self.config.address(), why, "what changed since the last reading can't be told: it is read whole");
        None
    }

    /// Tells those of the changed objects that are in scope. Gives the others, and what is gone.
    async fn take_changed(&mut self, changed: Changed) -> Result<BTreeSet<String>, Error> {
        self.strangers_left |= changed.gone.iter().any(|key| !self.told.contains_key(key));
        self.take_by_keys(&changed.objects).await?;
        let mut gone = changed.gone;
        gone.extend(changed.objects.into_iter().filter(|key| !self.seen.contains(key)));
        Ok(gone)
    }
}
