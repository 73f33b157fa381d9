//! `init`: makes a project's folder.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use model::OrganisationCode;
use profile::Profile;
use serde::Serialize;

use crate::config::FILE;
use crate::{Error, people};

/// What was made.
#[derive(Clone, Debug, Serialize)]
pub struct InitReport {
    /// The project's folder.
    pub folder: String,
    /// The files made in it.
    pub files: Vec<String>,
}

/// Makes a project for an organisation. Changes nothing that is there.
pub fn init(folder: &Path, code: Option<&str>, name: &str, profile: &str) -> Result<InitReport, Error> {
    let code = OrganisationCode::try_from(code.unwrap_or_default().to_owned())
        .map_err(|error| Error::refused("R-002", error.to_string()).advise("give --code, for example --code RX1"))?;
    if name.trim().is_empty() {
        return Err(Error::refused("R-002", "the organisation's name is empty").advise("give --name"));
    }
    Profile::shipped(profile).map_err(|error| Error::usage(error.message).advise(error.advice))?;
    let project = TEMPLATE
        .replace("{name}", &toml::Value::from(name).to_string())
        .replace("{profile}", &toml::Value::from(profile).to_string())
        .replace("{code}", &toml::Value::from(code.as_str()).to_string());
    let files = [(FILE, project), (people::FILE, "source,target\n".to_owned())];
    for (file, _) in &files {
        let path = folder.join(file);
        if path.exists() {
            return Err(Error::usage(format!("{} is there already; nothing was changed", path.display()))
                .advise("choose another folder, or edit the file"));
        }
    }
    let failed = |path: &Path, error: std::io::Error| {
        Error::usage(format!("{} cannot be written: {error}", path.display()))
            .advise("choose a folder that you may write to")
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for (file, text) in &files {
        let path = folder.join(file);
        // Passwords may come to stand in them.
        let mut open = std::fs::OpenOptions::new();
        let file = open.write(true).create_new(true).mode(0o600).open(&path);
        file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
            .map_err(|error| failed(&path, error))?;
    }
    Ok(InitReport {
        folder: folder.display().to_string(),
        files: files.iter().map(|(file, _)| (*file).to_owned()).collect(),
    })
}

const TEMPLATE: &str = r#"version = 1
organisation = { name = {name}, code = {code} }
profile = {profile}
database = "sqlite:whimbrel.db"
people_at_once = 4

# Where people's mail is now.
[endpoints.local]
kind = "imap"
host = "imap.local.example"
tls = "implicit"                          # implicit, starttls or none
[endpoints.local.login]                   # leave this table out to log in as each person
user = "migrator"
password = { env = "LOCAL_PASSWORD" }     # or { file = "…" }
impersonate = "authzid"                   # authzid, master:* or none

# Where it goes. Until you have set the server up here, a folder of files takes it.
[endpoints.archive]
kind = "maildir"
path = "archive/{target}"

[source]
mail = "local"

[target]
mail = "archive"
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Exit};

    #[test]
    fn what_is_made_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let name = "Quote \" and \\ back";
        init(&folder.path().join("p"), Some("RX1"), name, "nhsmail@2017").unwrap();
        let config = Config::read(&folder.path().join("p")).unwrap();
        assert_eq!((config.code.as_str(), config.file.organisation.name.as_str()), ("RX1", name));
        assert_eq!((config.policy.profile.as_str(), config.policy.edition.as_str()), ("nhsmail", "2017"));
        let again = init(&folder.path().join("p"), Some("RX1"), name, "plain").unwrap_err();
        assert_eq!(again.exit, Exit::Usage);
    }

    #[test]
    fn without_a_code_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        for code in [None, Some(""), Some("R X 1"), Some("RX1RX1RX1RX1")] {
            let error = init(&folder.path().join("p"), code, "n", "plain").unwrap_err();
            assert_eq!((error.exit, error.rule), (Exit::Refused, Some("R-002")));
        }
        assert!(!folder.path().join("p").exists());
        assert_eq!(init(&folder.path().join("p"), Some("RX1"), "n", "nhs").unwrap_err().exit, Exit::Usage);
        assert!(!folder.path().join("p").exists());
    }
}
