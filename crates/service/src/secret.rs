//! Secrets: where passwords come from. A file that others can read is refused; a secret is shown nowhere.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use connector::Secret;

use crate::Error;

/// Bits of a file's mode that let anyone but its owner read it.
const OTHERS_MAY_READ: u32 = 0o044;

/// Where files that a project names are read: on this machine, or among those that a service has put beside the project into the
/// database. Nothing of them is shown.
#[derive(Clone, Default)]
pub struct Files(Option<Arc<BTreeMap<PathBuf, Vec<u8>>>>);

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Files(given)" } else { "Files(here)" })
    }
}

impl Files {
    /// Only these.
    pub(crate) fn given(files: BTreeMap<PathBuf, Vec<u8>>) -> Self {
        Self(Some(Arc::new(files)))
    }

    /// The bytes of a file that was given; none where files are read on this machine.
    pub(crate) fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        self.0.as_ref()?.get(path).cloned()
    }

    /// The secret in a file: its text, without the line end.
    pub(crate) fn secret(&self, path: &Path, whose: &str) -> Result<Secret, Error> {
        let Some(given) = &self.0 else { return from_file(path, whose) };
        let text = given.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok());
        match text.map(|text| text.trim_end_matches(['\r', '\n'])) {
            Some(text) if !text.is_empty() => Ok(Secret::new(text)),
            _ => Err(Error::usage(format!("{whose}: the service did not hand on {}", path.display()))
                .advise("look at what the service says")),
        }
    }
}

/// Reads environment variables; passed in, so that tests need not set the process's own.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// The secret in an environment variable.
pub(crate) fn from_environment(name: &str, whose: &str, environment: Environment<'_>) -> Result<Secret, Error> {
    match environment(name) {
        Some(text) if !text.is_empty() => Ok(Secret::new(text)),
        _ => Err(Error::usage(format!("{whose}: the environment variable {name} is not set"))
            .advise(format!("set it, for example: export {name}=…"))),
    }
}

/// The secret in a file: its text, without the line end.
pub(crate) fn from_file(path: &Path, whose: &str) -> Result<Secret, Error> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        Error::usage(format!("{whose}: the file {shown} cannot be read: {error}"))
            .advise("check the path; it is relative to the project's folder")
    };
    refuse_readable_by_others(path, whose)?;
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Error::usage(format!("{whose}: the file {shown} is empty")).advise("write the password into it"));
    }
    Ok(Secret::new(text))
}

/// Refuses a file with passwords that others can read.
pub(crate) fn refuse_readable_by_others(path: &Path, whose: &str) -> Result<(), Error> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(facts) if facts.mode() & OTHERS_MAY_READ != 0 => Err(Error::refused(
            "R-347",
            format!("{whose}: {shown} holds passwords and other users of this machine may read it"),
        )
        .advise(format!("chmod 600 {shown}"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::Exit;

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "secret\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = from_file(&path, "endpoint local").unwrap_err();
        assert_eq!((error.exit, error.rule), (Exit::Refused, Some("R-347")));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(from_file(&path, "x").unwrap().reveal(), "secret");
    }

    #[test]
    fn what_is_missing_is_named_without_a_guess() {
        let error = from_environment("NO_SUCH", "endpoint local", &|_| None).unwrap_err();
        assert!(error.what.contains("NO_SUCH") && error.what.contains("endpoint local"));
        assert_eq!(from_file(Path::new("/nonexistent/x"), "x").unwrap_err().exit, Exit::Usage);
    }
}
