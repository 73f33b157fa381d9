//! What a check says: what was found, and what was looked at, so that nothing found in nothing is not taken for good.

use std::fmt;

use model::Side;

use crate::{Directory, Finding, MailAddress, Owner, Unchecked};

/// What [`check`](crate::check()) found, and of what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is wrong, in the order of addresses and faults, addresses without an entry last.
    pub findings: Vec<Finding>,
    /// How many expected addresses were looked at.
    pub addresses_checked: usize,
    /// Of how many domains all addresses without an entry were looked at.
    pub domains_checked: usize,
    /// Lists that are expected to reach nobody: nothing is missing there, whatever becomes of their mail. In order.
    pub expecting_nobody: Vec<MailAddress>,
    /// Entries that were not started from: see [`Directory::unchecked`].
    pub unchecked: Vec<(Side, MailAddress, Unchecked)>,
}

impl Report {
    pub(crate) fn of(directory: &Directory, findings: Vec<Finding>, subjects: usize) -> Self {
        let is_nobody = |owner: &Owner| matches!(owner, Owner::List(people) if people.is_empty());
        let nobody = directory.expected.iter().filter(|(_, owner)| is_nobody(owner));
        Self {
            findings,
            addresses_checked: directory.expected.len(),
            domains_checked: subjects - directory.expected.len(),
            expecting_nobody: nobody.map(|(address, _)| address.clone()).collect(),
            unchecked: directory.unchecked(),
        }
    }

    /// Was anything looked at, and nothing found? A directory of which nothing is expected is not clean: nobody has said yet
    /// what is to work.
    pub fn is_clean(&self) -> bool {
        self.addresses_checked > 0 && self.findings.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        write!(
            f,
            "faults: {}; addresses looked at: {}; domains whose addresses without an entry were looked at: {}",
            self.findings.len(),
            self.addresses_checked,
            self.domains_checked
        )?;
        if self.addresses_checked == 0 {
            f.write_str("; no address is expected to work: say which are, and whose, before this means anything")?;
        }
        match self.expecting_nobody.len() {
            0 => {}
            lists => write!(f, "; lists expected to reach nobody: {lists}")?,
        }
        match self.unchecked.len() {
            0 => f.write_str("."),
            entries => write!(f, "; entries not looked at by themselves: {entries}."),
        }
    }
}
