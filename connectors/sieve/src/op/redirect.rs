//! Our redirect is put on.
//!
//! A script of our own – our block in a copy of the person's text – is stored beside theirs, which stays as it is, and then activated.
//! Storing it changes nothing of where mail goes, and activating it is one command, so that there is no moment at which
//! neither or both are in force. Stopped between the two it lies there unused, and the next call uses it.

use connector::{Door, Error, Rerouted};
use model::{Cause, Scope};

use super::script::{Session, Site, evidence, our_names};
use crate::text::block::{Block, digest, is_plain_address, put};

/// Puts our redirect to this address on.
pub(crate) async fn redirect(session: &mut Session<'_>, to: &str, door: &dyn Door) -> Result<Rerouted, Error> {
    if !is_plain_address(to) {
        let what =
            format!("{to:?} can't be redirected to: it is no address that every Sieve server reads in the same way");
        return Err(Error::new(Cause::Unsupported, Scope::Mailbox, what));
    }
    if !may_redirect(session) {
        let what = format!(
            "{} lets no script redirect, so a copy would stay: have redirects allowed there (in Dovecot: sieve_max_redirects)",
            session.endpoint.config.address()
        );
        return Err(Error::new(Cause::Unsupported, Scope::Run, what));
    }
    let base = session.endpoint.config.script.clone();
    let site = session.site().await?;
    let before = evidence(&site, &base);
    let mut notes = Vec::new();
    let changed = put_on(session, &site, &base, to, (door, &mut notes)).await?;
    let after = if changed { evidence(&session.site().await?, &base) } else { before.clone() };
    Ok(Rerouted { changed, before, after, notes })
}

async fn put_on(
    session: &mut Session<'_>,
    site: &Site,
    base: &str,
    to: &str,
    (door, notes): (&dyn Door, &mut Vec<String>),
) -> Result<bool, Error> {
    let ours = site.ours(base);
    if let Some((script, marked)) = ours.iter().find(|(script, _)| script.active) {
        if marked.block.to == to {
            return Ok(false);
        }
        let block = Block { to: to.to_owned(), ..marked.block.clone() };
        session.put(&script.name, &put(&marked.text, &block), door).await?;
        return Ok(true);
    }
    let former = site.active();
    let text = match former {
        None => &[][..],
        Some(script) => script.text.as_deref().ok_or_else(|| {
            let what = format!("the active script {:?} was removed while it was read", script.name);
            Error::new(Cause::Unavailable, Scope::Mailbox, what)
        })?,
    };
    let block = Block { to: to.to_owned(), former: former.map(|script| script.name.clone()), digest: digest(text) };
    let whole = put(text, &block);
    // What an earlier call left behind is used, unless the person has written into it.
    let left = ours.iter().find(|(_, marked)| marked.is_untouched()).map(|(script, _)| script.name.clone());
    let name = left.or_else(|| our_names(base).into_iter().find(|name| site.script(name).is_none()));
    let Some(name) = name else {
        let what = format!("every name that our script may have is taken by the person's own ({base:?} and up to -9)");
        return Err(Error::new(Cause::Refused, Scope::Mailbox, what));
    };
    for (script, _) in ours.iter().filter(|(_, marked)| !marked.is_untouched()) {
        notes.push(format!(
            "script {:?} was ours and holds changes of the person's: it is left for release",
            script.name
        ));
    }
    session.has_space(&name, whole.len()).await?;
    session.put(&name, &whole, door).await?;
    session.set_active(Some(&name), door).await?;
    Ok(true)
}

/// May scripts redirect at all? MAXREDIRECTS (RFC 5804 section 1.7) says how often. Pigeonhole leaves it out where that is not at all – and
/// then takes scripts with a redirect all the same, and keeps the mail.
fn may_redirect(session: &Session<'_>) -> bool {
    match session.capability("MAXREDIRECTS") {
        Some(max) => max.trim() != "0",
        None => !session.capability("IMPLEMENTATION").is_some_and(|name| name.contains("Pigeonhole")),
    }
}
