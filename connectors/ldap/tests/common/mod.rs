//! Directories on real servers, changed by OpenLDAP's own tools.
#![allow(dead_code, clippy::unwrap_used, reason = "a test's helper, not the product; each test takes what it needs")]

pub(crate) mod routed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use conformance::directory_suite::DirectoryWorld;
use conformance::directory_suite::writing::TargetWorld;
use conformance::servers::{Directory389, Ldif, Record, SambaAd, Slapd};
use connector::{Directory, DirectoryTarget, Secret, SystemClock};
use ldap::LdapDirectory;
use ldap::config::{Changes, Config, Kind, Template, Tls, Write};
use model::{Entry, EntryKind, Reference};

/// A server.
pub(crate) enum Server {
    Samba(SambaAd),
    Slapd(Slapd),
    Directory389(Directory389),
}

impl Server {
    pub(crate) fn apply(&self, changes: &Ldif) {
        match self {
            Self::Samba(samba) => samba.apply(changes),
            Self::Slapd(slapd) => slapd.apply(changes),
            Self::Directory389(server) => server.apply(changes),
        }
    }

    pub(crate) fn search(&self, base: &str, filter: &str, attributes: &[&str]) -> Vec<Record> {
        match self {
            Self::Samba(samba) => samba.search(base, filter, attributes),
            Self::Slapd(slapd) => slapd.search(base, filter, attributes),
            Self::Directory389(server) => server.search(base, filter, attributes),
        }
    }

    pub(crate) fn root(&self) -> &'static str {
        match self {
            Self::Samba(_) => SambaAd::DOMAIN,
            Self::Slapd(_) | Self::Directory389(_) => Slapd::SUFFIX,
        }
    }

    pub(crate) fn people(&self) -> &'static str {
        match self {
            Self::Samba(_) => SambaAd::STAFF,
            Self::Slapd(_) | Self::Directory389(_) => "ou=people,dc=example,dc=test",
        }
    }

    pub(crate) fn elsewhere(&self) -> &'static str {
        match self {
            Self::Samba(_) => SambaAd::ELSEWHERE,
            Self::Slapd(_) | Self::Directory389(_) => "ou=elsewhere,dc=example,dc=test",
        }
    }

    pub(crate) fn config(&self) -> Config {
        let (kind, host, port, ca, user, password) = match self {
            Self::Samba(samba) => (
                Kind::ActiveDirectory,
                samba.host().to_owned(),
                636,
                samba.ca_file(),
                SambaAd::ADMIN,
                SambaAd::ADMIN_PASSWORD,
            ),
            Self::Slapd(slapd) => (
                Kind::Ldap,
                "localhost".to_owned(),
                slapd.tls_port(),
                slapd.ca_file(),
                Slapd::READER,
                Slapd::READER_PASSWORD,
            ),
            Self::Directory389(server) => (
                Kind::Ldap,
                "localhost".to_owned(),
                server.port(),
                "/dev/null".into(),
                Directory389::ADMIN,
                Directory389::ADMIN_PASSWORD,
            ),
        };
        let mut config = Config::new(kind, host);
        config.port = Some(port);
        if matches!(self, Self::Directory389(_)) {
            config.tls = Tls::None;
        } else {
            config.ca_file = Some(ca);
        }
        config.user = Some(user.to_owned());
        config.password = Some(Secret::new(password));
        config.bases = vec![self.people().to_owned()];
        config
    }

    fn key_attribute(&self) -> &'static str {
        match self {
            Self::Samba(_) => "objectGUID",
            Self::Slapd(_) | Self::Directory389(_) => "entryUUID",
        }
    }

    fn key(&self, record: &Record) -> String {
        let value = record.values(self.key_attribute())[0].to_vec();
        if !matches!(self, Self::Samba(_)) {
            return String::from_utf8(value).unwrap();
        }
        let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        let hex: String = order.iter().map(|at| format!("{:02x}", value[*at])).collect();
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }
}

/// By what the scope is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScopeBy {
    /// By a base and a filter.
    Filter,
    /// By the members of a group, with groups within it that go in a circle.
    Group,
}

/// The first part of the name of an entry that stands in an organizational unit.
fn relative(dn: &str) -> &str {
    &dn[..dn.to_lowercase().find(",ou=").unwrap()]
}

/// A directory of people on a real server.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) config: Config,
    by: ScopeBy,
    names: Mutex<BTreeMap<String, String>>,
    /// Keys of those that are in none of the groups.
    outside: Mutex<BTreeSet<String>>,
}

impl World {
    pub(crate) fn of(server: Server, by: ScopeBy, changes: Changes) -> Self {
        let mut config = server.config();
        config.changes = changes;
        // Bytes that may be anything, in a field that must be text.
        let bytes = if matches!(server, Server::Samba(_)) { "msExchMailboxGuid" } else { "anyBytes" };
        config.attributes.insert("title".to_owned(), vec![bytes.to_owned()]);
        match by {
            ScopeBy::Filter => config.filter = Some("(!(telephoneNumber=out of scope))".to_owned()),
            ScopeBy::Group => {
                config.bases = vec![server.root().to_owned()];
                config.filter = Some("(!(description=group of the scope))".to_owned());
                config.scope_group = Some(Self::group(&server, "scope"));
            }
        }
        let world = Self { server, config, by, names: Mutex::default(), outside: Mutex::default() };
        if by == ScopeBy::Group {
            world.make_groups();
        }
        world
    }

    pub(crate) fn samba(by: ScopeBy, changes: Changes) -> Option<Self> {
        Some(Self::of(Server::Samba(SambaAd::start()?), by, changes))
    }

    pub(crate) fn slapd(by: ScopeBy, changes: Changes) -> Option<Self> {
        Some(Self::of(Server::Slapd(Slapd::start()?), by, changes))
    }

    pub(crate) fn directory_389(by: ScopeBy, changes: Changes) -> Option<Self> {
        Some(Self::of(Server::Directory389(Directory389::start()?), by, changes))
    }

    pub(crate) fn reader(&self) -> LdapDirectory {
        LdapDirectory::new(self.config.clone(), Arc::new(SystemClock))
    }

    fn group(server: &Server, name: &str) -> String {
        format!("cn={name},{}", server.elsewhere())
    }

    /// `scope` has `inner`, which has `circle`, which has `scope` again.
    fn make_groups(&self) {
        let mut changes = Ldif::new();
        let names = ["scope", "inner", "circle"];
        for (at, name) in names.iter().enumerate() {
            let dn = Self::group(&self.server, name);
            let next = Self::group(&self.server, names[(at + 1) % 3]);
            let class: &[u8] = if self.is_ad() { b"group" } else { b"groupOfNames" };
            let mut attributes = vec![("objectClass", class), ("description", &b"group of the scope"[..])];
            if self.is_ad() {
                attributes.push(("sAMAccountName", name.as_bytes()));
                changes = changes.add(&dn, &attributes);
            } else {
                attributes.push(("cn", name.as_bytes()));
                attributes.push(("member", next.as_bytes()));
                changes = changes.add(&dn, &attributes);
            }
        }
        if self.is_ad() {
            for (at, name) in names.iter().enumerate() {
                let next = Self::group(&self.server, names[(at + 1) % 3]);
                changes = changes.add_values(&Self::group(&self.server, name), "member", &[next.as_bytes()]);
            }
        }
        self.server.apply(&changes);
    }

    pub(crate) fn is_ad(&self) -> bool {
        matches!(self.server, Server::Samba(_))
    }

    /// Which of the three groups holds this entry.
    fn group_of(&self, dn: &str) -> String {
        Self::group(&self.server, ["scope", "inner", "circle"][dn.len() % 3])
    }

    pub(crate) fn name(&self, key: &str) -> String {
        self.names.lock().unwrap()[key].clone()
    }

    /// A value as it stands in a name.
    pub(crate) fn escaped(value: &str) -> String {
        let mut text = String::new();
        for (at, c) in value.chars().enumerate() {
            if ",+\"\\<>;=".contains(c) || (at == 0 && "# ".contains(c)) {
                text.push('\\');
            }
            text.push(c);
        }
        text
    }

    fn dn_of(&self, entry: &Entry) -> String {
        let cn = entry.names.display.clone().unwrap_or_else(|| entry.key.clone());
        format!("cn={},{}", Self::escaped(&cn), self.server.people())
    }

    fn addition(&self, changes: Ldif, entry: &Entry) -> Ldif {
        let dn = self.dn_of(entry);
        let mut values: Vec<(&str, String)> = Vec::new();
        let mut put = |name: &'static str, value: &Option<String>| {
            if let Some(value) = value {
                values.push((name, value.clone()));
            }
        };
        put("displayName", &entry.names.display);
        put("mail", &entry.mail);
        put("telephoneNumber", &entry.telephone);
        let is_list = entry.kind == EntryKind::List;
        if !is_list {
            put("givenName", &entry.names.given);
            put("sn", &entry.names.surname);
        }
        if self.is_ad() {
            put("department", &entry.department);
            values.push(("objectClass", if is_list { "group" } else { "user" }.to_owned()));
            let account = entry.account.clone().unwrap_or_else(|| entry.key.clone());
            values.push(("sAMAccountName", account));
        } else {
            put("departmentNumber", &entry.department);
            values.push(("objectClass", if is_list { "groupOfNames" } else { "inetOrgPerson" }.to_owned()));
            values.push(("objectClass", "mailRecipientOfTests".to_owned()));
            values.push(("cn", entry.names.display.clone().unwrap()));
            if let Some(account) = &entry.account {
                values.push(("uid", account.clone()));
            }
        }
        values.extend(entry.addresses.iter().map(|address| ("proxyAddresses", address.to_string())));
        for member in &entry.members {
            if let Reference::Key(key) = member {
                values.push(("member", self.name(key)));
            }
        }
        let values: Vec<(&str, &[u8])> = values.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        changes.add(&dn, &values)
    }

    fn enrol(&self, key: &str, is_in: bool) {
        let dn = &self.name(key);
        let mut outside = self.outside.lock().unwrap();
        let _ = if is_in { outside.remove(key) } else { outside.insert(key.to_owned()) };
        let group = self.group_of(dn);
        let changes = if is_in {
            Ldif::new().add_values(&group, "member", &[dn.as_bytes()])
        } else {
            Ldif::new().delete_values(&group, "member", &[dn.as_bytes()])
        };
        self.server.apply(&changes);
    }

    fn moved(&self, key: &str, to: &str) {
        let dn = self.name(key);
        let relative = relative(&dn).to_owned();
        self.server.apply(&Ldif::new().rename(&dn, &relative, Some(to)));
        self.names.lock().unwrap().insert(key.to_owned(), format!("{relative},{to}"));
    }

    /// The distinguished name of a place within the scope.
    fn place(&self, place: &[&str]) -> String {
        let above = self.server.people().to_owned();
        place.iter().fold(above, |above, name| format!("ou={},{above}", Self::escaped(name)))
    }

    /// Entries are called otherwise. Active Directory keeps members' names right by itself.
    fn renamed(&self, new: &[(String, String)], is_enrolled: bool) {
        let mut changes = Ldif::new();
        for (key, to) in new {
            let from = self.names.lock().unwrap().insert(key.clone(), to.clone()).unwrap();
            let (old, new) = (self.group_of(&from), self.group_of(to));
            let is_outside = self.outside.lock().unwrap().contains(key);
            if !(is_outside || self.is_ad() && old == new) {
                let stands = if self.is_ad() { to } else { &from };
                changes = changes.delete_values(&old, "member", &[stands.as_bytes()]);
                changes = changes.add_values(&new, "member", &[to.as_bytes()]);
            }
        }
        if is_enrolled && self.by == ScopeBy::Group {
            self.server.apply(&changes);
        }
    }

    /// The keys of what stands below, with the relative part of each name.
    fn below(&self, place: &str) -> Vec<(String, String)> {
        let end = format!(",{}", place.to_lowercase());
        let names = self.names.lock().unwrap();
        let below = names.iter().filter(|(_, dn)| dn.to_lowercase().ends_with(&end));
        below.map(|(key, dn)| (key.clone(), dn[..dn.len() - end.len()].to_owned())).collect()
    }

    /// A place stands elsewhere, or is called otherwise, with all below it.
    fn move_all(&self, from: &str, relative: &str, above: &str, is_enrolled: bool) {
        let below = self.below(from);
        let is_elsewhere = !from.to_lowercase().ends_with(&format!(",{}", above.to_lowercase()));
        self.server.apply(&Ldif::new().rename(from, relative, is_elsewhere.then_some(above)));
        let new: Vec<(String, String)> =
            below.into_iter().map(|(key, name)| (key, format!("{name},{relative},{above}"))).collect();
        self.renamed(&new, is_enrolled);
    }

    /// Half of the keys leave by moving, half by what they say of themselves.
    fn moves(key: &str) -> bool {
        key.bytes().map(usize::from).sum::<usize>() % 2 == 0
    }
}

#[async_trait]
impl DirectoryWorld for World {
    fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(self.reader())
    }

    async fn add(&self, entry: &Entry) -> String {
        self.add_many(std::slice::from_ref(entry)).await.remove(0)
    }

    async fn add_many(&self, entries: &[Entry]) -> Vec<String> {
        let changes = entries.iter().fold(Ldif::new(), |changes, entry| self.addition(changes, entry));
        self.server.apply(&changes);
        let filter = match entries {
            [one] => format!("(mail={})", one.mail.as_deref().unwrap()),
            _ => "(mail=*)".to_owned(),
        };
        let records = self.server.search(self.server.people(), &filter, &["mail", self.server.key_attribute()]);
        let by_mail: BTreeMap<String, &Record> =
            records.iter().map(|record| (record.texts("mail").remove(0), record)).collect();
        let mut keys = Vec::new();
        for entry in entries {
            let record = by_mail[entry.mail.as_ref().unwrap()];
            let key = self.server.key(record);
            self.names.lock().unwrap().insert(key.clone(), record.dn.clone());
            keys.push(key);
        }
        if self.by == ScopeBy::Group {
            let mut new: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for dn in keys.iter().map(|key| self.name(key)) {
                new.entry(self.group_of(&dn)).or_default().push(dn);
            }
            let changes = new.iter().fold(Ldif::new(), |changes, (group, names)| {
                let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
                changes.add_values(group, "member", &names)
            });
            self.server.apply(&changes);
        }
        keys
    }

    async fn change(&self, key: &str, department: &str) {
        let name = if self.is_ad() { "department" } else { "departmentNumber" };
        self.server.apply(&Ldif::new().replace(&self.name(key), name, &[department.as_bytes()]));
    }

    async fn rename(&self, key: &str, display: &str) {
        let dn = self.name(key);
        let place = &dn[relative(&dn).len()..];
        let relative = format!("cn={}", Self::escaped(display));
        let changes = Ldif::new().replace(&dn, "displayName", &[display.as_bytes()]).rename(&dn, &relative, None);
        self.server.apply(&changes);
        let new = format!("{relative}{place}");
        self.names.lock().unwrap().insert(key.to_owned(), new.clone());
        // Active Directory keeps members' names right by itself.
        if self.by == ScopeBy::Group && !self.is_ad() {
            let group = self.group_of(&dn);
            let changes = Ldif::new().delete_values(&group, "member", &[dn.as_bytes()]);
            self.server.apply(&changes.add_values(&self.group_of(&new), "member", &[new.as_bytes()]));
        } else if self.by == ScopeBy::Group && self.group_of(&dn) != self.group_of(&new) {
            let changes = Ldif::new().delete_values(&self.group_of(&dn), "member", &[new.as_bytes()]);
            self.server.apply(&changes.add_values(&self.group_of(&new), "member", &[new.as_bytes()]));
        }
    }

    async fn remove(&self, key: &str) {
        let dn = self.names.lock().unwrap().remove(key).unwrap();
        let mut changes = Ldif::new();
        if self.by == ScopeBy::Group && !self.is_ad() {
            changes = changes.delete_values(&self.group_of(&dn), "member", &[dn.as_bytes()]);
        }
        self.server.apply(&changes.delete(&dn));
    }

    async fn take_out_of_scope(&self, key: &str) -> bool {
        let dn = self.name(key);
        if self.by == ScopeBy::Group {
            self.enrol(key, false);
        } else if Self::moves(key) {
            self.moved(key, self.server.elsewhere());
        } else {
            self.server.apply(&Ldif::new().replace(&dn, "telephoneNumber", &[b"out of scope"]));
        }
        true
    }

    async fn bring_into_scope(&self, key: &str) {
        let dn = self.name(key);
        if self.by == ScopeBy::Group {
            self.enrol(key, true);
        } else if Self::moves(key) {
            self.moved(key, self.server.people());
        } else {
            self.server.apply(&Ldif::new().replace(&dn, "telephoneNumber", &[b"back"]));
        }
    }

    async fn put_below(&self, key: &str, place: &[&str]) -> bool {
        for depth in 1..=place.len() {
            let dn = self.place(&place[..depth]);
            if self.server.search(self.server.root(), &format!("(ou={})", place[depth - 1]), &["1.1"]).is_empty() {
                let values = [("objectClass", &b"organizationalUnit"[..]), ("ou", place[depth - 1].as_bytes())];
                self.server.apply(&Ldif::new().add(&dn, &values));
            }
        }
        let dn = self.name(key);
        let relative = relative(&dn).to_owned();
        let above = self.place(place);
        if dn.eq_ignore_ascii_case(&format!("{relative},{above}")) {
            return true;
        }
        self.server.apply(&Ldif::new().rename(&dn, &relative, Some(&above)));
        self.renamed(&[(key.to_owned(), format!("{relative},{above}"))], true);
        true
    }

    async fn rename_place(&self, place: &str, to: &str) {
        let relative = format!("ou={}", Self::escaped(to));
        self.move_all(&self.place(&[place]), &relative, self.server.people(), true);
    }

    async fn move_place(&self, place: &str, is_inside: bool) {
        let relative = format!("ou={}", Self::escaped(place));
        let (people, elsewhere) = (self.server.people(), self.server.elsewhere());
        let (from, to) = if is_inside { (elsewhere, people) } else { (people, elsewhere) };
        let from = format!("{relative},{from}");
        let below = self.below(&from);
        let enrol = || below.iter().for_each(|(key, _)| self.enrol(key, is_inside));
        if self.by == ScopeBy::Filter {
            self.move_all(&from, &relative, to, false);
        } else if is_inside {
            self.move_all(&from, &relative, to, false);
            enrol();
        } else {
            enrol();
            self.move_all(&from, &relative, to, false);
        }
    }

    async fn spoil(&self, key: &str) -> bool {
        let name = self.config.attributes["title"][0].clone();
        self.server.apply(&Ldif::new().replace(&self.name(key), &name, &[b"\xff\xfe\xfd"]));
        true
    }

    async fn mend(&self, key: &str) {
        let name = self.config.attributes["title"][0].clone();
        self.server.apply(&Ldif::new().replace(&self.name(key), &name, &[]));
    }
}

/// A directory that is written, with an attribute for every field.
pub(crate) struct Written {
    pub(crate) world: World,
    pub(crate) config: Config,
}

impl Written {
    fn of(server: Server) -> Self {
        let world = World::of(server, ScopeBy::Filter, Changes::Auto);
        let mut config = world.server.config();
        let is_ad = world.is_ad();
        let mut map = |field: &str, names: &[&str]| {
            config.attributes.insert(field.to_owned(), names.iter().map(|name| (*name).to_owned()).collect());
        };
        let mut write = Write { base: Some(world.server.people().to_owned()), ..Write::default() };
        if is_ad {
            map("organisation", &["extensionAttribute11"]);
            map("hides_mobile", &["extensionAttribute12"]);
            config.kinds.insert(EntryKind::System, vec!["extensionAttribute13=system".to_owned()]);
        } else {
            map("organisation", &["organisationCode"]);
            map("hides_mobile", &["hidesMobile"]);
            map("hidden", &["hiddenFromLists"]);
            map("delegates", &["publicDelegates"]);
            map("members", &["member", "memberByMail"]);
            write.mail_members = Some("memberByMail".to_owned());
            for kind in EntryKind::EVERY {
                let own = if kind == EntryKind::List { "groupOfNames" } else { "inetOrgPerson" };
                let object_classes = Some([own, "mailRecipientOfTests"].map(str::to_owned).to_vec());
                write.kinds.insert(kind, Template { object_classes, ..Template::default() });
            }
            config.user = Some(Slapd::ADMIN.to_owned());
            config.password = Some(Secret::new(Slapd::ADMIN_PASSWORD));
        }
        config.write = Some(write);
        assert_eq!(config.mistake(), None);
        Self { world, config }
    }

    pub(crate) fn samba() -> Option<Self> {
        Some(Self::of(Server::Samba(SambaAd::start()?)))
    }

    pub(crate) fn slapd() -> Option<Self> {
        Some(Self::of(Server::Slapd(Slapd::start()?)))
    }

    pub(crate) fn target_of(config: Config) -> LdapDirectory {
        LdapDirectory::new(config, Arc::new(SystemClock))
    }

    /// The entry of this key, as OpenLDAP's own tool finds it.
    pub(crate) fn record(&self, key: &str, attributes: &[&str]) -> Record {
        let filter = if self.world.is_ad() {
            let bytes: Vec<u8> = (0..16)
                .map(|at| {
                    let plain = key.replace('-', "");
                    u8::from_str_radix(&plain[at * 2..at * 2 + 2], 16).unwrap()
                })
                .collect();
            let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
            format!("(objectGUID={})", order.iter().map(|at| format!("\\{:02x}", bytes[*at])).collect::<String>())
        } else {
            format!("(entryUUID={key})")
        };
        let mut records = self.world.server.search(self.world.server.root(), &filter, attributes);
        records.retain(|record| !record.dn.is_empty());
        assert_eq!(records.len(), 1, "{key}");
        records.remove(0)
    }
}

#[async_trait]
impl DirectoryWorld for Written {
    fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(Self::target_of(self.config.clone()))
    }

    async fn add(&self, entry: &Entry) -> String {
        self.world.add(entry).await
    }

    async fn change(&self, key: &str, department: &str) {
        let name = if self.world.is_ad() { "department" } else { "departmentNumber" };
        let dn = self.record(key, &["1.1"]).dn;
        self.world.server.apply(&Ldif::new().replace(&dn, name, &[department.as_bytes()]));
    }

    async fn rename(&self, key: &str, display: &str) {
        let dn = self.record(key, &["1.1"]).dn;
        self.world.server.apply(&Ldif::new().replace(&dn, "displayName", &[display.as_bytes()]));
    }

    async fn remove(&self, key: &str) {
        let dn = self.record(key, &["1.1"]).dn;
        self.world.server.apply(&Ldif::new().delete(&dn));
    }
}

impl TargetWorld for Written {
    fn target(&self) -> Arc<dyn DirectoryTarget> {
        Arc::new(Self::target_of(self.config.clone()))
    }

    fn has_outsiders(&self) -> bool {
        !self.world.is_ad()
    }
}

/// The same directory over a connection that is not private.
pub(crate) fn in_clear(config: &Config, host: &str, port: u16) -> Config {
    Config { host: host.to_owned(), port: Some(port), tls: Tls::None, ..config.clone() }
}
