//! Addresses, and whose they are, as Postfix compares them: in small letters.

use connector::{Error, Recipient};
use model::{Cause, Scope};

/// Whose mail it is, in the form that our table knows people by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// The account's name: it stands in every entry of ours, so that one is never taken for another's.
    pub(crate) account: String,
    /// Their addresses, the primary one first, each once.
    pub(crate) addresses: Vec<String>,
}

impl Person {
    /// Whoever this is. Refuses what can't be the key of a map.
    pub(crate) fn of(who: &Recipient) -> Result<Self, Error> {
        let mut addresses: Vec<String> = Vec::new();
        for address in &who.addresses {
            let address = folded(address);
            if !is_plain(&address) {
                let what = format!("{address:?} can't be looked up: it is no address that every Postfix reads alike");
                return Err(Error::new(Cause::Unsupported, Scope::Mailbox, what));
            }
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let account = folded(&who.account.name);
        if addresses.is_empty() || account.is_empty() {
            let what = format!("{:?} has no address here, so there is nothing to redirect", who.account.name);
            return Err(Error::new(Cause::Unsupported, Scope::Mailbox, what));
        }
        Ok(Self { account, addresses })
    }

    /// The same, with those of their further addresses that can be looked up.
    pub(crate) fn with_further(who: &Recipient) -> Result<Self, Error> {
        let mut person = Self::of(who)?;
        for address in who.further.iter().map(|address| folded(address)).filter(|address| is_plain(address)) {
            if !person.addresses.contains(&address) {
                person.addresses.push(address);
            }
        }
        Ok(person)
    }

    /// Is this address, or name of the machine's user, the person's?
    pub(crate) fn is(&self, address: &str) -> bool {
        self.addresses.iter().any(|own| own == address) || self.account == address
    }

    /// The names that this machine's own delivery may know the person by.
    pub(crate) fn local_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in std::iter::once(&self.account).chain(&self.addresses) {
            let name = local_part(name).to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// As Postfix looks it up.
pub(crate) fn folded(address: &str) -> String {
    address.trim().to_lowercase()
}

/// What stands before the @.
pub(crate) fn local_part(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(local, _)| local)
}

/// Can an address stand in a table, as key and as value, and mean the same to every Postfix? Not what needs quotes (RFC 5321 section 4.1.2), what
/// is rewritten (`%`, `!`), and what begins a comment or an option.
pub(crate) fn is_plain(address: &str) -> bool {
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || "\"\\<>(),;:${}[]%!|".contains(c);
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let dots = |part: &str| part.starts_with('.') || part.ends_with('.') || part.contains("..");
    let begins_oddly = local.is_empty() || local.starts_with(['#', '-', '/']);
    !begins_oddly
        && !domain.is_empty()
        && address.len() <= 320
        && !address.contains(is_odd)
        && !local.contains('@')
        && !dots(local)
        && !dots(domain)
}

/// May this person's mail be sent there? Not to what is no address, and not to one of their own: it would come back.
pub(crate) fn may_lead(who: &Recipient, to: &str) -> Result<(), Error> {
    let refuse = |what: String| Err(Error::new(Cause::Unsupported, Scope::Mailbox, what));
    if !is_plain(to) {
        return refuse(format!("{to:?} can't be redirected to: it is no address that every Postfix reads alike"));
    }
    let mut own = who.addresses.iter().chain([&who.account.name]);
    if own.any(|own| folded(own) == folded(to)) {
        return refuse(format!("{to:?} can't be redirected to: it is the person's own, so mail would go in a circle"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector::Account;

    #[test]
    fn only_plain_addresses_are_keys_and_targets() {
        for good in ["ann@new.test", "a.b+c@x.test", "o'neil@x", "Ann_1=2@x.test", "grün@x.test"] {
            assert!(is_plain(good), "{good}");
        }
        let odd =
            ["", "ann", "@x", "a@", "a b@x", "a@x\ny", "a@b, c@d", "\"@x", "#a@x", "-a@x", "a%b@x", "h!a@x", "a@@x"];
        for odd in odd.into_iter().chain(["a..b@x", ".a@x", "a@x.", "a(b)@x", "|a@x", "/a@x", "$x@y", "a@[1.2.3.4]"]) {
            assert!(!is_plain(odd), "{odd}");
        }
        assert!(!is_plain(&format!("{}@x", "a".repeat(320))));
    }

    #[test]
    fn mail_is_not_sent_to_the_person_it_comes_from() {
        let addresses = vec!["Ann@site.test".into(), "ann@site.test".into(), "A.Smith@site.test".into()];
        let who = Recipient::at(Account::named("Ann@in.test"), addresses);
        assert!(may_lead(&who, "ann@new.test").is_ok());
        for to in ["ann@SITE.test", "a.smith@site.test", "ann@in.test", "no address"] {
            assert_eq!(may_lead(&who, to).unwrap_err().cause, Cause::Unsupported, "{to}");
        }
        let person = Person::of(&who).unwrap();
        assert_eq!(person.addresses, ["ann@site.test", "a.smith@site.test"]);
        assert_eq!(person.local_names(), ["ann", "a.smith"]);
        let nobody = Recipient::at(Account::named("x"), vec![]);
        assert_eq!(Person::of(&nobody).unwrap_err().cause, Cause::Unsupported);
    }
}
