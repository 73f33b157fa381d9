//! LDIF (RFC 2849), to change a directory by other means than the connector under test: OpenLDAP's own tools.

use std::{fmt::Write as _, fs, path::PathBuf, process::Command};

use crate::base64;

/// Changes of a directory, to be made in their order.
#[derive(Clone, Debug, Default)]
pub struct Ldif(String);

impl Ldif {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    fn line(&mut self, name: &str, value: &[u8]) {
        // OpenLDAP's tools take no base64 of nothing.
        let text = if value.is_empty() { ":".to_owned() } else { format!(":: {}", base64::encode(value)) };
        writeln!(self.0, "{name}{text}").expect("a text takes anything");
    }

    /// A new entry.
    #[must_use]
    pub fn add(mut self, dn: &str, attributes: &[(&str, &[u8])]) -> Self {
        self.line("dn", dn.as_bytes());
        self.0.push_str("changetype: add\n");
        for (name, value) in attributes {
            self.line(name, value);
        }
        self.0.push('\n');
        self
    }

    /// An attribute has these values and no others.
    #[must_use]
    pub fn replace(self, dn: &str, name: &str, values: &[&[u8]]) -> Self {
        self.modify(dn, "replace", name, values)
    }

    /// Values come to an attribute.
    #[must_use]
    pub fn add_values(self, dn: &str, name: &str, values: &[&[u8]]) -> Self {
        self.modify(dn, "add", name, values)
    }

    /// Values go from an attribute.
    #[must_use]
    pub fn delete_values(self, dn: &str, name: &str, values: &[&[u8]]) -> Self {
        self.modify(dn, "delete", name, values)
    }

    fn modify(mut self, dn: &str, how: &str, name: &str, values: &[&[u8]]) -> Self {
        self.line("dn", dn.as_bytes());
        writeln!(self.0, "changetype: modify\n{how}: {name}").expect("a text takes anything");
        for value in values {
            self.line(name, value);
        }
        self.0.push_str("-\n\n");
        self
    }

    /// Another name, and another place if given.
    #[must_use]
    pub fn rename(mut self, dn: &str, relative: &str, above: Option<&str>) -> Self {
        self.line("dn", dn.as_bytes());
        self.0.push_str("changetype: modrdn\n");
        self.line("newrdn", relative.as_bytes());
        self.0.push_str("deleteoldrdn: 1\n");
        if let Some(above) = above {
            self.line("newsuperior", above.as_bytes());
        }
        self.0.push('\n');
        self
    }

    /// An entry goes.
    #[must_use]
    pub fn delete(mut self, dn: &str) -> Self {
        self.line("dn", dn.as_bytes());
        self.0.push_str("changetype: delete\n\n");
        self
    }

    /// As it is written.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// An entry as a search gives it.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Its name.
    pub dn: String,
    /// Its values, with the names of their attributes as the server writes them.
    pub values: Vec<(String, Vec<u8>)>,
}

impl Record {
    /// The values of an attribute.
    pub fn values(&self, name: &str) -> Vec<&[u8]> {
        let of_name = self.values.iter().filter(|(of, _)| of.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.as_slice()).collect()
    }

    /// The values of an attribute that is text, in order.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let mut texts: Vec<String> =
            self.values(name).into_iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
        texts.sort();
        texts
    }
}

/// Reads what a search gave.
fn records(text: &str) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for line in text.lines() {
        let Some((name, rest)) = line.split_once(':') else { continue };
        let value = match rest.strip_prefix(':') {
            Some(encoded) => base64::decode(encoded.trim().as_bytes()).unwrap_or_default(),
            None => rest.trim_start().as_bytes().to_vec(),
        };
        if name == "dn" {
            records.push(Record { dn: String::from_utf8_lossy(&value).into_owned(), values: Vec::new() });
        } else if let Some(record) = records.last_mut().filter(|_| !name.starts_with('#')) {
            record.values.push((name.to_owned(), value));
        }
    }
    records
}

/// How OpenLDAP's tools reach a server.
pub(super) struct Tools {
    pub(super) url: String,
    pub(super) ca_file: PathBuf,
    pub(super) user: String,
    pub(super) password: String,
}

impl Tools {
    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(format!("/usr/bin/{tool}"));
        command.env("LDAPTLS_CACERT", &self.ca_file).env("LDAPCONF", "/dev/null");
        command.args(["-x", "-H", &self.url, "-D", &self.user, "-w", &self.password]);
        command
    }

    /// Makes changes.
    ///
    /// # Panics
    /// When the server refuses one.
    pub(super) fn apply(&self, text: &str) {
        let file = tempfile::NamedTempFile::new().expect("the temporary folder can be written to");
        fs::write(file.path(), text).expect("the file is ours");
        super::run(self.command("ldapmodify").arg("-f").arg(file.path()));
    }

    /// What a search finds, page by page.
    pub(super) fn search(&self, base: &str, filter: &str, attributes: &[&str]) -> Vec<Record> {
        let mut command = self.command("ldapsearch");
        command.args(["-LLL", "-o", "ldif-wrap=no", "-E", "pr=500/noprompt", "-b", base, filter]).args(attributes);
        records(&super::run(&mut command))
    }
}
