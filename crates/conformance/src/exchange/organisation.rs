//! Mailboxes, and the cmdlets that read and change them.

use std::collections::BTreeMap;

use super::value::{Arguments, Failed, Object, Value};

/// Something in a mailbox that is done with mail that comes in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboxRule {
    /// Its name.
    pub name: String,
    /// Is it on?
    pub enabled: bool,
    /// Where it sends messages on to, as they are.
    pub redirect_to: Vec<String>,
    /// Where it moves them.
    pub move_to: Option<String>,
    /// Does it delete them?
    pub deletes: bool,
}

/// A mailbox. Values are as Exchange shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// Its `Guid`.
    pub guid: String,
    /// Its addresses, the primary one first.
    pub addresses: Vec<String>,
    /// `ForwardingSmtpAddress`: `smtp:ann@new.test`.
    pub forwarding_smtp: Option<String>,
    /// `ForwardingAddress`: a recipient's name.
    pub forwarding: Option<String>,
    /// `DeliverToMailboxAndForward`.
    pub keeps: bool,
    /// `CustomAttribute1` to `CustomAttribute15`, those that are there.
    pub attributes: BTreeMap<String, String>,
    /// Its rules.
    pub rules: Vec<InboxRule>,
    /// Ways in that are not as a new mailbox has them, by the names of their properties: open or closed.
    pub ways: BTreeMap<String, bool>,
}

/// The properties of `Get-CASMailbox` that say by which ways a person gets in. The last may be empty: it is as the organisation has it.
const WAYS: [&str; 6] = ["ActiveSyncEnabled", "ImapEnabled", "MAPIEnabled", "OWAEnabled", "PopEnabled", "EwsEnabled"];

impl Mailbox {
    /// Does a person get in this way?
    pub fn lets_in(&self, way: &str) -> bool {
        self.ways.get(way).copied().unwrap_or(true)
    }
}

/// Somebody outside, in the organisation's address book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// Its `Guid`.
    pub guid: String,
    /// Its name.
    pub name: String,
    /// The address outside.
    pub external: String,
}

/// Something that happens at a call of a cmdlet of Exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accident {
    /// It is refused with these words.
    Refused(String),
    /// It is done, and its answer is an error.
    Lost,
    /// The script is killed before it is done.
    KilledBefore,
    /// The script is killed right after it was done.
    KilledAfter,
}

/// An organisation.
#[derive(Clone, Debug, Default)]
pub struct Organisation {
    /// Its name.
    pub name: String,
    /// The domains that it takes mail for.
    pub domains: Vec<String>,
    /// Its mailboxes.
    pub mailboxes: Vec<Mailbox>,
    /// Its contacts.
    pub contacts: Vec<Contact>,
    /// Domains to which mail is sent on by itself or not; `*` are all others.
    pub remote_domains: Vec<(String, bool)>,
    /// In the cloud: `AutoForwardingMode` of each outbound policy.
    pub outbound_modes: Vec<String>,
    /// How many calls of cmdlets that change something there were.
    pub changes: usize,
    /// How many calls there were.
    pub calls: usize,
    /// What happens at the call of this number, from 1.
    pub accident: Option<(usize, Accident)>,
    /// What the clock of the machine that runs scripts is before the true time, in milliseconds.
    pub clock_ms: i64,
}

/// What becomes of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Came {
    /// The folders that hold it.
    pub kept_in: Vec<String>,
    /// The addresses that it was sent to.
    pub sent_to: Vec<String>,
}

fn without_kind(address: &str) -> &str {
    if address.get(..5).is_some_and(|kind| kind.eq_ignore_ascii_case("smtp:")) { &address[5..] } else { address }
}

impl Organisation {
    /// One with a mailbox for each address.
    pub fn of(name: &str, domain: &str, addresses: &[&str]) -> Self {
        let mailbox = |(number, address): (usize, &&str)| Mailbox {
            guid: format!("00000000-0000-4000-8000-{number:012x}"),
            addresses: vec![(*address).to_owned()],
            ..Mailbox::default()
        };
        Self {
            name: name.to_owned(),
            domains: vec![domain.to_owned()],
            mailboxes: addresses.iter().enumerate().map(mailbox).collect(),
            remote_domains: vec![("*".to_owned(), true)],
            outbound_modes: vec!["On".to_owned()],
            ..Self::default()
        }
    }

    /// The mailbox that has this address.
    pub fn mailbox(&mut self, address: &str) -> &mut Mailbox {
        let has = |mailbox: &&mut Mailbox| mailbox.addresses.iter().any(|own| own.eq_ignore_ascii_case(address));
        self.mailboxes.iter_mut().find(has).expect("there is such a mailbox")
    }

    /// Hands in a message, as transport does: the attributes first, the rules only where it is delivered.
    pub fn deliver(&mut self, address: &str) -> Came {
        let contacts = self.contacts.clone();
        let mailbox = self.mailbox(address);
        let recipient = mailbox.forwarding.as_ref().map(|name| {
            let contact = contacts.iter().find(|contact| contact.name == *name);
            contact.map_or_else(|| name.clone(), |contact| contact.external.clone())
        });
        let leads = recipient.or_else(|| mailbox.forwarding_smtp.clone());
        let mut came = Came::default();
        came.sent_to.extend(leads.as_deref().map(|to| without_kind(to).to_owned()));
        if leads.is_some() && !mailbox.keeps {
            return came;
        }
        let mut folder = Some("Inbox".to_owned());
        for rule in mailbox.rules.iter().filter(|rule| rule.enabled) {
            came.sent_to.extend(rule.redirect_to.iter().cloned());
            folder = rule.move_to.clone().or(folder);
            folder = folder.filter(|_| !rule.deletes);
        }
        came.kept_in.extend(folder);
        came
    }

    /// Does this cmdlet belong to Exchange? What it says then.
    pub(super) fn call(&mut self, name: &str, arguments: &mut Arguments) -> Option<Result<Vec<Value>, Failed>> {
        let known = [
            "get-organizationconfig",
            "get-accepteddomain",
            "get-remotedomain",
            "get-hostedoutboundspamfilterpolicy",
            "get-mailbox",
            "set-mailbox",
            "get-casmailbox",
            "set-casmailbox",
            "get-recipient",
            "get-inboxrule",
        ];
        if !known.contains(&name) {
            return None;
        }
        self.calls += 1;
        let accident = self.accident.clone().filter(|(at, _)| *at == self.calls).map(|(_, accident)| accident);
        match &accident {
            Some(Accident::Refused(words)) => return Some(Err(Failed::new(words, "Refused,Microsoft.Exchange"))),
            Some(Accident::KilledBefore) => return Some(Err(Failed::Killed)),
            _ => {}
        }
        // Without it an error of a remote session does not stop a script.
        let said = match arguments.take("ErrorAction") {
            Some(Value::Text(action)) if action == "Stop".encode_utf16().collect::<Vec<_>>() => {
                self.said(name, arguments)
            }
            _ => Err(Failed::new("the script calls without -ErrorAction Stop", "Test")),
        };
        Some(match accident {
            Some(Accident::KilledAfter) => Err(Failed::Killed),
            Some(Accident::Lost) => said.and(Err(Failed::new("the session was lost", "PSRemoting"))),
            _ => said.and_then(|said| arguments.nothing_left(name).map(|()| said)),
        })
    }

    fn said(&mut self, name: &str, arguments: &mut Arguments) -> Result<Vec<Value>, Failed> {
        let object = |properties: Vec<(&str, Value)>| Value::Object(Object::of(properties));
        Ok(match name {
            "get-organizationconfig" => vec![object(vec![("Name", Value::text(&self.name))])],
            "get-accepteddomain" => {
                self.domains.iter().map(|domain| object(vec![("DomainName", Value::text(domain))])).collect()
            }
            "get-remotedomain" => {
                let domain = |(domain, forwards): &(String, bool)| {
                    object(vec![("DomainName", Value::text(domain)), ("AutoForwardEnabled", Value::Bool(*forwards))])
                };
                self.remote_domains.iter().map(domain).collect()
            }
            "get-hostedoutboundspamfilterpolicy" => {
                self.outbound_modes.iter().map(|mode| object(vec![("AutoForwardingMode", Value::text(mode))])).collect()
            }
            "get-mailbox" => {
                let (identity, most) = (arguments.text("Identity")?, arguments.number("ResultSize")?);
                let found: Vec<Value> = self.found(&identity).into_iter().map(|place| self.shown(place)).collect();
                if found.is_empty() {
                    return Err(not_found(&identity));
                }
                found.into_iter().take(most).collect()
            }
            "get-recipient" => {
                let (identity, most) = (arguments.text("Identity")?, arguments.number("ResultSize")?);
                let found: Vec<Value> = self.recipients(&identity);
                if found.is_empty() {
                    return Err(not_found(&identity));
                }
                found.into_iter().take(most).collect()
            }
            "get-inboxrule" => {
                let identity = arguments.text("Mailbox")?;
                let [place] = self.found(&identity)[..] else { return Err(not_found(&identity)) };
                let rule = |rule: &InboxRule| {
                    let to = |to: &String| Value::text(&format!("\"Somebody\" [SMTP:{to}]"));
                    let redirect = rule.redirect_to.iter().map(to).collect::<Vec<_>>();
                    object(vec![
                        ("Name", Value::text(&rule.name)),
                        ("Enabled", Value::Bool(rule.enabled)),
                        ("DeleteMessage", Value::Bool(rule.deletes)),
                        ("ForwardTo", Value::Null),
                        ("ForwardAsAttachmentTo", Value::Null),
                        ("RedirectTo", if redirect.is_empty() { Value::Null } else { Value::List(redirect) }),
                    ])
                };
                self.mailboxes[place].rules.iter().map(rule).collect()
            }
            "get-casmailbox" => {
                let identity = arguments.text("Identity")?;
                let [place] = self.found(&identity)[..] else { return Err(not_found(&identity)) };
                let ways = &self.mailboxes[place].ways;
                let way = |name: &&'static str| match (ways.get(*name), *name) {
                    (Some(is_open), _) => (*name, Value::Bool(*is_open)),
                    (None, "EwsEnabled") => (*name, Value::Null),
                    (None, _) => (*name, Value::Bool(true)),
                };
                vec![object(WAYS.iter().map(way).collect())]
            }
            "set-casmailbox" => {
                self.set_ways(arguments)?;
                Vec::new()
            }
            _ => {
                self.set(arguments)?;
                Vec::new()
            }
        })
    }

    /// Mailboxes of this name: by Guid, address, or the part before the at sign, also with `*`.
    fn found(&self, identity: &str) -> Vec<usize> {
        let is_like = |text: &str| match identity.split_once('*') {
            Some((start, end)) => {
                let (text, start, end) = (text.to_lowercase(), start.to_lowercase(), end.to_lowercase());
                text.len() >= start.len() + end.len() && text.starts_with(&start) && text.ends_with(&end)
            }
            None => text.eq_ignore_ascii_case(identity),
        };
        let has_name = |mailbox: &Mailbox| {
            let names = mailbox
                .addresses
                .iter()
                .flat_map(|address| [address.as_str(), address.split('@').next().unwrap_or("")]);
            names.chain([mailbox.guid.as_str()]).any(is_like)
        };
        (0..self.mailboxes.len()).filter(|place| has_name(&self.mailboxes[*place])).collect()
    }

    fn shown(&self, place: usize) -> Value {
        let mailbox = &self.mailboxes[place];
        let or_null = |text: Option<&String>| text.map_or(Value::Null, |text| Value::text(text));
        let address = |(number, address): (usize, &String)| {
            Value::text(&format!("{}:{address}", if number == 0 { "SMTP" } else { "smtp" }))
        };
        let addresses = mailbox.addresses.iter().enumerate().map(address).collect();
        let mut properties = vec![
            ("Guid".to_owned(), Value::text(&mailbox.guid)),
            ("ForwardingSmtpAddress".to_owned(), or_null(mailbox.forwarding_smtp.as_ref())),
            ("ForwardingAddress".to_owned(), or_null(mailbox.forwarding.as_ref())),
            ("DeliverToMailboxAndForward".to_owned(), Value::Bool(mailbox.keeps)),
            ("EmailAddresses".to_owned(), Value::List(addresses)),
        ];
        for number in 1..=15 {
            let name = format!("CustomAttribute{number}");
            let value = mailbox.attributes.get(&name).map_or("", String::as_str);
            properties.push((name, Value::text(value)));
        }
        Value::Object(Object::from_owned(properties))
    }

    fn recipients(&self, identity: &str) -> Vec<Value> {
        let is_it = |text: &str| text.eq_ignore_ascii_case(identity);
        let of = |guid: &str, primary: &str, external: Value| {
            Value::Object(Object::of(vec![
                ("Guid", Value::text(guid)),
                ("PrimarySmtpAddress", Value::text(primary)),
                ("ExternalEmailAddress", external),
            ]))
        };
        let contacts = self.contacts.iter().filter(|one| is_it(&one.name) || is_it(&one.guid));
        let contacts = contacts.map(|one| of(&one.guid, &one.external, Value::text(&format!("SMTP:{}", one.external))));
        let mailboxes = self.found(identity).into_iter().map(|place| &self.mailboxes[place]);
        contacts.chain(mailboxes.map(|one| of(&one.guid, &one.addresses[0], Value::Null))).collect()
    }

    /// `Set-CASMailbox`: all of it, or nothing.
    fn set_ways(&mut self, arguments: &mut Arguments) -> Result<(), Failed> {
        let identity = arguments.text("Identity")?;
        let [place] = self.found(&identity)[..] else { return Err(not_found(&identity)) };
        let mut then = self.mailboxes[place].ways.clone();
        let wrong = |what: &str| Failed::new(what, "ParameterBindingFailed,Set-CASMailbox");
        if arguments.take("Confirm") != Some(Value::Bool(false)) {
            return Err(wrong("it asks whoever runs it"));
        }
        for name in WAYS {
            match arguments.take(name) {
                None => {}
                Some(Value::Bool(true)) if name != "EwsEnabled" => drop(then.remove(name)),
                Some(Value::Bool(is_open)) => drop(then.insert(name.to_owned(), is_open)),
                Some(Value::Null) if name == "EwsEnabled" => drop(then.remove(name)),
                Some(_) => return Err(wrong("a way in is open or closed")),
            }
        }
        self.changes += 1;
        self.mailboxes[place].ways = then;
        Ok(())
    }

    /// `Set-Mailbox`: all of it, or nothing.
    fn set(&mut self, arguments: &mut Arguments) -> Result<(), Failed> {
        let identity = arguments.text("Identity")?;
        let [place] = self.found(&identity)[..] else { return Err(not_found(&identity)) };
        let mut then = self.mailboxes[place].clone();
        let wrong = |what: &str| Failed::new(what, "ParameterBindingFailed,Set-Mailbox");
        if arguments.take("Confirm") != Some(Value::Bool(false)) {
            return Err(wrong("it asks whoever runs it"));
        }
        if let Some(value) = arguments.take("ForwardingSmtpAddress") {
            then.forwarding_smtp = value.text_or_null(|| wrong("ForwardingSmtpAddress is no text"))?;
            if then.forwarding_smtp.as_ref().is_some_and(|to| !without_kind(to).contains('@')) {
                return Err(wrong("ForwardingSmtpAddress is no proxy address"));
            }
            then.forwarding_smtp = then.forwarding_smtp.map(|to| format!("smtp:{}", without_kind(&to)));
        }
        if let Some(value) = arguments.take("ForwardingAddress") {
            then.forwarding = match value.text_or_null(|| wrong("ForwardingAddress is no text"))? {
                None => None,
                Some(identity) => {
                    let contact = self.contacts.iter().find(|contact| contact.guid == identity);
                    Some(contact.ok_or_else(|| not_found(&identity))?.name.clone())
                }
            };
        }
        if let Some(value) = arguments.take("DeliverToMailboxAndForward") {
            let Value::Bool(keeps) = value else { return Err(wrong("DeliverToMailboxAndForward is no Boolean")) };
            then.keeps = keeps;
        }
        for number in 1..=15 {
            let name = format!("CustomAttribute{number}");
            let Some(value) = arguments.take(&name) else { continue };
            match value.text_or_null(|| wrong("a custom attribute is no text"))? {
                None => drop(then.attributes.remove(&name)),
                Some(text) if text.encode_utf16().count() > 1024 => {
                    return Err(wrong("a custom attribute is too long"));
                }
                Some(text) => drop(then.attributes.insert(name, text)),
            }
        }
        self.changes += 1;
        self.mailboxes[place] = then;
        Ok(())
    }
}

fn not_found(identity: &str) -> Failed {
    let what = format!("The operation couldn't be performed because object '{identity}' couldn't be found on 'dc1'.");
    Failed::new(&what, "[Server=EX1]ManagementObjectNotFoundException,Microsoft.Exchange.Management")
}
