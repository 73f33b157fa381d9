//! The form is what its page says: another program, written from the page, reads and writes the same files.

use std::io::Write;
use std::process::{Command, Stdio};

use conformance::servers::left_out;
use model::Digest;

use super::{Place, bytes, export, keep};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/quarantine/another_reader.py");

/// Runs the other program; gives what it wrote.
fn run(place: &Place, verb: &str, digest: Option<&Digest>, input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("python3");
    command.arg(SCRIPT).arg(verb).arg(place.key()).arg(place.folder()).args(digest.map(Digest::to_string));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[tokio::test]
async fn another_program_reads_and_writes_the_same_form() {
    let known = Command::new("python3").args(["-c", "import cryptography"]).output();
    if !known.is_ok_and(|output| output.status.success()) {
        let package = "python3-cryptography";
        return left_out(&format!("{package} is not here: apt-get install --no-install-recommends {package}"));
    }
    let place = Place::new();
    let quarantine = place.open().await;
    for size in [0, 1, 65_536, 65_537, 1_000_000] {
        let original = bytes(size);
        let digest = keep(&quarantine, &original).await;
        assert!(run(&place, "read", Some(&digest), b"") == original, "{size}");
        assert!(quarantine.forget(&digest).await.unwrap());
        run(&place, "write", None, &original);
        assert!(quarantine.holds(&digest).await.unwrap(), "{size}");
        assert!(export(&quarantine, &digest).await == original, "{size}");
    }
    assert_eq!(quarantine.check().await.unwrap().good, 5);
}
