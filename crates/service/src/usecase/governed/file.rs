//! `project new`: a project begins with its intent, before there is any server (R-011).

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use model::OrganisationCode;
use profile::Profile;

use crate::Error;
use crate::config::FILE;
use crate::usecase::init::InitReport;

/// Makes the folder of a governed project: its file has no endpoint yet. Changes nothing that is there.
pub fn new_project(
    folder: &Path,
    code: &str,
    name: &str,
    profile: &str,
    database: Option<&str>,
) -> Result<InitReport, Error> {
    let code = OrganisationCode::try_from(code.to_owned())
        .map_err(|error| Error::refused("R-011", error.to_string()).advise("give --code, for example --code RX1"))?;
    if name.trim().is_empty() {
        return Err(Error::refused("R-011", "the organisation's name is empty").advise("give --name"));
    }
    let shipped = Profile::shipped(profile).map_err(|error| Error::usage(error.message).advise(error.advice))?;
    if programme::Programme::shipped(&shipped.profile.name, &shipped.profile.edition).is_none() {
        return Err(Error::usage(format!("the profile {profile} has no programme: no stages, no gates"))
            .advise("choose one that has, such as nhsmail; or make a project without: whimbrel init"));
    }
    let path = folder.join(FILE);
    if path.exists() {
        return Err(Error::usage(format!("{} is there already; nothing was changed", path.display()))
            .advise("whimbrel project adopt governs a project that is there"));
    }
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let text = TEMPLATE
        .replace("{name}", &quoted(name.trim()))
        .replace("{profile}", &quoted(profile))
        .replace("{code}", &quoted(code.as_str()))
        .replace("{database}", &quoted(database.unwrap_or("sqlite:whimbrel.db")));
    let failed = |error: std::io::Error| {
        Error::usage(format!("{} cannot be written: {error}", path.display()))
            .advise("choose a folder that you may write to")
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut open = std::fs::OpenOptions::new();
    let file = open.write(true).create_new(true).mode(0o600).open(&path);
    file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes())).map_err(failed)?;
    Ok(InitReport { folder: folder.display().to_string(), files: vec![FILE.to_owned()] })
}

const TEMPLATE: &str = r#"version = 1
organisation = { name = {name}, code = {code} }
profile = {profile}
database = {database}

# Who may do what, by the operating system's user names; docs/programme.md shows it. Left out: whoever runs the program may do everything,
# in the roles that the project's record gives them.
# [roles]
# engineer = ["kim", "sam"]
# [roles.people.kim]
# side = "organisation"
# roles = ["project-manager"]

[programme]
governed = true                       # nothing is done live without the project's record
# pilot = ["pilot"]                   # whose people whimbrel pilot name names

# Servers come with the implementation: [endpoints.NAME], [source], [target]; docs/ shows each kind.
"#;
