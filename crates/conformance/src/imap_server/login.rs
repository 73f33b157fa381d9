//! Who is it? STARTTLS, LOGIN, AUTHENTICATE, and what a connection learns about the server.

use std::{num::NonZeroU32, sync::Arc};

use ring::{digest, hmac, pbkdf2};
use tokio_rustls::TlsAcceptor;

use super::{
    Account,
    offer::Offer,
    parse::{Words, write_string},
    session::{Done, Fail, Session},
};
use crate::base64;

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// RFC 7677.
    ScramSha256,
    /// Google's and Microsoft's, before RFC 7628.
    Xoauth2,
    /// RFC 7628.
    OauthBearer,
}

impl Mechanism {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Xoauth2 => "XOAUTH2",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }
}

/// What becomes of a login in another's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Impersonation {
    /// An administrator gets into the mailbox asked for.
    #[default]
    Honoured,
    /// An administrator gets into its own mailbox, whatever name was asked for, even one that nobody has.
    Ignored,
    /// The same, but a name that nobody has is refused.
    IgnoredIfKnown,
    /// Every such login is refused.
    Refused,
}

/// How often SCRAM turns the password round: the least that RFC 7677 allows.
const SCRAM_ITERATIONS: u32 = 4096;

const WRONG: &str = "[AUTHENTICATIONFAILED] Wrong name or password";

impl Session {
    pub(super) async fn start_tls(&mut self, words: &Words<'_>, acceptor: Option<&TlsAcceptor>) -> Done {
        words.end()?;
        let acceptor = acceptor.filter(|_| self.world.config.tls_by_command && !self.in_tls);
        let acceptor = acceptor.ok_or(Fail::Bad("STARTTLS is not offered".to_owned()))?;
        // The answer goes in clear, and TLS begins right after it; so this command answers for itself.
        self.line(format!("{} OK Begin TLS now", self.tag));
        self.wire.send().await?;
        self.wire.start_tls(acceptor).await?;
        self.in_tls = true;
        Err(Fail::Answered)
    }

    pub(super) fn login(&mut self, words: &mut Words<'_>) -> Done {
        words.space()?;
        let name = words.astring()?;
        words.space()?;
        let password = words.astring()?;
        words.end()?;
        if !self.may_send_password() || !self.world.config.login_command {
            return Err(Fail::No("[PRIVACYREQUIRED] LOGIN is disabled".to_owned()));
        }
        let (name, password) = (String::from_utf8_lossy(&name), String::from_utf8_lossy(&password));
        // `person*master`, as Dovecot has it.
        let (person, login) = match self.world.config.master_separator.and_then(|s| name.split_once(s)) {
            Some((person, master)) => (person, master),
            None => ("", name.as_ref()),
        };
        self.check_password(person, login, &password)
    }

    pub(super) async fn authenticate(&mut self, words: &mut Words<'_>) -> Done {
        words.space()?;
        let name = words.keyword()?;
        let initial = if words.peek().is_some() {
            words.space()?;
            if !self.offers(Offer::SaslIr) {
                return Err(Fail::Bad("An initial response was not offered".to_owned()));
            }
            let text = words.run(|byte| byte > b' ')?;
            // A lone = is an empty one.
            Some(if text == b"=" { Vec::new() } else { decoded(text)? })
        } else {
            None
        };
        words.end()?;
        let mechanism = self.world.config.mechanisms.iter().copied().find(|known| known.name() == name);
        let mechanism = mechanism.filter(|_| self.may_send_password());
        let mechanism = mechanism.ok_or(Fail::No("[CANNOT] That mechanism is not offered".to_owned()))?;
        let first = match initial {
            Some(first) => first,
            None => self.challenge(b"").await?,
        };
        match mechanism {
            Mechanism::Plain => {
                let text = String::from_utf8_lossy(&first).into_owned();
                let parts: Vec<&str> = text.split('\0').collect();
                let [person, login, password] = parts[..] else {
                    return Err(Fail::Bad("Not three words of PLAIN".to_owned()));
                };
                self.check_password(person, login, password)
            }
            Mechanism::ScramSha256 => self.scram(&first).await,
            Mechanism::Xoauth2 => {
                // user=NAME^Aauth=Bearer TOKEN^A^A
                let text = String::from_utf8_lossy(&first).into_owned();
                let mut fields = text.split('\x01');
                let user = fields.next().and_then(|field| field.strip_prefix("user="));
                let token = fields.next().and_then(|field| field.strip_prefix("auth=Bearer "));
                self.check_token(user, token, b"{\"status\":\"400\",\"schemes\":\"Bearer\"}", b"").await
            }
            Mechanism::OauthBearer => {
                // n,a=NAME,^Ahost=…^Aport=…^Aauth=Bearer TOKEN^A^A
                let text = String::from_utf8_lossy(&first).into_owned();
                let mut fields = text.split('\x01');
                let user = fields.next().and_then(|header| header.strip_prefix("n,a=")?.strip_suffix(','));
                let token = fields.find_map(|field| field.strip_prefix("auth=Bearer "));
                self.check_token(user, token, b"{\"status\":\"invalid_token\"}", b"\x01").await
            }
        }
    }

    /// Asks the client to go on, and gives what it answers.
    async fn challenge(&mut self, text: &[u8]) -> Result<Vec<u8>, Fail> {
        self.line(format!("+ {}", base64::encode(text)));
        self.wire.send().await?;
        let Some((line, _)) = self.wire.line(self.world.config.line_bytes_max).await? else { return Err(Fail::Over) };
        if line == b"*" {
            return Err(Fail::GivenUp);
        }
        decoded(&line)
    }

    fn check_password(&mut self, person: &str, login: &str, password: &str) -> Done {
        let known = self.world.account(login).filter(|account| account.password_is(password));
        let known = known.ok_or(Fail::No(WRONG.to_owned()))?;
        self.enter(person, known)
    }

    /// Lets whoever proved to be `login` into the mailbox of `person`, or into its own when that is empty.
    fn enter(&mut self, person: &str, login: Arc<Account>) -> Done {
        if let Some(why) = login.locked() {
            return Err(Fail::No(why));
        }
        if person.is_empty() || person == login.name {
            return Ok(self.welcome(login));
        }
        let refused = || Fail::No("[AUTHORIZATIONFAILED] Not for that mailbox".to_owned());
        if !login.is_admin {
            return Err(refused());
        }
        let asked_for = self.world.account(person);
        match self.world.config.impersonation {
            Impersonation::Refused => Err(refused()),
            Impersonation::Ignored => Ok(self.welcome(login)),
            Impersonation::IgnoredIfKnown => asked_for.ok_or_else(refused).map(|_| self.welcome(login)),
            Impersonation::Honoured => {
                let account = asked_for.ok_or_else(refused)?;
                if let Some(why) = account.locked() {
                    return Err(Fail::No(why));
                }
                Ok(self.welcome(account))
            }
        }
    }

    fn welcome(&mut self, account: Arc<Account>) -> String {
        self.changes = Some(account.changes());
        self.account = Some(account);
        let code = if self.world.config.capability_after_login {
            format!("[CAPABILITY {}] ", self.capability())
        } else {
            String::new()
        };
        format!("{code}Welcome")
    }

    async fn scram(&mut self, first: &[u8]) -> Done {
        let wrong = || Fail::No(WRONG.to_owned());
        // n,a=PERSON,n=LOGIN,r=NONCE
        let first = String::from_utf8_lossy(first).into_owned();
        let header_end = first.match_indices(',').nth(1).ok_or_else(wrong)?.0 + 1;
        let (header, bare) = first.split_at(header_end);
        let person = header.split(',').nth(1).and_then(|field| field.strip_prefix("a=")).unwrap_or("");
        let login = attribute(bare, 'n').map(unescaped).ok_or_else(wrong)?;
        let client_nonce = attribute(bare, 'r').ok_or_else(wrong)?;
        let account = self.world.account(&login).ok_or_else(wrong)?;

        let salt = digest::digest(&digest::SHA256, login.as_bytes());
        let nonce = format!("{client_nonce}{}", self.world.nonce());
        let server_first = format!("r={nonce},s={},i={SCRAM_ITERATIONS}", base64::encode(salt.as_ref()));
        let last = self.challenge(server_first.as_bytes()).await?;
        let last = String::from_utf8_lossy(&last).into_owned();
        let (without_proof, proof) = last.rsplit_once(",p=").ok_or_else(wrong)?;
        let bound = attribute(without_proof, 'c') == Some(base64::encode(header.as_bytes()).as_str());
        if !bound || attribute(without_proof, 'r') != Some(nonce.as_str()) {
            return Err(wrong());
        }
        let mut salted = [0; 32];
        let iterations = NonZeroU32::new(SCRAM_ITERATIONS).ok_or_else(wrong)?;
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            salt.as_ref(),
            account.password().as_bytes(),
            &mut salted,
        );
        let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
        let client_key = sign(&salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let message = format!("{bare},{server_first},{without_proof}");
        let signature = sign(stored_key.as_ref(), message.as_bytes());
        let expected: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        if base64::decode(proof.as_bytes()) != Some(expected) {
            return Err(wrong());
        }
        let server_key = sign(&salted, b"Server Key");
        let verifier = base64::encode(sign(server_key.as_ref(), message.as_bytes()).as_ref());
        self.challenge(format!("v={verifier}").as_bytes()).await?;
        self.enter(&unescaped(person), account)
    }

    /// Lets in who holds a good token. A bad one gets `complaint`, to which the client says `last_word` before it hears NO.
    async fn check_token(
        &mut self,
        user: Option<&str>,
        token: Option<&str>,
        complaint: &[u8],
        last_word: &[u8],
    ) -> Done {
        let account = user.and_then(|user| self.world.account(user));
        let good = account.filter(|account| token.is_some_and(|token| self.world.token_is_good(&account.name, token)));
        if let Some(account) = good {
            return self.enter("", account);
        }
        let answer = self.challenge(complaint).await?;
        if answer != last_word {
            self.violation("AUTHENTICATE: the answer to the complaint about a token is another");
        }
        Err(Fail::No("[AUTHENTICATIONFAILED] Invalid token".to_owned()))
    }

    pub(super) fn id(&mut self, words: &mut Words<'_>) -> Done {
        words.space()?;
        if words.peek() == Some(b'(') {
            let pairs = words.list(Words::nstring)?;
            if !pairs.len().is_multiple_of(2) {
                return Err(Fail::Bad("ID wants pairs".to_owned()));
            }
        } else if words.keyword()? != "NIL" {
            return Err(Fail::Bad("ID wants a list or NIL".to_owned()));
        }
        words.end()?;
        let fields = self.world.config.id.clone();
        let text = fields.iter().flat_map(|(name, value)| [name, value]);
        let items: Vec<Vec<u8>> = text.map(|text| write_string(text.as_bytes(), false)).collect();
        let list = if items.is_empty() { b"NIL".to_vec() } else { self.spaced(&items) };
        self.line([b"* ID ", list.as_slice()].concat());
        Ok("Pleased to meet you".to_owned())
    }

    pub(super) fn enable(&mut self, words: &mut Words<'_>) -> Done {
        let mut enabled = String::new();
        while words.take(b' ') {
            let name = words.keyword()?;
            match name.as_str() {
                "CONDSTORE" if self.offers(Offer::Condstore) => self.enabled.condstore = true,
                "QRESYNC" if self.offers(Offer::Qresync) => {
                    self.enabled.qresync = true;
                    self.enabled.condstore = true;
                }
                "UTF8=ACCEPT" if self.offers(Offer::Utf8Accept) => self.enabled.utf8 = true,
                "IMAP4REV2" if self.offers(Offer::Imap4Rev2) => {
                    self.enabled.rev2 = true;
                    self.enabled.utf8 = true;
                }
                _ => continue,
            }
            enabled.push(' ');
            enabled.push_str(&name);
        }
        words.end()?;
        self.line(format!("* ENABLED{enabled}"));
        Ok("Enabled".to_owned())
    }

    pub(super) fn compress(&mut self, words: &mut Words<'_>) -> Done {
        words.space()?;
        let name = words.keyword()?;
        words.end()?;
        match name.as_str() {
            "DEFLATE" if self.compressed => Err(Fail::No("[COMPRESSIONACTIVE] Compressed already".to_owned())),
            "DEFLATE" => Ok("Compression begins".to_owned()),
            _ => Err(Fail::Bad("Only DEFLATE is offered".to_owned())),
        }
    }
}

fn decoded(text: &[u8]) -> Result<Vec<u8>, Fail> {
    base64::decode(text).ok_or(Fail::Bad("Not base64".to_owned()))
}

/// The value of an attribute of a SCRAM message.
fn attribute(message: &str, name: char) -> Option<&str> {
    message.split(',').find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
}

/// A name without the escapes of SCRAM.
fn unescaped(name: &str) -> String {
    name.replace("=2C", ",").replace("=3D", "=")
}
