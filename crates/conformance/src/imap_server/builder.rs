//! What a server is like, all the time.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, RwLock, atomic::AtomicU64},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{Account, ImapServer, Impersonation, Mechanism, Oddities, Offer, Offers, Refusal, Rule, Store, World};
use crate::certificates::{Certificates, Flaw};

/// How a server does TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// Not at all.
    #[default]
    None,
    /// By STARTTLS.
    ByCommand,
    /// From the connection's first byte on.
    FromTheStart,
}

/// What does not change while a server runs.
pub(super) struct Config {
    pub(super) greeting: String,
    pub(super) offers: Offers,
    pub(super) offers_before_login: Option<Offers>,
    pub(super) capability_in_greeting: bool,
    pub(super) capability_after_login: bool,
    pub(super) mechanisms: Vec<Mechanism>,
    pub(super) login_command: bool,
    pub(super) tls_by_command: bool,
    pub(super) tls_before_login: bool,
    pub(super) impersonation: Impersonation,
    pub(super) master_separator: Option<char>,
    pub(super) separator: Option<char>,
    pub(super) personal_prefix: String,
    pub(super) others_namespaces: Vec<(String, Option<char>)>,
    pub(super) shared_namespaces: Vec<(String, Option<char>)>,
    pub(super) folders: Vec<(String, Option<String>)>,
    pub(super) first_validity: u32,
    pub(super) append_limit: Option<u64>,
    pub(super) refusals: Vec<Refusal>,
    /// Keywords that are kept; all are when there is no such list.
    pub(super) keywords_kept: Option<Vec<String>>,
    pub(super) special_uses_taken: Vec<String>,
    pub(super) name_bytes_max: Option<usize>,
    pub(super) name_refused: Option<String>,
    pub(super) folders_max: Option<usize>,
    pub(super) quota_root_names_person: bool,
    pub(super) id: Vec<(String, String)>,
    pub(super) latency: Duration,
    pub(super) line_bytes_max: usize,
    pub(super) log_lines_max: usize,
    pub(super) odd: Oddities,
    pub(super) clock: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl Config {
    /// The mailbox of somebody new.
    pub(super) fn new_store(&self) -> Store {
        let mut store = Store::new(self.separator, self.first_validity);
        for (name, special_use) in &self.folders {
            if let Ok(folder) = store.create(name) {
                folder.special_use = special_use.iter().cloned().collect();
            }
        }
        store
    }
}

/// A server to be.
#[must_use]
pub struct ImapServerBuilder {
    config: Config,
    /// Name, password, may log in for others.
    users: Vec<(String, String, bool)>,
    tokens: HashMap<String, (String, u32)>,
    rules: Vec<Rule>,
    tls: Tls,
    flaw: Flaw,
    port: u16,
    threads: usize,
}

impl ImapServerBuilder {
    pub(super) fn new() -> Self {
        let all_uses = ["\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Important", "\\Junk", "\\Sent", "\\Trash"];
        let config = Config {
            greeting: "Test server".to_owned(),
            offers: Offers::everything(),
            offers_before_login: None,
            capability_in_greeting: true,
            capability_after_login: true,
            mechanisms: vec![Mechanism::Plain],
            login_command: true,
            tls_by_command: false,
            tls_before_login: false,
            impersonation: Impersonation::default(),
            master_separator: None,
            separator: Some('/'),
            personal_prefix: String::new(),
            others_namespaces: Vec::new(),
            shared_namespaces: Vec::new(),
            folders: Vec::new(),
            first_validity: 1_000,
            append_limit: None,
            refusals: Vec::new(),
            keywords_kept: None,
            special_uses_taken: all_uses.map(str::to_owned).to_vec(),
            name_bytes_max: None,
            name_refused: None,
            folders_max: None,
            quota_root_names_person: false,
            id: vec![("name".to_owned(), "test server".to_owned())],
            latency: Duration::ZERO,
            line_bytes_max: 1024 * 1024,
            log_lines_max: 100_000,
            odd: Oddities::default(),
            clock: Arc::new(|| {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
                since.as_secs() as i64
            }),
        };
        let (users, tokens, rules) = (Vec::new(), HashMap::new(), Vec::new());
        Self { config, users, tokens, rules, tls: Tls::None, flaw: Flaw::None, port: 0, threads: 1 }
    }

    /// What it offers; everything unless said otherwise.
    pub fn offers(mut self, offers: Offers) -> Self {
        self.config.offers = offers;
        self
    }

    /// What it announces before login; unless said otherwise only what matters then.
    pub fn offers_before_login(mut self, offers: Offers) -> Self {
        self.config.offers_before_login = Some(offers);
        self
    }

    /// Whether the greeting and the answer to a login tell the capabilities (both do unless said otherwise). Else a client
    /// has to ask.
    pub fn tells_capability(mut self, in_greeting: bool, after_login: bool) -> Self {
        self.config.capability_in_greeting = in_greeting;
        self.config.capability_after_login = after_login;
        self
    }

    /// Adds a person.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.users.push((name.to_owned(), password.to_owned(), false));
        self
    }

    /// Adds this many people, `u00001` and so on, all with this password.
    pub fn many_users(mut self, number: usize, password: &str) -> Self {
        self.users.extend((1..=number).map(|n| (format!("u{n:05}"), password.to_owned(), false)));
        self
    }

    /// Adds an administrator, who may log in for others and has a mailbox too.
    pub fn admin(mut self, name: &str, password: &str) -> Self {
        self.users.push((name.to_owned(), password.to_owned(), true));
        self
    }

    /// What becomes of a login in another's name.
    pub fn impersonation(mut self, impersonation: Impersonation) -> Self {
        self.config.impersonation = impersonation;
        self
    }

    /// Lets administrators log in as `person*admin` too, with this character between.
    pub fn master_separator(mut self, separator: char) -> Self {
        self.config.master_separator = Some(separator);
        self
    }

    /// SASL mechanisms, PLAIN unless said otherwise.
    pub fn mechanisms(mut self, mechanisms: &[Mechanism]) -> Self {
        self.config.mechanisms = mechanisms.to_vec();
        self
    }

    /// Makes a token good for a person, this many times.
    pub fn token(mut self, person: &str, token: &str, uses: u32) -> Self {
        self.tokens.insert(token.to_owned(), (person.to_owned(), uses));
        self
    }

    /// Refuses LOGIN.
    pub fn without_login_command(mut self) -> Self {
        self.config.login_command = false;
        self
    }

    /// Offers TLS.
    pub fn tls(mut self, tls: Tls, flaw: Flaw) -> Self {
        self.tls = tls;
        self.flaw = flaw;
        self
    }

    /// Lets nobody log in before TLS has begun.
    pub fn tls_before_login(mut self) -> Self {
        self.config.tls_before_login = true;
        self
    }

    /// The person's own namespace: what stands between names, `/` unless said otherwise, or nothing ever; and before them,
    /// nothing unless said otherwise.
    pub fn namespace(mut self, separator: Option<char>, prefix: &str) -> Self {
        self.config.separator = separator;
        prefix.clone_into(&mut self.config.personal_prefix);
        self
    }

    /// Tells of a namespace of other people's folders. What is in it a test puts into the person's own mailbox, under names
    /// with this prefix.
    pub fn others_namespace(mut self, prefix: &str) -> Self {
        self.config.others_namespaces.push((prefix.to_owned(), self.config.separator));
        self
    }

    /// The same for shared folders.
    pub fn shared_namespace(mut self, prefix: &str) -> Self {
        self.config.shared_namespaces.push((prefix.to_owned(), self.config.separator));
        self
    }

    /// Makes a folder for every new person, with what it is for.
    pub fn folder(mut self, name: &str, special_use: Option<&str>) -> Self {
        self.config.folders.push((name.to_owned(), special_use.map(str::to_owned)));
        self
    }

    /// As Gmail is: its folders, `X-GM-EXT-1`, no QRESYNC.
    pub fn gmail(self) -> Self {
        use Offer::{
            AppendLimit, Children, CompressDeflate, Condstore, Enable, Esearch, GmExt1, Id, Idle, ListExtended,
            ListStatus, LiteralMinus, Move, Namespace, SaslIr, SpecialUse, UidPlus, Unselect, Utf8Accept,
        };
        let offers = Offers::bare().with(&[
            AppendLimit,
            Children,
            CompressDeflate,
            Condstore,
            Enable,
            Esearch,
            GmExt1,
            Id,
            Idle,
            ListExtended,
            ListStatus,
            LiteralMinus,
            Move,
            Namespace,
            SaslIr,
            SpecialUse,
            UidPlus,
            Unselect,
            Utf8Accept,
        ]);
        let folders = [
            ("All Mail", "\\All"),
            ("Drafts", "\\Drafts"),
            ("Important", "\\Important"),
            ("Sent Mail", "\\Sent"),
            ("Spam", "\\Junk"),
            ("Starred", "\\Flagged"),
            ("Trash", "\\Trash"),
        ];
        let server = self.offers(offers).append_limit(35_651_584).mechanisms(&[
            Mechanism::Plain,
            Mechanism::Xoauth2,
            Mechanism::OauthBearer,
        ]);
        folders.into_iter().fold(server, |server, (name, use_)| server.folder(&format!("[Gmail]/{name}"), Some(use_)))
    }

    /// The first UIDVALIDITY that a mailbox gives.
    pub fn first_validity(mut self, uid_validity: u32) -> Self {
        self.config.first_validity = uid_validity;
        self
    }

    /// The most bytes that a message may have, and that APPENDLIMIT tells.
    pub fn append_limit(mut self, bytes: u64) -> Self {
        self.config.append_limit = Some(bytes);
        self
    }

    /// Messages that APPEND does not take.
    pub fn refuses(mut self, refusal: Refusal) -> Self {
        self.config.refusals.push(refusal);
        self
    }

    /// Keeps only these keywords and drops others without a word.
    pub fn keeps_keywords(mut self, keywords: &[&str]) -> Self {
        self.config.keywords_kept = Some(keywords.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    /// The uses that CREATE takes; all unless said otherwise.
    pub fn takes_special_uses(mut self, attributes: &[&str]) -> Self {
        self.config.special_uses_taken = attributes.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Refuses folder names longer than this, or with one of these characters.
    pub fn refuses_names(mut self, longer_than_bytes: Option<usize>, with: &str) -> Self {
        self.config.name_bytes_max = longer_than_bytes;
        self.config.name_refused = Some(with.to_owned()).filter(|with| !with.is_empty());
        self
    }

    /// The most folders that a person may have.
    pub fn folders_max(mut self, number: usize) -> Self {
        self.config.folders_max = Some(number);
        self
    }

    /// Names the quota root after the person, as some servers do; it tells one person's mailbox from another's.
    pub fn quota_root_names_person(mut self) -> Self {
        self.config.quota_root_names_person = true;
        self
    }

    /// What ID tells.
    pub fn id(mut self, fields: &[(&str, &str)]) -> Self {
        self.config.id = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self
    }

    /// Lets each command wait this long before it is carried out.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.config.latency = latency;
        self
    }

    /// The most bytes that a command's line may have.
    pub fn line_bytes_max(mut self, bytes: usize) -> Self {
        self.config.line_bytes_max = bytes;
        self
    }

    /// How many commands the log keeps; none for the heaviest loads.
    pub fn log_lines_max(mut self, lines: usize) -> Self {
        self.config.log_lines_max = lines;
        self
    }

    /// What it does oddly.
    pub fn odd(mut self, oddities: Oddities) -> Self {
        self.config.odd = oddities;
        self
    }

    /// A rule from the start on.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The time, in seconds since 1970; the system's unless said otherwise.
    pub fn clock(mut self, clock: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.config.clock = Arc::new(clock);
        self
    }

    /// Its port; a free one unless said otherwise.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// How many threads it works on, one unless said otherwise.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When the port it was given is taken.
    pub fn start(mut self) -> ImapServer {
        self.config.tls_by_command = self.tls == Tls::ByCommand;
        let accounts = self.users.iter().map(|(name, password, is_admin)| {
            (name.clone(), Arc::new(Account::new(name, password, *is_admin, self.config.new_store())))
        });
        let accounts = accounts.collect();
        let certificates = (self.tls != Tls::None).then(|| Certificates::new(self.flaw));
        let world = World {
            config: self.config,
            accounts: RwLock::new(accounts),
            rules: Mutex::new(self.rules),
            log: Mutex::new(VecDeque::new()),
            violations: Mutex::new(Vec::new()),
            tokens: Mutex::new(self.tokens),
            connections: AtomicU64::new(0),
            open: Mutex::new(BTreeSet::new()),
            nonces: AtomicU64::new(0),
        };
        ImapServer::start(world, self.tls, certificates, self.port, self.threads)
    }
}
