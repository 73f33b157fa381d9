//! Programs that are run after a change, without a shell.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// How long one may take.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Runs a program, once for each name where it has one. What it did not do, in sentences.
pub(crate) async fn run(words: &[String], names: &[String]) -> Vec<String> {
    let takes_name = words.iter().any(|word| word.contains("{name}"));
    let mut notes = Vec::new();
    for name in names.iter().take(if takes_name { names.len() } else { 1 }) {
        let words: Vec<String> = words.iter().map(|word| word.replace("{name}", name)).collect();
        let Some((program, arguments)) = words.split_first() else { continue };
        let mut command = Command::new(program);
        command.args(arguments).env("LC_ALL", "C").kill_on_drop(true);
        // What it says may hold anything, so it is not passed on.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match tokio::time::timeout(WAIT_MAX, command.status()).await {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => notes.push(format!("{program} ended with {status}")),
            Ok(Err(error)) => notes.push(format!("{program} can't be run: {error}")),
            Err(_) => notes.push(format!("{program} did not end within {} s", WAIT_MAX.as_secs())),
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[tokio::test]
    async fn a_program_is_run_for_each_name_and_what_it_did_not_do_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("{name}").display().to_string();
        let names = words(&["ann", "a;touch b"]);
        assert_eq!(run(&words(&["touch", &file]), &names).await, Vec::<String>::new());
        assert!(folder.path().join("ann").exists() && folder.path().join("a;touch b").exists());
        assert_eq!(run(&words(&["false"]), &names).await.len(), 1);
        assert!(run(&words(&["/no/such/program"]), &names).await[0].contains("can't be run"));
    }
}
