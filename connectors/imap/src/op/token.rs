//! OAuth access tokens: from a program or a file, fresh for each connection, shown nowhere.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use connector::{Error, Secret};
use model::{Cause, Scope};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::config::TokenSource;

/// How long a program may take to print a token: it may have to ask a server for one.
const TOKEN_WAIT_MAX: Duration = Duration::from_mins(1);

/// How long a token may be, in bytes: those of Microsoft are about 3,000.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;

/// Bits of a file's mode that let anyone but its owner read it.
const OTHERS_MAY_READ: u32 = 0o044;

/// What stands for the person's name.
const PERSON: &str = "{person}";

/// The token for this person.
pub(crate) async fn token(source: &TokenSource, person: &str) -> Result<Secret, Error> {
    let text = match source {
        TokenSource::Command(words) => from_command(words, person).await?,
        TokenSource::File(path) => from_file(path, person).await?,
    };
    let token = text.trim();
    if token.is_empty() || token.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(failed("what came is empty or no token"));
    }
    Ok(Secret::new(token))
}

fn failed(why: impl std::fmt::Display) -> Error {
    Error::new(Cause::Login, Scope::Mailbox, format!("cannot get an access token: {why}"))
}

async fn from_command(words: &[String], person: &str) -> Result<String, Error> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(failed("token.command names no program"));
    };
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|argument| argument.replace(PERSON, person)));
    // What the program says on its error output may hold secrets, so nobody sees it here.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| failed(format!("{program} can't be run: {error}")))?;
    let mut text = String::new();
    let all = async {
        if let Some(output) = child.stdout.take() {
            output.take(TOKEN_BYTES_MAX).read_to_string(&mut text).await?;
        }
        child.wait().await
    };
    match tokio::time::timeout(TOKEN_WAIT_MAX, all).await {
        Ok(Ok(status)) if status.success() => Ok(text),
        Ok(Ok(status)) => Err(failed(format!("{program} ended with {status}; run it by hand to see why"))),
        Ok(Err(error)) => Err(failed(format!("{program}: {error}"))),
        Err(_) => Err(failed(format!("{program} did not end within {} s", TOKEN_WAIT_MAX.as_secs()))),
    }
}

async fn from_file(path: &Path, person: &str) -> Result<String, Error> {
    if person.contains(['/', '\0']) || person == ".." {
        return Err(failed(format!("{person:?} can't be part of a file's name")));
    }
    let path = path.to_string_lossy().replace(PERSON, person);
    let read = tokio::task::spawn_blocking({
        let path = path.clone();
        move || {
            use std::io::Read;
            use std::os::unix::fs::MetadataExt;
            let file = std::fs::File::open(path)?;
            if file.metadata()?.mode() & OTHERS_MAY_READ != 0 {
                return Ok(None);
            }
            let mut text = String::new();
            file.take(TOKEN_BYTES_MAX).read_to_string(&mut text)?;
            Ok::<_, std::io::Error>(Some(text))
        }
    });
    let read = read.await.map_err(|_| failed("reading the file was stopped"))?;
    read.map_err(|error| failed(format!("{path} can't be read: {error}")))?
        .ok_or_else(|| failed(format!("other users of this machine may read {path}: chmod 600 {path}")))
}

#[cfg(test)]
mod tests {

    use super::*;

    fn words(words: &[&str]) -> TokenSource {
        TokenSource::Command(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[tokio::test]
    async fn a_program_prints_the_token_of_a_person() {
        let source = words(&["printf", " tok-%s\\n", "{person}"]);
        assert_eq!(token(&source, "alice; echo x").await.unwrap_err().cause, Cause::Login, "no shell, and no token");
        assert_eq!(token(&source, "alice").await.unwrap().reveal(), "tok-alice");
    }

    #[tokio::test]
    async fn a_program_that_fails_is_named_and_its_words_are_not_shown() {
        let error = token(&words(&["sh", "-c", "echo secret; echo secret >&2; exit 3"]), "a").await.unwrap_err();
        assert!(error.what.contains("sh ended with") && !error.what.contains("secret"), "{error}");
        let error = token(&words(&["/no/such/program"]), "a").await.unwrap_err();
        assert!(error.what.contains("can't be run"), "{error}");
        assert!(token(&words(&[]), "a").await.is_err());
        assert!(token(&words(&["true"]), "a").await.is_err());
    }

    #[tokio::test]
    async fn a_file_holds_the_token_of_a_person() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bob.token");
        std::fs::write(&file, "tok\n").unwrap();
        let source = TokenSource::File(folder.path().join("{person}.token"));
        let set_mode =
            |mode| std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        set_mode(0o640);
        assert!(token(&source, "bob").await.unwrap_err().what.contains("other users"));
        set_mode(0o600);
        assert_eq!(token(&source, "bob").await.unwrap().reveal(), "tok");
        assert!(token(&source, "carol").await.unwrap_err().what.contains("carol.token"));
        assert!(token(&source, "../bob").await.is_err());
    }
}
