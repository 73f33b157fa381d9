//! What a message must be before anything of it is looked at: of somebody who may hand in files, and with the key as its subject.

use super::super::post::{Sender, Unfit, sender};
use crate::config::MailedEntry;

/// Looks whose message it is, whether they may hand in files, and whether its subject is the key.
pub(super) fn judge(message: &[u8], mailed: &MailedEntry, key: &str) -> Result<Sender, Unfit> {
    let sender = sender(message, mailed.post().trust())?;
    if !mailed.is_authorised(&sender.address) {
        return Err(sender.unfit("its sender is not authorised"));
    }
    let subject = inspection::subject(&message).ok().flatten();
    if !sender.has_one("subject") || subject.as_deref() != Some(key) {
        return Err(sender.unfit("its subject is not the connector's key"));
    }
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "wxyzab1f2";

    fn judged(from: &str, subject: &str) -> Result<String, String> {
        let text = "endpoint = 'post'\naccount = 'import'\nkey = { env = 'KEY' }\nsenders = ['hr@trust.example']\n\
             from = 'import@trust.example'\ntrust_from = true\n[smtp]\nhost = 'localhost'\n";
        let bytes = format!("From: {from}\r\nSubject: {subject}\r\n\r\n").into_bytes();
        judge(&bytes, &toml::from_str(text).unwrap(), KEY).map(|sender| sender.address).map_err(|unfit| unfit.why)
    }

    #[test]
    fn only_who_is_authorised_hands_in_a_file() {
        assert_eq!(judged("HR@trust.example", KEY).as_deref(), Ok("HR@trust.example"));
        assert!(judged("it@trust.example", KEY).unwrap_err().contains("not authorised"));
    }

    #[test]
    fn the_subject_is_the_key_and_nothing_besides() {
        let judged = |subject: &str| judged("hr@trust.example", subject).is_ok();
        assert!(judged(KEY) && judged("=?utf-8?B?d3h5emFiMWYy?="));
        for other in ["", "Re: wxyzab1f2", "WXYZAB1F2", "wxyzab1f2 x"] {
            assert!(!judged(other), "{other}");
        }
    }
}
