//! Logging in: as whom, with what, by which mechanism; and whose scripts are reached then.

use std::sync::atomic::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use connector::{Account, Error, Secret};
use model::{Cause, Scope};
use sasl::{Impersonate, Scram};

use super::connect::Line;
use crate::endpoint::Endpoint;
use crate::refusal;
use crate::wire::answer::Answer;
use crate::wire::capability::Capabilities;
use crate::wire::command::Command;

/// How a login is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Scram,
    Plain,
}

/// What is needed for a login.
#[derive(Clone, Debug)]
struct Credentials {
    user: String,
    /// The authorisation identity, when it is not that of the user.
    authzid: Option<String>,
    password: Secret,
    /// Somebody else's password opens this person's scripts.
    impersonates: bool,
}

impl Endpoint {
    fn credentials(&self, name: &str, own: Option<&Secret>) -> Result<Credentials, Error> {
        let refuse = |cause, what: String| Err(Error::new(cause, Scope::Mailbox, what));
        let place = self.config.address();
        let of = |user: &str, authzid: Option<&str>, password: &Secret, impersonates| {
            // PLAIN ends names by NUL, and takes an empty one for nobody's in particular: it would be somebody else's login.
            let is_odd = |text: &str| text.is_empty() || text.contains('\0');
            if is_odd(name) || is_odd(user) || is_odd(password.reveal()) {
                return refuse(
                    Cause::Login,
                    format!("cannot log in to {place}: a name or a password is empty or holds a NUL"),
                );
            }
            let authzid = authzid.map(str::to_owned);
            Ok(Credentials { user: user.to_owned(), authzid, password: password.clone(), impersonates })
        };
        if let Some(password) = own {
            return of(name, None, password, false);
        }
        let Some(login) = &self.config.login else {
            let what = format!(
                "cannot log in to {place} as {name}: no password is known for them; give one, or an account that logs in for \
                 everyone (login)"
            );
            return refuse(Cause::Login, what);
        };
        let Some(password) = &login.password else {
            return refuse(Cause::Login, format!("login for {place} has no password"));
        };
        match &login.impersonate {
            Impersonate::Authzid => of(&login.user, Some(name), password, true),
            Impersonate::Master(separator) => of(&format!("{name}{separator}{}", login.user), None, password, true),
            Impersonate::None if name.eq_ignore_ascii_case(&login.user) => of(name, None, password, false),
            Impersonate::None => {
                let what = format!(
                    "{} can't open the scripts of {name} at {place}: login.impersonate is \"none\", so it opens only its own; set \
                     \"authzid\" or \"master:*\"",
                    login.user
                );
                refuse(Cause::NotTheirStore, what)
            }
        }
    }

    /// A connection that is logged in, and has reached this person's scripts.
    pub(crate) async fn open(&self, account: &Account) -> Result<Line, Error> {
        let credentials = self.credentials(&account.name, account.password.as_ref())?;
        let mut line = self.connect().await?;
        let mechanism = self.log_in(&mut line, &credentials, None).await?;
        let nobody = &self.nobody_is_refused[mechanism as usize];
        // That nobody is refused tells something only where somebody was let in by the same way.
        if credentials.impersonates && !nobody.initialized() {
            drop(line);
            nobody.get_or_try_init(|| self.try_nobody(&account.name, mechanism)).await?;
            line = self.connect().await?;
            self.log_in(&mut line, &credentials, Some(mechanism)).await?;
        }
        self.prove_owner(&line, &account.name)?;
        Ok(line)
    }

    /// Whoever is let in under a name that nobody has, reaches scripts that are not those of the name asked for: the server leaves that
    /// name out of account. Then nothing may be written for anybody.
    async fn try_nobody(&self, somebody: &str, mechanism: Mechanism) -> Result<(), Error> {
        let domain = somebody.rsplit_once('@').map(|(_, domain)| format!("@{domain}")).unwrap_or_default();
        let nobody = format!("whimbrel-no-such-{}{domain}", sasl::random_text(8)?);
        let credentials = self.credentials(&nobody, None)?;
        let mut line = self.connect().await?;
        match self.log_in(&mut line, &credentials, Some(mechanism)).await {
            Err(error) if error.cause == Cause::Login => Ok(()),
            Err(error) => Err(error),
            // Cyrus lets an administrator in under any name, and says whose scripts were reached.
            Ok(_) if line.capabilities.value("OWNER").is_some_and(|owner| is_name_of(owner, &nobody)) => Ok(()),
            Ok(_) => {
                let what = format!(
                    "{} lets the account that logs in for everyone in under a name that nobody has, so there is no telling whose \
                     scripts it reaches: check login.impersonate and the server's settings for it",
                    self.config.address()
                );
                Err(Error::new(Cause::NotTheirStore, Scope::Run, what))
            }
        }
    }

    /// Where the server says whose scripts were reached (OWNER, RFC 5804 section 1.7), they are this person's.
    fn prove_owner(&self, line: &Line, name: &str) -> Result<(), Error> {
        let Some(owner) = line.capabilities.value("OWNER").filter(|owner| !is_name_of(owner, name)) else {
            return Ok(());
        };
        let place = self.config.address();
        let what = format!("the login for {name} at {place} reached the scripts of {owner}: nothing was written");
        Err(Error::new(Cause::NotTheirStore, Scope::Mailbox, what))
    }

    /// Logs in by whichever mechanism works, or by this one only; by which it was.
    async fn log_in(
        &self,
        line: &mut Line,
        credentials: &Credentials,
        only: Option<Mechanism>,
    ) -> Result<Mechanism, Error> {
        let offers =
            |name: &str, mechanism| line.capabilities.lists("SASL", name) && only.is_none_or(|only| only == mechanism);
        let has_scram = offers("SCRAM-SHA-256", Mechanism::Scram);
        let has_plain = offers("PLAIN", Mechanism::Plain);
        let mut sent = Vec::new();
        let mut refused = None;
        if has_scram && !(has_plain && self.scram_is_useless.load(Ordering::Relaxed)) {
            let answer = scram(line, credentials).await?;
            if answer.is_ok() {
                self.ask_capabilities(line).await?;
                return Ok(Mechanism::Scram);
            }
            // A server may offer SCRAM and keep this password in a form that SCRAM can't use.
            refused = Some(answer);
        }
        if has_plain && refused.as_ref().is_none_or(|answer| answer.status == crate::wire::answer::Status::No) {
            let message = sasl::plain(&credentials.user, credentials.authzid.as_deref(), &credentials.password);
            let message = STANDARD.encode(message);
            let command = Command::new("AUTHENTICATE").string(b"PLAIN").string(message.as_bytes());
            sent.push(message);
            line.connection.send(&command.bytes()).await?;
            let answer = line.connection.answer().await?;
            if answer.is_ok() {
                if refused.is_some() {
                    self.scram_is_useless.store(true, Ordering::Relaxed);
                }
                self.ask_capabilities(line).await?;
                return Ok(Mechanism::Plain);
            }
            refused = Some(answer);
        }
        let place = self.config.address();
        let Some(answer) = refused else {
            let what = format!(
                "{place} offers no mechanism that we log in by (SCRAM-SHA-256, PLAIN): servers offer PLAIN only where the \
                 connection has TLS (tls = \"starttls\")"
            );
            return Err(Error::new(Cause::Login, Scope::Run, what));
        };
        let what = match &credentials.authzid {
            Some(person) => format!(
                "{place} refuses {} the scripts of {person}: either there is nobody of that name, or {} may not open them, or its \
                 password is wrong",
                credentials.user, credentials.user
            ),
            None => format!("{place} refuses the login of {}", credentials.user),
        };
        Err(refusal::without(refusal::refused(what, &answer, Cause::Login), &credentials.password, &sent))
    }

    /// Some capabilities are told after the login only.
    async fn ask_capabilities(&self, line: &mut Line) -> Result<(), Error> {
        line.connection.send(&Command::new("CAPABILITY").bytes()).await?;
        let answer = line.connection.answer().await?;
        if !answer.is_ok() {
            let what = format!("{} does not say what it can do", self.config.address());
            return Err(refusal::refused(what, &answer, Cause::Protocol));
        }
        line.capabilities = Capabilities::of(&answer);
        Ok(())
    }
}

/// Is this what a server calls whoever has this name? Some leave the domain out, or put theirs to it.
fn is_name_of(owner: &str, name: &str) -> bool {
    let local = |name: &str| name.rsplit_once('@').map(|(local, _)| local.to_ascii_lowercase());
    let (owner, name) = (owner.to_lowercase(), name.to_lowercase());
    owner == name
        || local(&owner).is_some_and(|local| local == name)
        || local(&name).is_some_and(|local| local == owner)
}

async fn scram(line: &mut Line, credentials: &Credentials) -> Result<Answer, Error> {
    let nonce = sasl::random_text(18)?;
    let (user, authzid) = (&credentials.user, credentials.authzid.as_deref());
    let mut scram = Scram::new(user, authzid, credentials.password.reveal(), nonce);
    let first = STANDARD.encode(scram.first());
    let command = Command::new("AUTHENTICATE").string(b"SCRAM-SHA-256").string(first.as_bytes());
    line.connection.send(&command.bytes()).await?;
    let server_first = match line.connection.question().await? {
        Ok(question) => decode(&question),
        Err(answer) if answer.is_ok() => {
            let what =
                "the server took the login by SCRAM-SHA-256 before it had proved to know the password".to_owned();
            return Err(Error::new(Cause::Protocol, Scope::Connection, what));
        }
        Err(answer) => return Ok(answer),
    };
    let is_refusal = server_first.starts_with("e=");
    // Thousands of rounds of hashing: not on the thread that serves other connections.
    let computed = tokio::task::spawn_blocking(move || {
        let last = scram.last(&server_first);
        (scram, last)
    });
    let stopped = |_| Error::new(Cause::Internal, Scope::Run, "computing a login was stopped");
    let (scram, last) = computed.await.map_err(stopped)?;
    let last = match last {
        Ok(last) => last,
        Err(why) => {
            line.connection.send(&Command::new("").string(b"*").bytes()).await?;
            line.connection.answer().await?;
            let what = format!("the server's side of the login by SCRAM-SHA-256 is wrong: {why}");
            let cause = if is_refusal { Cause::Login } else { Cause::Protocol };
            return Err(Error::new(cause, Scope::Mailbox, what));
        }
    };
    line.connection.send(&Command::new("").string(STANDARD.encode(last).as_bytes()).bytes()).await?;
    // The server's proof comes as a question, or in the code of its last word (RFC 5804 section 2.1).
    let (proof, answer) = match line.connection.question().await? {
        Ok(proof) => {
            line.connection.send(&Command::new("").string(b"").bytes()).await?;
            (Some(decode(&proof)), line.connection.answer().await?)
        }
        Err(answer) => {
            let proof = answer.code_text.as_deref().filter(|_| answer.has_code("SASL"));
            (proof.map(|proof| decode(proof.as_bytes())), answer)
        }
    };
    if answer.is_ok() {
        let checked = proof.ok_or_else(|| "it did not prove that it knows the password".to_owned());
        checked.and_then(|proof| scram.check(&proof)).map_err(|why| {
            let what = format!("the server took the login by SCRAM-SHA-256, but {why}: it may be another server");
            // Not a refusal of the login: whoever has not proved to know the password has not looked at ours either.
            Error::new(Cause::Protocol, Scope::Connection, what)
        })?;
    }
    Ok(answer)
}

fn decode(text: &[u8]) -> String {
    String::from_utf8_lossy(&STANDARD.decode(text).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_login_cannot_carry_are_refused() {
        let endpoint = Endpoint::new(crate::config::Config::new("mail.test"));
        let own = Secret::new("pw");
        assert!(endpoint.credentials("ann@a.test", Some(&own)).is_ok());
        for (name, password) in [("", "pw"), ("ann\0bob", "pw"), ("ann", ""), ("ann", "p\0w")] {
            let refused = endpoint.credentials(name, Some(&Secret::new(password)));
            assert_eq!(refused.unwrap_err().cause, Cause::Login, "{name:?}");
        }
    }

    #[test]
    fn owners_are_told_by_their_names() {
        for (owner, name, is) in [
            ("ann@a.test", "ann@a.test", true),
            ("Ann@A.test", "ann@a.test", true),
            ("ann", "ann@a.test", true),
            ("ann@a.test", "ann", true),
            ("migrator", "ann", false),
            ("ann@b.test", "ann@a.test", false),
            ("", "ann", false),
        ] {
            assert_eq!(is_name_of(owner, name), is, "{owner} {name}");
        }
    }
}
