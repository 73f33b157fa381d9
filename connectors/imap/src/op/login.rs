//! Logging in: as whom, with what, by which mechanism.
//!
//! SCRAM-SHA-256 where offered, else PLAIN, else LOGIN; an access token by OAUTHBEARER or XOAUTH2. What of it other protocols
//! share is in `sasl`.

use std::sync::atomic::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use connector::{Account, Error, Secret};
use model::{Cause, Scope};
use sasl::{Scram, random_text};

use super::connect::{Line, ask_capabilities};
use super::token;
use crate::config::{Impersonate, Login, TokenSource};
use crate::endpoint::Endpoint;
use crate::map::refusal::{self, Doing};
use crate::wire::capability::Capabilities;
use crate::wire::command::{Command, Role};
use crate::wire::connection::{Connection, Sent, Tag};
use crate::wire::response::{Completion, Response};

/// As whom to log in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who<'a> {
    /// As a person of the project.
    Person(&'a Account),
    /// As the account that logs in for everyone, without impersonating anybody.
    Migrator,
    /// As the account that logs in for everyone, impersonating this name.
    Name(&'a str),
}

/// How a login shows who it is.
#[derive(Clone, Debug)]
enum Proof {
    Password(Secret),
    Token(TokenSource),
}

/// What is needed for a login.
#[derive(Clone, Debug)]
struct Credentials {
    user: String,
    /// The authorisation identity, when it is not that of the user.
    authzid: Option<String>,
    proof: Proof,
    /// Whose token, for a token's source.
    person: String,
}

impl Endpoint {
    /// Does opening this person's store mean impersonating them?
    pub(crate) fn impersonates(&self, account: &Account) -> bool {
        let is_theirs = |login: &Login| login.impersonate == Impersonate::None;
        account.password.is_none() && self.config.login.as_ref().is_some_and(|login| !is_theirs(login))
    }

    fn credentials(&self, who: Who<'_>) -> Result<Credentials, Error> {
        let refuse = |cause, what: String| Err(Error::new(cause, Scope::Mailbox, what));
        let place = self.config.address();
        if let Who::Person(Account { name, password: Some(password), .. }) = who {
            let proof = Proof::Password(password.clone());
            return Ok(Credentials { user: name.clone(), authzid: None, proof, person: name.clone() });
        }
        let Some(login) = &self.config.login else {
            let name = if let Who::Person(account) = who { account.name.as_str() } else { "anybody" };
            let what = format!(
                "cannot log in to {place} as {name}: no password is known for them; give one in people.csv, or an account \
                 that logs in for everyone (login)"
            );
            return refuse(Cause::Login, what);
        };
        let proof = match (&login.password, &login.token) {
            (Some(password), _) => Proof::Password(password.clone()),
            (None, Some(token)) => Proof::Token(token.clone()),
            (None, None) => {
                return refuse(Cause::Login, format!("login for {place} has neither a password nor a token"));
            }
        };
        let person = match who {
            Who::Person(account) => Some(account.name.as_str()),
            Who::Name(name) => Some(name),
            Who::Migrator => None,
        };
        let whose_token = person.unwrap_or(&login.user).to_owned();
        let of = |user: &str, authzid: Option<&str>| Credentials {
            user: user.to_owned(),
            authzid: authzid.map(str::to_owned),
            proof: proof.clone(),
            person: whose_token.clone(),
        };
        Ok(match (&login.impersonate, &proof, person) {
            (_, _, None) => of(&login.user, None),
            (Impersonate::Authzid, Proof::Password(_), Some(person)) => of(&login.user, Some(person)),
            (Impersonate::Master(separator), _, Some(person)) => {
                of(&format!("{person}{separator}{}", login.user), None)
            }
            // A token names nobody; the name beside it says whose store is meant.
            (Impersonate::Authzid | Impersonate::None, Proof::Token(_), Some(person)) => of(person, None),
            (Impersonate::None, Proof::Password(_), Some(person)) if person.eq_ignore_ascii_case(&login.user) => {
                of(&login.user, None)
            }
            (Impersonate::None, Proof::Password(_), Some(person)) => {
                let what = format!(
                    "{} can't open the store of {person} at {place}: login.impersonate is \"none\", so it opens only its \
                     own; set \"authzid\" or \"master:*\"",
                    login.user
                );
                return refuse(Cause::NotTheirStore, what);
            }
        })
    }

    /// A connection that is logged in.
    pub(crate) async fn open(&self, role: Role, who: Who<'_>) -> Result<Line, Error> {
        let credentials = self.credentials(who)?;
        let mut line = self.connect(role).await?;
        self.log_in(&mut line, &credentials).await?;
        self.compress(&mut line).await?;
        Ok(line)
    }

    /// Logs in on this line as this person; for `check`, which wants to see each step.
    pub(crate) async fn log_in_as(&self, line: &mut Line, who: Who<'_>) -> Result<(), Error> {
        self.log_in(line, &self.credentials(who)?).await
    }

    async fn log_in(&self, line: &mut Line, credentials: &Credentials) -> Result<(), Error> {
        let secret = match &credentials.proof {
            Proof::Password(password) => password.clone(),
            Proof::Token(source) => token::token(source, &credentials.person).await?,
        };
        let Some(refused) = self.try_to_log_in(line, credentials, &secret, true).await? else { return Ok(()) };
        // Once more, where the reason may lie with us: with a token that had just expired, or with a server that offers
        // SCRAM but keeps this password in a form that SCRAM can't use. The server may have closed the connection.
        let again = match &credentials.proof {
            Proof::Token(source) => {
                let fresh = token::token(source, &credentials.person).await?;
                (fresh != secret).then_some(fresh)
            }
            Proof::Password(_) => (refused.was_scram && may_send_password(&line.capabilities)).then_some(secret),
        };
        let Some(secret) = again.filter(|_| refused.error.cause == Cause::Login) else { return Err(refused.error) };
        let mut second = Err(refusal::closed());
        if line.connection.bye().is_none() {
            second = self.try_to_log_in(line, credentials, &secret, false).await;
        }
        if second.as_ref().is_err_and(|error| error.cause == Cause::Connection) {
            // The old connection goes first: there may be a place for one only.
            let role = line.connection.role();
            line.connection.cut();
            *line = self.connect(role).await?;
            second = self.try_to_log_in(line, credentials, &secret, false).await;
        }
        match second? {
            None => {
                if refused.was_scram {
                    self.scram_is_useless.store(true, Ordering::Relaxed);
                }
                Ok(())
            }
            Some(refused) => Err(refused.error),
        }
    }

    /// Tries to log in once; why it was refused, if it was.
    async fn try_to_log_in(
        &self,
        line: &mut Line,
        credentials: &Credentials,
        secret: &Secret,
        with_scram: bool,
    ) -> Result<Option<Refused>, Error> {
        let mut announced = Capabilities::default();
        let with_scram = with_scram && !self.scram_is_useless.load(Ordering::Relaxed);
        let mechanism = choose(&line.capabilities, credentials, with_scram)
            .ok_or_else(|| self.no_mechanism(&line.capabilities, credentials))?;
        let mut exchange = Exchange { line, announced: &mut announced };
        let completion = match mechanism {
            Mechanism::Scram => exchange.scram(credentials, secret).await,
            Mechanism::Plain => {
                let message = sasl::plain(&credentials.user, credentials.authzid.as_deref(), secret);
                exchange.in_one_message("PLAIN", &message, "").await
            }
            Mechanism::Login => exchange.login(credentials, secret).await,
            Mechanism::OauthBearer => {
                let (host, port) = (&self.config.host, self.config.port());
                let message = format!(
                    "n,a={},\x01host={host}\x01port={port}\x01auth=Bearer {}\x01\x01",
                    credentials.user.replace('=', "=3D").replace(',', "=2C"),
                    secret.reveal()
                );
                exchange.in_one_message("OAUTHBEARER", &message, "AQ==").await
            }
            Mechanism::Xoauth2 => {
                let message = format!("user={}\x01auth=Bearer {}\x01\x01", credentials.user, secret.reveal());
                exchange.in_one_message("XOAUTH2", &message, "").await
            }
        };
        let completion = completion.map_err(refusal::broken)?;
        if !completion.is_ok() {
            let error = refusal::refused(self.refused_words(credentials), &completion, Doing::Login);
            return Ok(Some(Refused { error, was_scram: mechanism == Mechanism::Scram }));
        }
        if completion.has("CAPABILITY") {
            announced = Capabilities::parse(crate::wire::token::Tokens::of_text(completion.arguments.as_bytes()));
        }
        if announced.is_empty() {
            announced = ask_capabilities(&mut line.connection).await?;
        }
        line.capabilities = announced;
        Ok(None)
    }

    fn refused_words(&self, credentials: &Credentials) -> String {
        let place = self.config.address();
        match &credentials.authzid {
            Some(person) => format!(
                "{place} refuses {} the store of {person}: either there is none of that name, or {} may not open it, or its \
                 password is wrong",
                credentials.user, credentials.user
            ),
            None => format!("{place} refuses the login of {}", credentials.user),
        }
    }

    fn no_mechanism(&self, capabilities: &Capabilities, credentials: &Credentials) -> Error {
        let place = self.config.address();
        let what = match (&credentials.proof, &credentials.authzid) {
            (Proof::Token(_), _) => {
                format!("{place} takes no access tokens (it offers neither OAUTHBEARER nor XOAUTH2)")
            }
            (Proof::Password(_), Some(_)) => format!(
                "{place} offers no mechanism that says whose store is meant (SCRAM-SHA-256 or PLAIN); if it knows master \
                 users, set login.impersonate = \"master:*\""
            ),
            (Proof::Password(_), None) if capabilities.has("LOGINDISABLED") => {
                format!(
                    "{place} takes no passwords on a connection without TLS: use tls = \"implicit\" or \"starttls\""
                )
            }
            (Proof::Password(_), None) => format!("{place} offers no mechanism that takes a password"),
        };
        Error::new(Cause::Login, Scope::Mailbox, what)
    }
}

struct Refused {
    error: Error,
    was_scram: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    Scram,
    Plain,
    Login,
    OauthBearer,
    Xoauth2,
}

/// May the password itself be sent? LOGINDISABLED counts before the login only: Cyrus announces it afterwards, too.
fn may_send_password(capabilities: &Capabilities) -> bool {
    capabilities.has("AUTH=PLAIN") || !capabilities.has("LOGINDISABLED")
}

fn choose(capabilities: &Capabilities, credentials: &Credentials, with_scram: bool) -> Option<Mechanism> {
    let first =
        |mechanisms: &[(bool, Mechanism)]| mechanisms.iter().find(|(is_offered, _)| *is_offered).map(|(_, m)| *m);
    match credentials.proof {
        Proof::Token(_) => first(&[
            (capabilities.has("AUTH=OAUTHBEARER"), Mechanism::OauthBearer),
            (capabilities.has("AUTH=XOAUTH2"), Mechanism::Xoauth2),
        ]),
        Proof::Password(_) => first(&[
            (with_scram && capabilities.has("AUTH=SCRAM-SHA-256"), Mechanism::Scram),
            (capabilities.has("AUTH=PLAIN"), Mechanism::Plain),
            (credentials.authzid.is_none() && !capabilities.has("LOGINDISABLED"), Mechanism::Login),
        ]),
    }
}

/// One login on a line.
struct Exchange<'l> {
    line: &'l mut Line,
    announced: &'l mut Capabilities,
}

impl Exchange<'_> {
    fn connection(&mut self) -> &mut Connection {
        &mut self.line.connection
    }

    /// Sends AUTHENTICATE with the first message; the completion, if the server ended it before that was sent.
    async fn begin(&mut self, mechanism: &str, first: &str) -> Result<(Tag, Option<Completion>), Error> {
        let first = STANDARD.encode(first);
        let command = Command::new("AUTHENTICATE").words(mechanism);
        if self.line.capabilities.has("SASL-IR") {
            let first = if first.is_empty() { "=" } else { &first };
            let tag = self.connection().queue(&command.words(first))?;
            self.connection().flush().await?;
            return Ok((tag, None));
        }
        let tag = self.connection().queue(&command)?;
        self.connection().flush().await?;
        let ended = self.connection().leave_to_go_on(tag).await?;
        if ended.is_none() {
            self.connection().reply(first.as_bytes()).await?;
        }
        Ok((tag, ended))
    }

    async fn end(&mut self, tag: Tag) -> Result<Completion, Error> {
        let announced = &mut *self.announced;
        let mut on = |response: &Response<'_>| {
            if let Some(tokens) = response.data("CAPABILITY") {
                *announced = Capabilities::parse(tokens);
            }
        };
        self.line.connection.wait_for(tag, &mut on).await
    }

    /// The server's next question, decoded; or the completion, if it ended the command.
    async fn question(&mut self, tag: Tag) -> Result<Result<String, Completion>, Error> {
        if let Some(completion) = self.connection().leave_to_go_on(tag).await? {
            return Ok(Err(completion));
        }
        let Response::Continue(text) = self.line.connection.response() else { return Ok(Ok(String::new())) };
        let bytes = STANDARD.decode(text).unwrap_or_default();
        Ok(Ok(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// A mechanism of one message. A server that asks on is telling why it refuses, and wants `when_asked` in answer.
    async fn in_one_message(&mut self, mechanism: &str, message: &str, when_asked: &str) -> Result<Completion, Error> {
        let (tag, ended) = self.begin(mechanism, message).await?;
        if let Some(completion) = ended {
            return Ok(completion);
        }
        loop {
            let mut is_asked = false;
            let announced = &mut *self.announced;
            let mut on = |response: &Response<'_>| match response {
                Response::Continue(_) => is_asked = true,
                other => {
                    if let Some(tokens) = other.data("CAPABILITY") {
                        *announced = Capabilities::parse(tokens);
                    }
                }
            };
            if let Some(completion) = self.line.connection.next_of(tag, &mut on).await? {
                return Ok(completion);
            }
            if is_asked {
                self.connection().reply(when_asked.as_bytes()).await?;
            }
        }
    }

    async fn login(&mut self, credentials: &Credentials, secret: &Secret) -> Result<Completion, Error> {
        let command = Command::new("LOGIN").string(credentials.user.as_bytes()).string(secret.reveal().as_bytes());
        let waits_for_no_leave = self.line.capabilities.has("LITERAL+") || self.line.capabilities.has("LITERAL-");
        match self.connection().send(&command, waits_for_no_leave).await? {
            Sent::Whole(tag) => self.end(tag).await,
            Sent::Ended(completion) => Ok(completion),
        }
    }

    async fn scram(&mut self, credentials: &Credentials, secret: &Secret) -> Result<Completion, Error> {
        let nonce = random_text(18)?;
        let mut scram = Scram::new(&credentials.user, credentials.authzid.as_deref(), secret.reveal(), nonce);
        let (tag, ended) = self.begin("SCRAM-SHA-256", &scram.first()).await?;
        if let Some(completion) = ended {
            return Ok(completion);
        }
        let server_first = match self.question(tag).await? {
            Ok(question) => question,
            Err(completion) => return Ok(completion),
        };
        // Thousands of rounds of hashing: not on the thread that serves other connections.
        let computed = tokio::task::spawn_blocking(move || {
            let last = scram.last(&server_first);
            (scram, last)
        });
        let stopped = |_| Error::new(Cause::Internal, Scope::Run, "computing a login was stopped");
        let (scram, last) = computed.await.map_err(stopped)?;
        let last = match last {
            Ok(last) => last,
            Err(why) => return self.cancel(tag, &why).await,
        };
        self.connection().reply(STANDARD.encode(last).as_bytes()).await?;
        // The server's proof comes as a question or with the end.
        let (proof, completion) = match self.question(tag).await? {
            Ok(proof) => {
                self.connection().reply(b"").await?;
                (Some(proof), self.end(tag).await?)
            }
            Err(completion) => (None, completion),
        };
        if !completion.is_ok() {
            return Ok(completion);
        }
        let checked = proof.ok_or_else(|| "it did not prove that it knows the password".to_owned());
        checked.and_then(|proof| scram.check(&proof)).map_err(|why| {
            let what = format!("the server took the login by SCRAM-SHA-256, but {why}: it may be another server");
            Error::new(Cause::Login, Scope::Connection, what)
        })?;
        Ok(completion)
    }

    async fn cancel(&mut self, tag: Tag, why: &str) -> Result<Completion, Error> {
        self.connection().reply(b"*").await?;
        self.end(tag).await?;
        let what = format!("the server's side of the login by SCRAM-SHA-256 is wrong: {why}");
        Err(Error::new(Cause::Login, Scope::Mailbox, what))
    }
}
