//! The files and secrets that a project's file names.

use std::path::PathBuf;

use super::{Config, EndpointEntry, SecretEntry};

impl Config {
    /// The files of CAs that endpoints, routers and the directory that a switch writes name, with whose each is.
    pub(crate) fn ca_files(&self) -> Vec<(String, &PathBuf)> {
        let mut files = Vec::new();
        for (name, entry) in &self.endpoints {
            let EndpointEntry::Imap(entry) = entry else { continue };
            files.extend(entry.ca_file.iter().map(|path| (format!("endpoints.{name}.ca_file"), path)));
        }
        for (name, entry) in &self.routers {
            files.extend(entry.ca_files().into_iter().map(|path| (format!("routers.{name}.ca_file"), path)));
        }
        for (name, entry) in &self.accesses {
            files.extend(entry.ca_files().into_iter().map(|path| (format!("access.{name}.ca_file"), path)));
        }
        if let Some((name, entry)) = self.written_by_the_switch() {
            files.extend(entry.ca_files().into_iter().map(|path| (format!("directories.{name}.ca_file"), path)));
        }
        files
    }

    /// The name of the platform's directory.
    pub(crate) fn platform(&self) -> Option<&str> {
        self.file.people.as_ref().and_then(|people| people.platform.as_deref())
    }

    /// The directory to which a switch writes people's old addresses.
    fn written_by_the_switch(&self) -> Option<(&str, &crate::directories::DirectoryEntry)> {
        let is_written = !self.routers.is_empty() && !self.file.switch.addresses_by_hand;
        let name = self.platform().filter(|_| is_written)?;
        Some((name, self.directories.get(name)?))
    }

    /// The secrets that endpoints, routers and the directory that a switch writes name, with whose each is.
    pub(crate) fn secrets(&self) -> Vec<(String, &SecretEntry)> {
        let mut secrets = Vec::new();
        for (name, entry) in &self.endpoints {
            let EndpointEntry::Imap(entry) = entry else { continue };
            let password = entry.login.as_ref().and_then(|login| login.password.as_ref());
            secrets.extend(password.map(|password| (format!("endpoints.{name}.login"), password)));
        }
        for (name, entry) in &self.routers {
            secrets.extend(entry.secrets().into_iter().map(|secret| (format!("routers.{name}"), secret)));
        }
        for (name, entry) in &self.accesses {
            secrets.extend(entry.secrets().into_iter().map(|secret| (format!("access.{name}"), secret)));
        }
        if let Some((name, entry)) = self.written_by_the_switch() {
            secrets.extend(entry.secrets().into_iter().map(|secret| (format!("directories.{name}"), secret)));
        }
        secrets
    }
}
