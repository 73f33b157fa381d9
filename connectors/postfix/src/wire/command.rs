//! A program, run without a shell, within limits of time and output.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use connector::Error;
use model::{Cause, Scope};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// What is kept of what a program complains of.
const COMPLAINT_BYTES_MAX: usize = 4 * 1024;

/// What came of a program.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// All that it wrote to its output.
    pub(crate) output: Vec<u8>,
    /// The beginning of what it complained of.
    pub(crate) complaint: String,
}

/// Starts these words with these arguments.
pub(crate) fn start(words: &[String], arguments: &[&str]) -> Result<Child, Error> {
    let Some((program, first)) = words.split_first() else {
        return Err(Error::new(Cause::Unsupported, Scope::Run, "a program is to be run that has no name"));
    };
    let mut command = Command::new(program);
    command.args(first).args(arguments);
    // What Postfix says is to be in one language, and MAIL_CONFIG would have it look elsewhere.
    command.env("LC_ALL", "C").env_remove("MAIL_CONFIG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().map_err(|error| {
        let cause = match error.kind() {
            std::io::ErrorKind::NotFound => Cause::Missing,
            std::io::ErrorKind::PermissionDenied => Cause::Permission,
            _ => Cause::Unavailable,
        };
        Error::new(cause, Scope::Run, format!("{program} can't be run: {error}"))
    })
}

/// Runs a program to its end; more output than this is an error.
pub(crate) async fn run(
    words: &[String],
    arguments: &[&str],
    input: &[u8],
    (output_bytes_max, wait_max): (usize, Duration),
) -> Result<Ended, Error> {
    let program = words.first().map_or("a program", String::as_str);
    let mut child = start(words, arguments)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // Who has ended without reading it all says why by other means.
            let _ = stdin.write_all(input).await;
        }
    };
    let hear = async {
        let mut output = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(output_bytes_max as u64 + 1).read_to_end(&mut output).await?;
        }
        Ok::<_, std::io::Error>(output)
    };
    let all = async {
        let ((), output, complaint) = tokio::join!(feed, hear, complaint(stderr));
        let output = output?;
        // One that writes without end is not waited for.
        let status = if output.len() > output_bytes_max { None } else { Some(child.wait().await?) };
        Ok::<_, std::io::Error>((status, output, complaint))
    };
    match tokio::time::timeout(wait_max, all).await {
        Ok(Ok((Some(status), output, complaint))) => Ok(Ended { status, output, complaint }),
        Ok(Ok((None, ..))) => {
            let what = format!("{program} writes more than {output_bytes_max} bytes");
            Err(Error::new(Cause::TooLarge, Scope::Run, what))
        }
        Ok(Err(error)) => Err(Error::new(Cause::Unavailable, Scope::Run, format!("{program}: {error}"))),
        Err(_) => Err(late(program, wait_max)),
    }
}

/// The beginning of what a program complains of; it is read to its end, so that the program does not wait for us.
pub(crate) async fn complaint(stderr: Option<impl tokio::io::AsyncRead + Unpin>) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let (mut kept, mut piece) = (Vec::new(), [0; 1024]);
    while let Ok(length @ 1..) = stderr.read(&mut piece).await {
        let room = COMPLAINT_BYTES_MAX.saturating_sub(kept.len());
        kept.extend_from_slice(&piece[..length.min(room)]);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

/// The error of a program that takes too long.
pub(crate) fn late(program: &str, wait_max: Duration) -> Error {
    let what = format!("{program} did not end within {} s", wait_max.as_secs());
    Error::new(Cause::Unavailable, Scope::Run, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    const LIMITS: (usize, Duration) = (100_000, Duration::from_secs(60));

    #[tokio::test]
    async fn a_program_is_run_without_a_shell() {
        let ended = run(&words(&["printf", "%s|"]), &["a; echo b", "$HOME"], b"", LIMITS).await.unwrap();
        assert!(ended.status.success() && ended.output == b"a; echo b|$HOME|");
        let ended = run(&words(&["cat"]), &[], &b"x".repeat(90_000), LIMITS).await.unwrap();
        assert_eq!(ended.output.len(), 90_000);
        let ended =
            run(&words(&["sh", "-c", "echo why >&2; exit 3"]), &[], &b"x".repeat(90_000), LIMITS).await.unwrap();
        assert_eq!((ended.status.code(), ended.complaint.as_str()), (Some(3), "why"));
    }

    #[tokio::test]
    async fn what_has_no_end_is_ended() {
        let error = run(&words(&["sleep", "600"]), &[], b"", (10, Duration::from_millis(50))).await.unwrap_err();
        assert!(error.cause == Cause::Unavailable && error.what.contains("did not end"), "{error}");
        let error = run(&words(&["yes"]), &[], b"", LIMITS).await.unwrap_err();
        assert_eq!(error.cause, Cause::TooLarge, "{error}");
        let loud = "yes >&2 & sleep 1; kill $!; echo done";
        let ended = run(&words(&["sh", "-c", loud]), &[], b"", LIMITS).await.unwrap();
        assert!(ended.complaint.len() <= COMPLAINT_BYTES_MAX && ended.output == b"done\n");
        for (program, cause) in [("/no/such/program", Cause::Missing), ("/", Cause::Permission)] {
            assert_eq!(run(&words(&[program]), &[], b"", LIMITS).await.unwrap_err().cause, cause);
        }
        assert_eq!(run(&[], &[], b"", LIMITS).await.unwrap_err().cause, Cause::Unsupported);
    }
}
