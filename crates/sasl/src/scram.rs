//! SCRAM-SHA-256 (RFC 5802, RFC 7677), the client's side, without channel binding.
//!
//! The server never learns the password, and has to prove that it knows it too.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

/// Fewer rounds than this make the password easy to guess for whoever listens (RFC 7677 section 4).
const ROUNDS_MIN: u32 = 4096;

/// More rounds than this are an attempt to keep us busy.
const ROUNDS_MAX: u32 = 5_000_000;

/// One exchange.
pub struct Scram {
    gs2_header: String,
    first_bare: String,
    nonce: String,
    password: String,
    expected_signature: Option<Vec<u8>>,
}

/// Nothing that is secret, or that a secret could be guessed from.
impl std::fmt::Debug for Scram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scram").finish_non_exhaustive()
    }
}

impl Scram {
    /// An exchange that logs in as `user`, acting as `authzid` if given. The nonce is fresh random text.
    pub fn new(user: &str, authzid: Option<&str>, password: &str, nonce: String) -> Self {
        let gs2_header = match authzid {
            Some(authzid) => format!("n,a={},", escape(&prepare(authzid))),
            None => "n,,".to_owned(),
        };
        let first_bare = format!("n={},r={nonce}", escape(&prepare(user)));
        Self { gs2_header, first_bare, nonce, password: prepare(password), expected_signature: None }
    }

    /// The client's first message.
    pub fn first(&self) -> String {
        format!("{}{}", self.gs2_header, self.first_bare)
    }

    /// The client's last message, in answer to the server's first; or what is wrong with that.
    pub fn last(&mut self, server_first: &str) -> Result<String, String> {
        let (mut nonce, mut salt, mut rounds) = (None, None, None);
        for attribute in server_first.split(',') {
            match attribute.split_once('=') {
                Some(("r", value)) => nonce = Some(value),
                Some(("s", value)) => salt = STANDARD.decode(value).ok(),
                Some(("i", value)) => rounds = value.parse::<u32>().ok(),
                Some(("m", _)) => return Err("it asks for an extension that is not known".to_owned()),
                Some(("e", reason)) => return Err(format!("it refused: {reason}")),
                _ => {}
            }
        }
        let (Some(nonce), Some(salt), Some(rounds)) = (nonce, salt, rounds) else {
            return Err("its message lacks the nonce, the salt or the rounds".to_owned());
        };
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("it did not add to our nonce".to_owned());
        }
        if !(ROUNDS_MIN..=ROUNDS_MAX).contains(&rounds) {
            return Err(format!("it asks for {rounds} rounds; between {ROUNDS_MIN} and {ROUNDS_MAX} are accepted"));
        }
        let mut salted = [0; digest::SHA256_OUTPUT_LEN];
        let rounds = NonZeroU32::new(rounds).ok_or("it asks for no rounds")?;
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, self.password.as_bytes(), &mut salted);
        let client_key = mac(&salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(&self.gs2_header));
        let message = format!("{},{server_first},{without_proof}", self.first_bare);
        let signature = mac(stored_key.as_ref(), message.as_bytes());
        let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server_key = mac(&salted, b"Server Key");
        self.expected_signature = Some(mac(server_key.as_ref(), message.as_bytes()).as_ref().to_vec());
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof)))
    }

    /// Whether the server's last message proves that it knows the password.
    pub fn check(&self, server_last: &str) -> Result<(), String> {
        let signature = server_last.split(',').find_map(|attribute| attribute.strip_prefix("v="));
        let signature = signature.and_then(|text| STANDARD.decode(text).ok());
        match (&self.expected_signature, signature) {
            (Some(expected), Some(signature)) if *expected == signature => Ok(()),
            _ => Err("it did not prove that it knows the password".to_owned()),
        }
    }
}

fn mac(key: &[u8], message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message)
}

/// SASLprep (RFC 4013); text that it forbids is sent as it is, and the server decides.
fn prepare(text: &str) -> String {
    stringprep::saslprep(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Scram {
        Scram::new("user", None, "pencil", "rOprNGfwEbeRWgbNEkqO".to_owned())
    }

    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn the_example_of_rfc_7677() {
        let mut scram = example();
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        assert_eq!(
            scram.last(SERVER_FIRST).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(scram.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        assert!(scram.check("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").is_err());
        assert!(scram.check("e=invalid-proof").is_err());
    }

    #[test]
    fn no_password_is_shown() {
        let mut scram = example();
        scram.last(SERVER_FIRST).unwrap();
        assert!(!format!("{scram:?}").contains("pencil"));
    }

    #[test]
    fn a_server_that_has_proved_nothing_is_refused() {
        assert!(example().check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").is_err());
    }

    #[test]
    fn names_are_escaped_and_the_authorisation_identity_is_sent() {
        let scram = Scram::new("a=b,c", Some("alice,x"), "p", "n".to_owned());
        assert_eq!(scram.first(), "n,a=alice=2Cx,n=a=3Db=2Cc,r=n");
    }

    #[test]
    fn messages_that_weaken_the_exchange_are_refused() {
        for bad in [
            "",
            "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4294967295",
            "r=rOprNGfwEbeRWgbNEkqOx,s=!,i=4096",
            "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "e=unknown-user",
        ] {
            assert!(example().last(bad).is_err(), "{bad:?}");
        }
    }
}
