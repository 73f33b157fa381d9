//! How the site's Postfix is set up: which maps it asks, in which order, and whom it takes mail for.

use std::collections::HashMap;

use connector::Error;
use model::{Cause, Scope};

use crate::config::Config;
use crate::text::address::{Person, local_part};
use crate::wire::programs::{Programs, names};

const PARAMETERS: [&str; 16] = [
    "virtual_alias_maps",
    "alias_maps",
    "virtual_mailbox_maps",
    "relay_recipient_maps",
    "local_recipient_maps",
    "virtual_mailbox_domains",
    "relay_domains",
    "mydestination",
    "myorigin",
    "canonical_maps",
    "recipient_canonical_maps",
    "recipient_bcc_maps",
    "recipient_delimiter",
    "propagate_unmatched_extensions",
    "smtpd_sender_login_maps",
    "virtual_alias_domains",
];

/// What `main.cf` and `master.cf` say. Without a `config_directory` only what the settings name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    parameters: HashMap<String, String>,
    /// `SERVICE/TYPE/PARAMETER` and its value.
    services: Vec<(String, String)>,
    recipient_maps: Vec<String>,
    pub(crate) is_known: bool,
}

impl Setup {
    /// Asks Postfix.
    pub(crate) async fn read(config: &Config) -> Result<Self, Error> {
        let recipient_maps = config.recipient_maps.clone();
        if config.config_directory.is_none() {
            return Ok(Self { recipient_maps, ..Self::default() });
        }
        let programs = Programs(config);
        let parameters = programs.parameters(&PARAMETERS).await?;
        let services = programs.of_services().await?;
        let pair = |line: &String| {
            let (name, value) = line.split_once('=')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        };
        let services = services.iter().filter_map(pair).collect();
        Ok(Self { parameters, services, recipient_maps, is_known: true })
    }

    pub(crate) fn value(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// The maps of this parameter.
    pub(crate) fn maps(&self, name: &str) -> Vec<String> {
        names(self.value(name))
    }

    /// Is this domain in the list of this parameter? None where the list is kept in a map.
    pub(crate) fn lists(&self, name: &str, domain: &str) -> Option<bool> {
        let names = self.maps(name);
        if names.iter().any(|name| name.eq_ignore_ascii_case(domain)) {
            return Some(true);
        }
        if names.iter().any(|name| name.contains([':', '/'])) { None } else { Some(false) }
    }

    /// Does the site's Postfix ask our table first, and send mail that it finds there to one address? Else why not.
    pub(crate) fn fits(&self, config: &Config) -> Result<(), Error> {
        if !self.is_known {
            return Ok(());
        }
        let refuse = |what: String| Err(Error::new(Cause::Unsupported, Scope::Run, what));
        let Some(ours) = config.map_name() else { return Ok(()) };
        let maps = self.maps("virtual_alias_maps");
        if maps.first() != Some(&ours) {
            let now = maps.first().map_or("nothing", String::as_str);
            return refuse(format!("Postfix must ask {ours} first in virtual_alias_maps, and asks {now} first"));
        }
        for (name, value) in &self.services {
            let first = names(value).into_iter().next();
            let is_ours = first.as_ref().is_none_or(|first| *first == ours || first == "$virtual_alias_maps");
            if name.ends_with("/virtual_alias_maps") && !is_ours {
                return refuse(format!("master.cf has {name} = {value}: Postfix must ask {ours} first there, too"));
            }
        }
        if self.hands_extensions_on() && !config.target_takes_extensions {
            return refuse(format!(
                "mail to NAME{}ANYTHING would be sent to the new address with the same extension: set target_takes_extensions if \
                 the target takes that, else take \"virtual\" out of propagate_unmatched_extensions",
                self.value("recipient_delimiter").chars().next().unwrap_or('+'),
            ));
        }
        Ok(())
    }

    fn hands_extensions_on(&self) -> bool {
        !self.value("recipient_delimiter").is_empty()
            && names(self.value("propagate_unmatched_extensions")).iter().any(|name| name == "virtual")
    }

    /// Services that map nothing themselves, and whether they leave it to others is not known.
    pub(crate) fn services_without_maps(&self) -> Vec<&str> {
        let maps_nothing = |(name, value): &&(String, String)| {
            (name.ends_with("/virtual_alias_maps") && value.is_empty())
                || (name.ends_with("/receive_override_options") && value.contains("no_address_mappings"))
        };
        self.services.iter().filter(maps_nothing).map(|(name, _)| name.as_str()).collect()
    }

    /// Those of these addresses that the site takes no mail for. Where that can't be known, none.
    pub(crate) async fn strangers(&self, config: &Config, addresses: &[String]) -> Result<Vec<String>, Error> {
        let ours = config.map_name();
        let listed =
            |name: &str| self.maps(name).into_iter().filter(|map| Some(map) != ours.as_ref()).collect::<Vec<String>>();
        // An empty list of recipients means everybody.
        let takes_all = |domain: &str| {
            [
                ("virtual_mailbox_domains", "virtual_mailbox_maps"),
                ("relay_domains", "relay_recipient_maps"),
                ("mydestination", "local_recipient_maps"),
            ]
            .iter()
            .any(|(domains, maps)| self.maps(maps).is_empty() && self.lists(domains, domain) == Some(true))
        };
        let (whole, local) = if self.recipient_maps.is_empty() {
            if !self.is_known {
                return Ok(Vec::new());
            }
            let whole = ["virtual_mailbox_maps", "relay_recipient_maps", "virtual_alias_maps"];
            (whole.into_iter().flat_map(listed).collect(), listed("local_recipient_maps"))
        } else {
            (self.recipient_maps.clone(), self.recipient_maps.clone())
        };
        let domain = |address: &str| address.rsplit_once('@').map_or("", |(_, domain)| domain).to_owned();
        let mut strangers: Vec<String> =
            addresses.iter().filter(|address| !takes_all(&domain(address))).cloned().collect();
        for (maps, is_local) in [(whole, false), (local, true)] {
            for map in maps {
                if strangers.is_empty() {
                    return Ok(strangers);
                }
                let keys_of = |address: &String| {
                    let local = local_part(address).to_owned();
                    let is_here = self.lists("mydestination", &domain(address)) != Some(false);
                    match (is_local, takes_whole_keys_only(&map)) {
                        (true, _) if is_here || !self.is_known => vec![local],
                        (true, _) => vec![],
                        (false, true) => vec![address.clone()],
                        (false, false) => vec![address.clone(), format!("@{}", domain(address))],
                    }
                };
                let keys: Vec<String> = strangers.iter().flat_map(keys_of).collect();
                let found = Programs(config).look_up(&map, &keys).await?;
                strangers.retain(|address| !keys_of(address).iter().any(|key| found.iter().any(|(has, _)| has == key)));
            }
        }
        Ok(strangers)
    }

    /// Refuses a person whose addresses are written anew before our table is asked.
    pub(crate) async fn rewritten(
        &self,
        config: &Config,
        addresses: &[String],
        person: &Person,
    ) -> Result<Vec<String>, Error> {
        let mut rewritten = Vec::new();
        for map in ["canonical_maps", "recipient_canonical_maps"].into_iter().flat_map(|name| self.maps(name)) {
            let found = Programs(config).look_up(&map, addresses).await?;
            let elsewhere = found.into_iter().filter(|(_, value)| !person.addresses.contains(&value.to_lowercase()));
            rewritten.extend(elsewhere.map(|(address, _)| address));
        }
        Ok(rewritten)
    }

    /// Refuses somebody of whose addresses one is written anew as another's.
    pub(crate) async fn is_not_rewritten(&self, config: &Config, person: &Person) -> Result<(), Error> {
        for map in ["canonical_maps", "recipient_canonical_maps"].into_iter().flat_map(|name| self.maps(name)) {
            for (address, value) in Programs(config).look_up(&map, &person.addresses).await? {
                if !person.addresses.contains(&value.to_lowercase()) {
                    let what = format!(
                        "{map} writes {address} anew as {value} before our table is asked: that must be an address of theirs, too"
                    );
                    return Err(Error::new(Cause::Unsupported, Scope::Mailbox, what));
                }
            }
        }
        Ok(())
    }
}

/// Is a map only ever asked for whole addresses (`virtual(5)`, *regular expression tables*)?
pub(crate) fn takes_whole_keys_only(map: &str) -> bool {
    ["regexp:", "pcre:", "tcp:", "cidr:"].iter().any(|kind| map.starts_with(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FileTable, MapType, Table};

    fn setup(parameters: &[(&str, &str)], services: &[(&str, &str)]) -> Setup {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Setup {
            parameters: parameters.iter().map(owned).collect(),
            services: services.iter().map(owned).collect(),
            recipient_maps: Vec::new(),
            is_known: true,
        }
    }

    #[test]
    fn our_table_must_be_asked_first() {
        let mut config = Config::new(Table::File(FileTable::new("/w", MapType::Hash)));
        let first = ("virtual_alias_maps", "proxy:hash:/w, hash:/v");
        let fits = |config: &Config, parameters: &[(&str, &str)], services: &[(&str, &str)]| {
            setup(parameters, services).fits(config).map_err(|error| error.what)
        };
        assert_eq!(fits(&config, &[first], &[]), Ok(()));
        assert_eq!(Setup::default().fits(&config).map_err(|error| error.what), Ok(()));
        assert!(
            fits(&config, &[("virtual_alias_maps", "hash:/v, hash:/w")], &[]).unwrap_err().contains("hash:/v first")
        );
        assert!(fits(&config, &[], &[]).unwrap_err().contains("asks nothing first"));
        let other = ("cleanup/unix/virtual_alias_maps", "hash:/v");
        assert!(fits(&config, &[first], &[other]).unwrap_err().contains("master.cf"));
        let none = [("pre/unix/virtual_alias_maps", ""), ("smtp/inet/receive_override_options", "no_address_mappings")];
        assert_eq!(fits(&config, &[first], &none), Ok(()));
        assert_eq!(setup(&[first], &none).services_without_maps().len(), 2);
        let extension = [first, ("recipient_delimiter", "+"), ("propagate_unmatched_extensions", "canonical, virtual")];
        assert!(fits(&config, &extension, &[]).unwrap_err().contains("NAME+ANYTHING"));
        let dropped = [first, ("recipient_delimiter", "+"), ("propagate_unmatched_extensions", "canonical")];
        assert_eq!(fits(&config, &dropped, &[]), Ok(()));
        config.target_takes_extensions = true;
        assert_eq!(fits(&config, &extension, &[]), Ok(()));
    }

    #[test]
    fn domains_in_maps_are_not_known() {
        let setup = setup(&[("mydestination", "a.test, B.test"), ("relay_domains", "hash:/r")], &[]);
        assert_eq!(setup.lists("mydestination", "b.test"), Some(true));
        assert_eq!(setup.lists("mydestination", "c.test"), Some(false));
        assert_eq!(setup.lists("relay_domains", "c.test"), None);
    }
}
