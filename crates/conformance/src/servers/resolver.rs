//! A server that asks another name server than its machine does.

use std::process::Command;

use super::{instance::Instance, left_out};

/// Words before a command: it sees a `resolv.conf` of its own, by a mount that nobody else sees. None where such mounts are not
/// allowed, as in some containers.
pub(super) fn resolving_by(instance: &Instance, address: &str) -> Option<Vec<String>> {
    const SCRIPT: &str = "mount --bind \"$0\" \"$(readlink -f /etc/resolv.conf)\" && exec \"$@\"";
    let file = instance.write("resolv.conf", &format!("nameserver {address}\noptions timeout:2 attempts:4\n"));
    let words = ["unshare", "--mount", "sh", "-c", SCRIPT, &file.display().to_string()].map(str::to_owned).to_vec();
    let tried = Command::new(&words[0]).args(&words[1..]).arg("true").output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        left_out("a server can't be given a resolv.conf of its own: this machine lets nobody mount");
        return None;
    }
    Some(words)
}
