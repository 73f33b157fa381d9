//! `check`: whether a directory is reachable and set up well, a sentence for each topic. It changes nothing.

use std::collections::BTreeSet;

use connector::{Error, Finding, Topic};
use ldap3::Scope as Within;
use model::{Cause, Scope as Reach};

use super::root::Root;
use super::scope::Scope;
use super::{find, group};
use crate::config::{Changes, Config, Kind, Write};
use crate::map::entry::Map;
use crate::wire::connection::{Connection, Search};
use crate::wire::{controls, result};

/// What is found, in the order of topics, up to the first that fails.
pub(crate) async fn check(config: &Config, map: &Map) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err((topic, error)) = look(config, map, &mut findings).await {
        findings.push(Finding::wrong(topic, &error));
    }
    findings
}

async fn look(config: &Config, map: &Map, findings: &mut Vec<Finding>) -> Result<(), (Topic, Error)> {
    if let Some(mistake) = config.mistake() {
        return Err((Topic::Reach, Error::new(Cause::Unsupported, Reach::Run, mistake)));
    }
    let topic = |error: &Error| if error.cause == Cause::Tls { Topic::Tls } else { Topic::Reach };
    let mut connection = Connection::reach(config).await.map_err(|error| (topic(&error), error))?;
    findings.push(Finding::well(Topic::Reach, format!("{} answers", config.address())));
    findings.push(Finding::well(Topic::Tls, connection.privacy.clone()));
    connection.bind().await.map_err(|error| (Topic::Login, error))?;
    let who = config.user.as_deref().unwrap_or("nobody: only what everybody may read is seen");
    findings.push(Finding::well(Topic::Login, format!("logged in as {who}")));
    let root = Root::read(&mut connection).await.map_err(|error| (Topic::Capabilities, error))?;
    findings.push(Finding::well(Topic::Capabilities, changes_sentence(config, &root)));
    let mut scope = Scope::of(config, &root).map_err(|error| (Topic::Store, error))?;
    if let Some(name) = &config.scope_group {
        let members = group::members(&mut connection, (config, map, &root), name).await;
        scope.members = Some(members.map_err(|error| (Topic::Store, error))?);
    }
    let (is_any, shows_rights) =
        sample(&mut connection, config, &scope).await.map_err(|error| (Topic::Store, error))?;
    let bases = scope.bases.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join("; ");
    let group = scope.members.as_ref().map_or_else(String::new, |members| format!(", {} in the group", members.len()));
    let sentence = if is_any {
        format!("{bases}: there are entries{group}")
    } else {
        format!("{bases}: nobody is in scope{group}")
    };
    findings.push(Finding::well(Topic::Store, sentence));
    if config.kind == Kind::ActiveDirectory {
        let sentence = match (is_any, shows_rights) {
            (false, _) => "nothing to look at",
            (_, true) => "who may send as somebody can be read (nTSecurityDescriptor)",
            (_, false) => {
                "who may send as somebody can NOT be read (nTSecurityDescriptor): give the account the right Read Permissions"
            }
        };
        findings.push(Finding::well(Topic::Rights, sentence));
    }
    if let Some(write) = &config.write {
        let sentence = writes(&mut connection, config, write).await.map_err(|error| (Topic::Rights, error))?;
        findings.push(Finding::well(Topic::Rights, sentence));
    }
    Ok(())
}

/// Are the places there where entries are written, and may they be, as far as the server tells?
async fn writes(connection: &mut Connection, config: &Config, write: &Write) -> Result<String, Error> {
    let classes = "allowedChildClassesEffective";
    let attributes = ["objectClass", classes].map(str::to_owned);
    let mut seen = BTreeSet::new();
    for base in find::bases(write) {
        if !seen.insert(base) {
            continue;
        }
        let Some(entry) = connection.entry(base, &attributes).await? else {
            let what = format!("write: there is no {base:?} on {}, or it may not be read", config.address());
            return Err(Error::new(Cause::Missing, Reach::Run, what));
        };
        if config.kind == Kind::ActiveDirectory && !entry.has(classes, "user") && !entry.has(classes, "contact") {
            let what =
                format!("write: the account may make neither users nor contacts in {base:?} on {}", config.address());
            return Err(Error::new(Cause::Permission, Reach::Run, what));
        }
    }
    let names = seen.into_iter().collect::<Vec<_>>().join("; ");
    Ok(match config.kind {
        Kind::ActiveDirectory => format!("entries may be made in {names}"),
        Kind::Ldap => format!("{names} is there; whether entries may be made in it is seen with the first"),
    })
}

/// Is there anything in scope, and can it be read who may do what with it?
async fn sample(connection: &mut Connection, config: &Config, scope: &Scope) -> Result<(bool, bool), Error> {
    let attributes = ["nTSecurityDescriptor".to_owned()];
    let (mut is_any, mut shows_rights) = (false, false);
    for (base, _) in &scope.bases {
        let search = Search { base, within: Within::Subtree, filter: &scope.filter, attributes: &attributes };
        let (entries, answer) =
            connection.entries(search, vec![controls::paged(1, &[]), controls::dacl_only()]).await?;
        if answer.rc != 0 {
            return Err(result::refusal(format!("cannot read {base:?} on {}", config.address()), &answer));
        }
        is_any |= !entries.is_empty();
        shows_rights |= entries.iter().any(|entry| !entry.values("nTSecurityDescriptor").is_empty());
    }
    Ok((is_any, shows_rights))
}

fn changes_sentence(config: &Config, root: &Root) -> String {
    let has = |oid: &str| root.has_control(oid);
    let auto = config.changes == Changes::Auto;
    match (config.kind, config.changes) {
        (_, Changes::None) => "it is read whole each time",
        (Kind::ActiveDirectory, Changes::Auto | Changes::Dirsync) if has(controls::DIRSYNC) => {
            "changes are learnt by DirSync, if the account has the right Replicating Directory Changes"
        }
        (Kind::ActiveDirectory, changes) if auto || matches!(changes, Changes::Dirsync | Changes::Usn) => {
            "changes are learnt by uSNChanged"
        }
        (Kind::Ldap, Changes::Auto | Changes::Sync) if has(controls::SYNC_REQUEST) => {
            "changes are learnt by content synchronisation (RFC 4533), if the server knows entries by entryUUID there"
        }
        _ => "changes are learnt by the times of entries, what is gone by comparing which there are",
    }
    .to_owned()
}
