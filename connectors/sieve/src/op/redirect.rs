//! Our redirect is put on.
//!
//! A script of our own – our block in a copy of the person's text – is stored beside theirs, which stays as it is, and then activated.
//! Storing it changes nothing of where mail goes, and activating it is one command, so that there is no moment at which
//! neither or both are in force. Stopped between the two it lies there unused, and the next call uses it.

use connector::{Door, Error, Recipient, Rerouted};
use model::{Cause, Scope};

use super::read::routing;
use super::release::may_go;
use super::script::{Session, Site, evidence, our_names};
use crate::text::block::{Block, digest, is_plain_address, put, to_copy};

/// Where Dovecot puts rules that were in force without being a script that it lists, once a script is activated.
const RESCUED: &str = "dovecot.orig";

/// May this person's mail be sent there? Not to what is no address, and not to one of their own: it would come back.
pub(crate) fn may_lead(who: &Recipient, to: &str) -> Result<(), Error> {
    let refuse = |what: String| Err(Error::new(Cause::Unsupported, Scope::Mailbox, what));
    if !is_plain_address(to) {
        return refuse(format!(
            "{to:?} can't be redirected to: it is no address that every Sieve server reads in the same way"
        ));
    }
    let mut own = who.addresses.iter().chain([&who.account.name]);
    if own.any(|own| own.trim().to_lowercase() == to.to_lowercase()) {
        return refuse(format!("{to:?} can't be redirected to: it is the person's own, so mail would go in a circle"));
    }
    Ok(())
}

/// Puts our redirect to this address on.
pub(crate) async fn redirect(session: &mut Session<'_>, to: &str, door: &dyn Door) -> Result<Rerouted, Error> {
    if !session.may_redirect() {
        return Err(Error::new(Cause::Unsupported, Scope::Run, session.no_redirects()));
    }
    let base = session.endpoint.config.script.clone();
    let site = session.site().await?;
    let before = evidence(&site, &base);
    let mut notes = Vec::new();
    if !put_on(session, &site, &base, to, (door, &mut notes)).await? {
        return Ok(Rerouted { changed: false, after: before.clone(), before, notes });
    }
    let mut now = session.site().await?;
    if site.active().is_none()
        && let Some(name) = appeared(&site, &now, &base)
    {
        notes.push(format!(
            "rules were in force that the server does not list; it has put them into script {name:?}, which a release activates"
        ));
        if record(session, &now, &base, name, door).await? {
            now = session.site().await?;
        }
    }
    if routing(&now, &base, true).redirected_to() != Some(to) {
        let what = format!("the redirect to {to} was put on, and something else is in force now");
        return Err(Error::new(Cause::Refused, Scope::Mailbox, what));
    }
    Ok(Rerouted { changed: true, before, after: evidence(&now, &base), notes })
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
    let active = site.active();
    let text = match active {
        None => &[][..],
        Some(script) => script.text.as_deref().ok_or_else(|| {
            let what = format!("the active script {:?} was removed while it was read", script.name);
            Error::new(Cause::Unavailable, Scope::Mailbox, what)
        })?,
    };
    let text = to_copy(text);
    // Named before it is there, so that a call that is cut has told it as well; where it does not appear there was none.
    let rescued = || (session.is_pigeonhole() && site.script(RESCUED).is_none()).then(|| RESCUED.to_owned());
    let former = active.map_or_else(rescued, |script| Some(script.name.clone()));
    let whole = put(text, &Block { to: to.to_owned(), former, digest: digest(text) });
    // What an earlier call left behind is used, unless it is the only place of something that the person has written.
    let left = ours.iter().find(|(script, marked)| may_go(site, script, marked)).map(|(script, _)| script.name.clone());
    let name = left.or_else(|| our_names(base).into_iter().find(|name| site.script(name).is_none()));
    let Some(name) = name else {
        let what = format!("every name that our script may have is taken by the person's own ({base:?} and up to -9)");
        return Err(Error::new(Cause::Refused, Scope::Mailbox, what));
    };
    for (script, _) in ours.iter().filter(|(script, marked)| !may_go(site, script, marked)) {
        notes.push(format!(
            "script {:?} was ours and holds a text of the person's that is nowhere else: it is left for release",
            script.name
        ));
    }
    session.has_space(&name, whole.len()).await?;
    session.put(&name, &whole, door).await?;
    session.verify(&name, &whole).await?;
    session.set_active(Some(&name), door).await?;
    Ok(true)
}

/// The one script that is there since ours was activated, though nobody has stored it.
fn appeared<'s>(before: &Site, now: &'s Site, base: &str) -> Option<&'s str> {
    let names = our_names(base);
    let is_new = |name: &str, text: &Option<Vec<u8>>| match before.script(name) {
        None => !names.iter().any(|own| own == name),
        Some(known) => name == RESCUED && known.text != *text,
    };
    let mut new = now.scripts.iter().filter(|script| is_new(&script.name, &script.text));
    let name = new.next()?.name.as_str();
    new.next().is_none().then_some(name)
}

/// Writes down that this script is the one that was in force before, unless that is so.
async fn record(
    session: &mut Session<'_>,
    site: &Site,
    base: &str,
    name: &str,
    door: &dyn Door,
) -> Result<bool, Error> {
    let ours = site.ours(base);
    let Some((script, marked)) = ours.iter().find(|(script, _)| script.active) else { return Ok(false) };
    if marked.block.former.as_deref() == Some(name) {
        return Ok(false);
    }
    let block = Block { former: Some(name.to_owned()), ..marked.block.clone() };
    session.put(&script.name, &put(&marked.text, &block), door).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector::Account;

    #[test]
    fn mail_is_not_sent_to_the_person_it_comes_from() {
        let who = Recipient {
            addresses: vec!["ann@site.test".into(), "A.Smith@site.test".into()],
            ..Recipient::new(Account::named("ann@in.test"), "x")
        };
        assert!(may_lead(&who, "ann@new.test").is_ok());
        for to in ["ann@site.test", "ANN@Site.test", "a.smith@site.test", "Ann@in.test", "no address"] {
            assert_eq!(may_lead(&who, to).unwrap_err().cause, Cause::Unsupported, "{to}");
        }
    }
}
