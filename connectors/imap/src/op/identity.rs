//! Whose store is it? What must be known before anything is read from it or written to it.
//!
//! A login with the person's own password is proof. With impersonation a server may ignore the name and open the
//! migrator's own store, or one store for everyone: all mail of an organisation would land in one mailbox. So the store
//! must be told from the migrator's by something only the server can know; where a server has nothing of the kind, a
//! name that nobody has is tried, and its refusal is the proof that names count. Where the server does tell stores apart
//! that name is not tried: Cyrus would make a mailbox for it.

use std::sync::Arc;

use connector::{Account, Error, StoreProof};
use model::{Cause, Scope};

use super::connect::Line;
use super::introduce::{Introduction, introduce};
use super::login::Who;
use crate::endpoint::Endpoint;
use crate::map::refusal::{self, Doing};
use crate::wire::command::{Command, Role};
use crate::wire::mailbox::ListEntry;

/// Rights needed on INBOX (RFC 4314), to read and to write: look up, read; and insert, write flags, keep seen, create,
/// delete messages, expunge.
const RIGHTS_TO_READ: &str = "lr";
pub(crate) const RIGHTS_TO_WRITE: &str = "lrswite";

/// What may tell a store from others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// MAILBOXID of INBOX (OBJECTID, RFC 8474): unique within the server.
    pub(crate) mailbox_id: Option<String>,
    /// Cyrus's unique id of INBOX.
    pub(crate) unique_id: Option<String>,
    /// Dovecot's GUID of INBOX.
    pub(crate) guid: Option<String>,
    /// The names of the quota roots of INBOX.
    pub(crate) quota_roots: Vec<String>,
    /// The prefix of the own namespace, where it has one.
    pub(crate) home: Option<String>,
}

impl Marks {
    /// What tells this store from every other of the server.
    pub(crate) fn store_id(&self) -> Option<String> {
        let mailbox_id = self.mailbox_id.as_ref().map(|id| format!("MAILBOXID {id}"));
        let unique_id = || self.unique_id.as_ref().map(|id| format!("uniqueid {id}"));
        mailbox_id.or_else(unique_id).or_else(|| self.guid.as_ref().map(|id| format!("GUID {id}")))
    }

    /// A name in this store's surroundings that is this person's and not the other store's.
    fn telling_name(&self, person: &str, other: &Self) -> Option<String> {
        let local = person.split('@').next().unwrap_or(person).to_lowercase();
        let is_theirs = |name: &&String| holds_name(&name.to_lowercase(), &local);
        let root = self.quota_roots.iter().find(|root| is_theirs(root) && !other.quota_roots.contains(root));
        let home = self.home.iter().find(|home| is_theirs(home) && other.home.as_ref() != Some(home));
        root.map(|root| format!("quota root {root:?}")).or_else(|| home.map(|home| format!("namespace {home:?}")))
    }
}

/// The store of the account that logs in for everyone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OwnStore {
    /// It has none: it may not log in as itself, or has no INBOX.
    None,
    /// It has one, with these marks.
    Marked(Marks),
}

/// Whether a name that nobody has is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nobody {
    /// It is refused: names count.
    Refused,
    /// It is let in: the name does not decide which store is opened.
    LetIn,
}

/// What is known about whose store was reached.
#[derive(Debug)]
pub(crate) enum Judgement {
    /// It is the person's.
    Theirs(StoreProof),
    /// The server tells stores apart: the migrator's own must be known to compare with.
    AskOwnStore,
    /// The server tells no stores apart: a name that nobody has must be tried.
    AskNobody,
}

/// A line to a person's store, with what was learnt on it.
pub(crate) struct Reached {
    pub(crate) line: Line,
    pub(crate) introduction: Introduction,
    pub(crate) proof: StoreProof,
}

impl Endpoint {
    /// Logs in and proves whose store was reached.
    pub(crate) async fn reach(self: &Arc<Self>, role: Role, account: &Account) -> Result<Reached, Error> {
        loop {
            let mut line = self.open(role, Who::Person(account)).await?;
            let introduction = introduce(&mut line).await?;
            self.may_use(role, account, &mut line, &introduction).await?;
            let judgement = self.judge(account, &introduction.marks, self.own_store.get(), self.nobody.get())?;
            if let Judgement::Theirs(proof) = judgement {
                return Ok(Reached { line, introduction, proof });
            }
            // What is missing is asked on a connection of its own, once for all people. The person's is closed first: there
            // may be a place for one only.
            line.connection.log_out().await;
            drop(line);
            match judgement {
                Judgement::AskOwnStore => self.own_store().await?,
                Judgement::AskNobody => self.nobody(account).await?,
                Judgement::Theirs(_) => {}
            }
        }
    }

    /// Two people of the project may not reach one store. The engine keeps to that by what it has recorded; this is for
    /// `check`, which records nothing.
    pub(crate) fn claim(&self, account: &Account, proof: &StoreProof) -> Result<(), Error> {
        let Some(holder) = proof.store_id.as_ref().and_then(|store_id| self.claim_store(store_id, account)) else {
            return Ok(());
        };
        let what = format!(
            "the login of {} at {} reached the store of {holder}; nothing was read or written",
            account.name,
            self.config.address()
        );
        Err(Error::new(Cause::SharedStore, Scope::Mailbox, what))
    }

    /// What is known of the store from what was seen.
    pub(crate) fn judge(
        &self,
        account: &Account,
        marks: &Marks,
        own: Option<&OwnStore>,
        nobody: Option<&Nobody>,
    ) -> Result<Judgement, Error> {
        let store_id = marks.store_id();
        let theirs = |evidence: String| Ok(Judgement::Theirs(StoreProof { evidence, store_id: store_id.clone() }));
        let person = &account.name;
        if !self.impersonates(account) {
            return theirs(format!("logged in with the password or token of {person} itself"));
        }
        let place = self.config.address();
        let migrator = self.config.login.as_ref().map_or("the migrator", |login| login.user.as_str());
        let no_marks = Marks::default();
        let own_marks = match own {
            Some(OwnStore::Marked(marks)) => marks,
            // Asked for only where it tells something: a refused login costs seconds on many servers.
            None if store_id.is_some() || marks.telling_name(person, &no_marks).is_some() => {
                return Ok(Judgement::AskOwnStore);
            }
            Some(OwnStore::None) | None => &no_marks,
        };
        if let Some(store_id) = &store_id {
            if own_marks.store_id().as_ref() == Some(store_id) {
                let what = format!(
                    "the login for {person} at {place} reached the store of {migrator} itself: the server ignores whose \
                     store is asked for"
                );
                return Err(Error::new(Cause::NotTheirStore, Scope::Mailbox, what));
            }
            return theirs(match own_marks.store_id() {
                Some(own) => format!("its INBOX has {store_id}, that of {migrator} has {own}"),
                None => format!("its INBOX has {store_id}, and {migrator} has no store of its own there"),
            });
        }
        if let Some(name) = marks.telling_name(person, own_marks) {
            return theirs(format!("its {name} is {person}'s and not {migrator}'s"));
        }
        match nobody {
            None => Ok(Judgement::AskNobody),
            Some(Nobody::Refused) => {
                theirs(format!("the server refuses {migrator} a name that nobody has, so {person}'s name counted"))
            }
            Some(Nobody::LetIn) => {
                let what = format!(
                    "cannot show that the login for {person} at {place} reaches their store: {migrator} is let in under a \
                     name that nobody has, too"
                );
                Err(Error::new(Cause::NotTheirStore, Scope::Mailbox, what))
            }
        }
    }

    /// The store of the account that logs in for everyone; looked up once.
    async fn own_store(&self) -> Result<(), Error> {
        let look = || async {
            let mut line = match self.open(Role::Reads, Who::Migrator).await {
                Ok(line) => line,
                Err(error) if matches!(error.cause, Cause::Login | Cause::Permission | Cause::Missing) => {
                    return Ok(OwnStore::None);
                }
                Err(error) => return Err(error),
            };
            let introduction = introduce(&mut line).await?;
            line.connection.log_out().await;
            Ok(match introduction.inbox {
                Ok(()) => OwnStore::Marked(introduction.marks),
                Err(_) => OwnStore::None,
            })
        };
        self.own_store.get_or_try_init(look).await.map(|_| ())
    }

    /// Whether a name that nobody has is let in; tried once.
    async fn nobody(&self, account: &Account) -> Result<(), Error> {
        let name = format!("whimbrel-no-such-{}", sasl::random_text(8)?);
        let name = match account.name.split_once('@') {
            Some((_, domain)) => format!("{name}@{domain}"),
            None => name,
        };
        let look = || async {
            match self.open(Role::Reads, Who::Name(&name)).await {
                Ok(mut line) => {
                    line.connection.log_out().await;
                    Ok(Nobody::LetIn)
                }
                Err(error) if matches!(error.cause, Cause::Login | Cause::Permission | Cause::Missing) => {
                    Ok(Nobody::Refused)
                }
                Err(error) => Err(error),
            }
        };
        self.nobody.get_or_try_init(look).await.map(|_| ())
    }

    /// May we do with this store what we are here for?
    ///
    /// Dovecot's acl plugin applies to a master user as to anybody else: the person's store then looks empty but for an
    /// INBOX that can't be opened. That must not be taken for an empty mailbox.
    async fn may_use(
        &self,
        role: Role,
        account: &Account,
        line: &mut Line,
        introduction: &Introduction,
    ) -> Result<(), Error> {
        let (person, place) = (&account.name, self.config.address());
        let impersonates = self.impersonates(account);
        if let Err(completion) = &introduction.inbox {
            let what = format!("cannot open INBOX of {person} at {place}");
            let error = refusal::refused(what, completion, Doing::Folder).reaching(Scope::Mailbox);
            if !impersonates || !matches!(error.cause, Cause::Missing | Cause::Permission) {
                return Err(error);
            }
            let mut listed = Vec::new();
            let command = Command::new("LIST").quoted(b"").quoted(b"*");
            let on = |response: &crate::wire::response::Response<'_>| {
                listed.extend(response.data("LIST").and_then(ListEntry::parse));
            };
            line.connection.run(&command, on).await.map_err(refusal::broken)?;
            let sees_inbox_only = listed.iter().all(|entry| entry.name.eq_ignore_ascii_case(b"INBOX"));
            if sees_inbox_only && (line.capabilities.has("ACL") || !listed.is_empty()) {
                return Err(self.no_rights(account, "sees an INBOX that it can't open").said(&completion.text));
            }
            return Err(error);
        }
        let Some(rights) = &introduction.rights else { return Ok(()) };
        let needed = if role == Role::Writes { RIGHTS_TO_WRITE } else { RIGHTS_TO_READ };
        let missing = missing_rights(rights, needed);
        if missing.is_empty() {
            return Ok(());
        }
        let why = format!("has the rights {rights:?} to INBOX and lacks {missing:?}");
        if impersonates {
            return Err(self.no_rights(account, &why));
        }
        let what = format!("{person} at {place} {why} (RFC 4314)");
        Err(Error::new(Cause::Permission, Scope::Mailbox, what))
    }

    fn no_rights(&self, account: &Account, why: &str) -> Error {
        let migrator = self.config.login.as_ref().map_or("the migrator", |login| login.user.as_str());
        let what = format!(
            "{migrator}, logged in for {} at {}, {why}: its own rights apply, not theirs. On Dovecot with the acl plugin set \
             plugin {{ acl_user = %u }}; elsewhere give {migrator} the rights to everybody's folders",
            account.name,
            self.config.address()
        );
        Error::new(Cause::Permission, Scope::Mailbox, what)
    }
}

/// Does the name of a place hold this person's, whole? `user.jo` does, `user.john` is somebody else's.
fn holds_name(place: &str, person: &str) -> bool {
    let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    !person.is_empty()
        && place.match_indices(person).any(|(start, _)| {
            ends(place[..start].chars().next_back()) && ends(place[start + person.len()..].chars().next())
        })
}

/// The rights among those needed that are missing. The older rights `c` and `d` (RFC 2086) stand for several.
pub(crate) fn missing_rights(rights: &str, needed: &str) -> String {
    let has = |right: char| {
        rights.contains(right)
            || (matches!(right, 'k' | 'x') && rights.contains('c'))
            || (matches!(right, 't' | 'e') && rights.contains('d'))
    };
    needed.chars().filter(|right| !has(*right)).collect()
}

#[cfg(test)]
mod tests {
    use connector::Secret;

    use super::*;
    use crate::config::{Config, Impersonate, Login};

    fn endpoint() -> Endpoint {
        let mut config = Config::new("mail.example");
        let password = Some(Secret::new("x"));
        config.login =
            Some(Login { user: "migrator".to_owned(), password, token: None, impersonate: Impersonate::Authzid });
        Endpoint::new(config)
    }

    fn marks(mailbox_id: Option<&str>) -> Marks {
        Marks { mailbox_id: mailbox_id.map(str::to_owned), ..Marks::default() }
    }

    fn evidence(result: Result<Judgement, Error>) -> String {
        match result.unwrap() {
            Judgement::Theirs(proof) => proof.evidence,
            Judgement::AskNobody | Judgement::AskOwnStore => panic!("not proved"),
        }
    }

    #[test]
    fn an_own_password_is_proof() {
        let account = Account { password: Some(Secret::new("own")), ..Account::named("alice") };
        let found = evidence(endpoint().judge(&account, &marks(None), None, None));
        assert!(found.contains("alice"), "{found}");
    }

    #[test]
    fn a_store_that_is_the_migrators_is_not_the_persons() {
        let (endpoint, alice) = (endpoint(), Account::named("alice"));
        let own = OwnStore::Marked(marks(Some("F1")));
        let error = endpoint.judge(&alice, &marks(Some("F1")), Some(&own), Some(&Nobody::Refused)).unwrap_err();
        assert_eq!((error.cause, error.scope), (Cause::NotTheirStore, Scope::Mailbox));
        let found = evidence(endpoint.judge(&alice, &marks(Some("F2")), Some(&own), None));
        assert!(found.contains("F2") && found.contains("F1"), "{found}");
        evidence(endpoint.judge(&alice, &marks(Some("F2")), Some(&OwnStore::None), None));
        let unknown = endpoint.judge(&alice, &marks(Some("F2")), None, None).unwrap();
        assert!(matches!(unknown, Judgement::AskOwnStore));
    }

    #[test]
    fn a_server_that_tells_nothing_apart_is_asked_for_nobody() {
        let (endpoint, alice) = (endpoint(), Account::named("alice"));
        let own = OwnStore::Marked(marks(None));
        let judge = |nobody: Option<&Nobody>| endpoint.judge(&alice, &marks(None), Some(&own), nobody);
        assert!(matches!(judge(None).unwrap(), Judgement::AskNobody));
        assert!(evidence(judge(Some(&Nobody::Refused))).contains("nobody has"));
        assert_eq!(judge(Some(&Nobody::LetIn)).unwrap_err().cause, Cause::NotTheirStore);
    }

    #[test]
    fn a_quota_root_tells_only_if_it_is_the_persons() {
        let (endpoint, alice) = (endpoint(), Account::named("alice@example"));
        let with = |root: &str| Marks { quota_roots: vec![root.to_owned()], ..Marks::default() };
        let own = OwnStore::Marked(with("user.migrator"));
        let judge = |root: &str| endpoint.judge(&alice, &with(root), Some(&own), None).unwrap();
        assert!(matches!(judge("user.Alice"), Judgement::Theirs(_)));
        assert!(matches!(judge("user.migrator"), Judgement::AskNobody));
        assert!(matches!(judge("User quota"), Judgement::AskNobody), "the same for everybody");
        assert!(matches!(judge("user.alice@example.org"), Judgement::Theirs(_)));
        for other in ["user.alicea", "user.malice", "users"] {
            assert!(matches!(judge(other), Judgement::AskNobody), "{other} is somebody else's");
        }
    }

    #[test]
    fn older_rights_stand_for_several() {
        assert_eq!(missing_rights("lrswipkxtea", RIGHTS_TO_WRITE), "");
        assert_eq!(missing_rights("lrswipcda", RIGHTS_TO_WRITE), "");
        assert_eq!(missing_rights("lr", RIGHTS_TO_READ), "");
        assert_eq!(missing_rights("lrs", RIGHTS_TO_WRITE), "wite");
        assert_eq!(missing_rights("", RIGHTS_TO_READ), "lr");
    }
}
