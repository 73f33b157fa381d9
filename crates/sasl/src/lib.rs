//! Logging in (SASL, RFC 4422): SCRAM-SHA-256, the message of PLAIN, and in whose name an account logs in for everyone.
//!
//! It is ours, because the exchanges are short, the cryptography is `ring`'s, and the one library for all of SASL would bring a second
//! set of cryptography and mechanisms nobody here may use. How messages travel is for each protocol's connector.

mod scram;

use connector::{Error, Secret};
use model::{Cause, Scope};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;

pub use scram::Scram;

/// How an account that logs in for everyone reaches what is each person's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Impersonate {
    /// `authzid`: the person's name is the authorisation identity (SASL PLAIN, SCRAM-SHA-256, OAUTHBEARER); with
    /// XOAUTH2, which has one name only, the person's name goes with the account's token.
    #[default]
    Authzid,
    /// `master:*` (any text after the colon): logs in as person, that text, account: `alice*migrator`.
    Master(String),
    /// `none`: with a password, the account opens only its own store; with a token, each person's own token is asked for
    /// (`{person}` in the token's command or file name).
    None,
}

impl TryFrom<String> for Impersonate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "authzid" => Ok(Self::Authzid),
            None if text == "none" => Ok(Self::None),
            Some(("master", separator)) if !separator.is_empty() => Ok(Self::Master(separator.to_owned())),
            _ => Err(format!("{text:?} is no way to impersonate: use \"authzid\", \"master:*\" or \"none\"")),
        }
    }
}

/// The one message of PLAIN (RFC 4616): logs in as `user`, acting as `authzid` if given.
pub fn plain(user: &str, authzid: Option<&str>, password: &Secret) -> String {
    format!("{}\0{user}\0{}", authzid.unwrap_or_default(), password.reveal())
}

/// Random text of letters and digits, for names and nonces that nobody can guess.
pub fn random_text(bytes: usize) -> Result<String, Error> {
    let mut random = vec![0; bytes];
    let failed = |_| Error::new(Cause::Internal, Scope::Run, "the system gives no random numbers");
    SystemRandom::new().fill(&mut random).map_err(failed)?;
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    Ok(random.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impersonation_is_one_of_three_words() {
        let read = |text: &str| Impersonate::try_from(text.to_owned());
        assert_eq!(read("authzid"), Ok(Impersonate::Authzid));
        assert_eq!(read("none"), Ok(Impersonate::None));
        assert_eq!(read("master:*"), Ok(Impersonate::Master("*".to_owned())));
        assert_eq!(read("master::"), Ok(Impersonate::Master(":".to_owned())));
        for bad in ["", "master", "master:", "Authzid", "proxy"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn plain_names_whose_store_is_meant() {
        let password = Secret::new("tanstaaftanstaaf");
        assert_eq!(plain("tim", None, &password), "\0tim\0tanstaaftanstaaf");
        assert_eq!(plain("Kurt", Some("Ursel"), &Secret::new("xipj3plmq")), "Ursel\0Kurt\0xipj3plmq");
    }
}
