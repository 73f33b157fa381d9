//! Postfix's own programs: `postconf(1)`, `postmap(1)`.

use std::collections::HashMap;
use std::path::Path;

use connector::Error;
use model::{Cause, Scope};

use super::command::{Ended, run};
use crate::config::Config;

/// The most that a program may answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Postfix's programs, as the settings have them.
#[derive(Clone, Copy)]
pub(crate) struct Programs<'c>(pub(crate) &'c Config);

impl Programs<'_> {
    /// `-c DIRECTORY`, if one is known.
    fn directory(&self) -> Vec<&str> {
        let folder = self.0.config_directory.as_deref().and_then(Path::to_str);
        folder.map_or_else(Vec::new, |folder| vec!["-c", folder])
    }

    async fn run(&self, words: &[String], arguments: &[&str], input: &[u8]) -> Result<Ended, Error> {
        let all = [self.directory().as_slice(), arguments].concat();
        run(words, &all, input, (ANSWER_BYTES_MAX, self.0.command_wait_max)).await
    }

    /// The values of these parameters of `main.cf`, with what they refer to put in.
    pub(crate) async fn parameters(&self, names: &[&str]) -> Result<HashMap<String, String>, Error> {
        let ended = self.run(&self.0.programs.postconf, &[&["-x"], names].concat(), b"").await?;
        if !ended.status.success() {
            return Err(failed("postconf does not tell how Postfix is set up", &ended));
        }
        let text = String::from_utf8_lossy(&ended.output);
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Ok(pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect())
    }

    /// What `master.cf` says otherwise for single services: `smtp/inet/virtual_alias_maps = …`, a line each.
    pub(crate) async fn of_services(&self) -> Result<Vec<String>, Error> {
        let ended = self.run(&self.0.programs.postconf, &["-P"], b"").await?;
        if !ended.status.success() {
            return Err(failed("postconf does not tell how Postfix's services are set up", &ended));
        }
        Ok(String::from_utf8_lossy(&ended.output).lines().map(str::to_owned).collect())
    }

    /// What a map says of these keys: those that it has, with their values.
    pub(crate) async fn look_up(&self, map: &str, keys: &[String]) -> Result<Vec<(String, String)>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let input = keys.iter().fold(String::new(), |text, key| text + key + "\n");
        let ended = self.run(&self.0.programs.postmap, &["-q", "-", map], input.as_bytes()).await?;
        // It ends with 1 both when it has found nothing and when it could not look, and says why only then. So does what it is run by.
        let is_warning = |line: &str| line.contains(": warning: ");
        if !(ended.status.code() == Some(0)
            || ended.status.code() == Some(1) && ended.complaint.lines().all(is_warning))
        {
            return Err(failed(&format!("{map} can't be asked"), &ended));
        }
        let text = String::from_utf8_lossy(&ended.output).into_owned();
        let pairs = text.lines().filter_map(|line| line.split_once('\t'));
        Ok(pairs.map(|(key, value)| (key.to_lowercase(), value.to_owned())).collect())
    }

    /// Compiles a text table.
    pub(crate) async fn compile(&self, map: &str) -> Result<(), Error> {
        let ended = self.run(&self.0.programs.postmap, &[map], b"").await?;
        if ended.status.success() { Ok(()) } else { Err(failed(&format!("{map} can't be compiled"), &ended)) }
    }
}

/// The error of a program that failed, with the first line of what it said.
pub(crate) fn failed(what: &str, ended: &Ended) -> Error {
    let complaint = ended.complaint.lines().next().unwrap_or_default();
    let cause = match complaint {
        line if line.contains("No such file") => Cause::Missing,
        line if line.contains("Permission denied") => Cause::Permission,
        line if line.contains("No space left") => Cause::OverQuota,
        line if line.contains("unsupported dictionary type") => Cause::Unsupported,
        _ => Cause::Unavailable,
    };
    let said = if complaint.is_empty() { ended.status.to_string() } else { complaint.to_owned() };
    Error::new(cause, Scope::Run, what).said(said)
}

/// The names in a list of maps: `hash:/a, {inline:{a=b}} pgsql:/c`. What is in braces is one; `proxy:` is left out.
pub(crate) fn names(list: &str) -> Vec<String> {
    let (mut names, mut name, mut depth) = (Vec::new(), String::new(), 0_usize);
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' | ' ' | '\t' | '\r' | '\n' if depth == 0 => {
                names.push(std::mem::take(&mut name));
                continue;
            }
            _ => {}
        }
        name.push(c);
    }
    names.push(name);
    let plain = |name: String| name.strip_prefix("proxy:").map_or(name.clone(), str::to_owned);
    names.into_iter().filter(|name| !name.is_empty()).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_maps_are_taken_apart() {
        for (list, expected) in [
            ("", vec![]),
            ("hash:/a, proxy:pgsql:/b\thash:/c", vec!["hash:/a", "pgsql:/b", "hash:/c"]),
            ("inline:{ a@b=c@d, {e=f g} },hash:/a", vec!["inline:{ a@b=c@d, {e=f g} }", "hash:/a"]),
            ("pipemap:{hash:/a, hash:/b}", vec!["pipemap:{hash:/a, hash:/b}"]),
            ("}hash:/a", vec!["}hash:/a"]),
        ] {
            assert_eq!(names(list), expected, "{list}");
        }
    }
}
