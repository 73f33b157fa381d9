//! A search page by page (RFC 2696), where the server has that: else all of it is one page.

use connector::Error;

use crate::config::{Config, Kind};
use crate::op::root::Root;
use crate::wire::connection::{Connection, Search};
use crate::wire::entry::RawEntry;
use crate::wire::{controls, result};

/// Pages of one search, at most: it keeps a server that never comes to an end from being asked for ever.
pub(crate) const PAGES_MAX: usize = 10_000;

/// The page that begins at this place, and the place of the next one.
pub(crate) async fn page(
    connection: &mut Connection,
    (config, root): (&Config, &Root),
    search: Search<'_>,
    from: &[u8],
) -> Result<(Vec<RawEntry>, Option<Vec<u8>>), Error> {
    let is_paged = root.has_control(controls::PAGED);
    let mut with = Vec::new();
    if is_paged {
        with.push(controls::paged(config.page_entries, from));
    }
    if config.kind == Kind::ActiveDirectory {
        with.push(controls::dacl_only());
    }
    let (entries, answer) = connection.entries(search, with).await?;
    if answer.rc != 0 {
        let what = format!("cannot look for entries in {:?} on {}", search.base, config.address());
        return Err(result::refusal(what, &answer));
    }
    let next = controls::next_page(&answer.ctrls).filter(|next| is_paged && !next.is_empty());
    Ok((entries, next))
}

/// All pages of a search that finds few.
pub(crate) async fn all(
    connection: &mut Connection,
    (config, root): (&Config, &Root),
    search: Search<'_>,
) -> Result<Vec<RawEntry>, Error> {
    let (mut found, mut from) = (Vec::new(), Vec::new());
    for _ in 0..PAGES_MAX {
        let (entries, next) = page(connection, (config, root), search, &from).await?;
        found.extend(entries);
        match next {
            Some(next) => from = next,
            None => return Ok(found),
        }
    }
    Err(endless(search.base))
}

/// The error of a server that never comes to an end.
pub(crate) fn endless(base: &str) -> Error {
    let what = format!("the server never comes to the end of {base:?}");
    Error::new(model::Cause::Protocol, model::Scope::Run, what)
}
