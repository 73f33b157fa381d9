//! Looking: every server by itself, all at the same time.

use std::net::{IpAddr, SocketAddr};

use tokio::task::JoinSet;

use super::spf::LOOKUPS_MAX;
use super::{
    Autodiscover, DkimKey, Dmarc, Host, MailRoute, Mx, Observer, Seen, Spf, SpfCost, SpfTerm, Standing, View, Wanted,
};
use crate::Name;
use crate::dns::{Answer, Data, Failure, Outcome, Patience, RecordType, Resolver};

/// A zone has rarely more than 13 servers; more are not asked.
const SERVERS_MAX: usize = 16;
/// How far above a domain its zone, or its DMARC record, is looked for.
const PARENTS_MAX: usize = 8;

/// Who is asked, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The resolvers: each is asked everything.
    pub resolvers: Vec<SocketAddr>,
    /// How long each is waited for.
    pub patience: Patience,
    /// The port of the zone's own servers: 53, but for tests.
    pub authoritative_port: u16,
}

impl Look {
    /// These resolvers, with the usual patience.
    pub fn with(resolvers: Vec<SocketAddr>) -> Self {
        Self { resolvers, patience: Patience::default(), authoritative_port: 53 }
    }
}

/// What the DNS says now of a domain.
pub async fn look(look: &Look, wanted: &Wanted) -> Standing {
    let resolvers: Vec<_> = look.resolvers.iter().map(|server| Resolver::at(*server, look.patience)).collect();
    let (servers, authoritative_unknown) = authoritative(look, &resolvers, &wanted.domain).await;
    let mut tasks = JoinSet::new();
    let own = resolvers.iter().map(|resolver| (Observer::Resolver(resolver.server()), *resolver));
    for (index, (by, server)) in own.chain(servers).enumerate() {
        let eye = Eye { server, others: resolvers.clone() };
        let wanted = wanted.clone();
        tasks.spawn(async move { (index, eye.view(by, &wanted).await) });
    }
    let mut views = tasks.join_all().await;
    views.sort_by_key(|(index, _)| *index);
    let (ours, theirs): (Vec<_>, Vec<_>) =
        views.into_iter().map(|(_, view)| view).partition(|view| matches!(view.by, Observer::Resolver(_)));
    let mut wanted_hosts = Vec::new();
    for mx in &wanted.mx {
        wanted_hosts.push(host(&resolvers, &mx.exchange).await);
    }
    let mut spf_costs = Vec::new();
    for domain in spf_domains(ours.iter().chain(&theirs), &wanted.spf) {
        spf_costs.push(SpfCost { lookups: spf_lookups(&resolvers, &domain).await, domain });
    }
    Standing {
        spf_costs,
        domain: wanted.domain.clone(),
        resolvers: ours,
        authoritative: theirs,
        authoritative_unknown,
        wanted_hosts,
    }
}

/// The first resolver that says something.
async fn any(resolvers: &[Resolver], name: &Name, kind: RecordType) -> Result<Answer, String> {
    let mut why = "no resolver is given".to_owned();
    for resolver in resolvers {
        match resolver.lookup(name, kind).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => why = failure.to_string(),
        }
    }
    Err(why)
}

/// The domains that the records seen, and what is wanted in them, lead to.
fn spf_domains<'a>(views: impl Iterator<Item = &'a View>, wanted: &[String]) -> Vec<Name> {
    let seen = views.filter_map(|view| view.spf.known()).flat_map(Spf::terms).filter_map(SpfTerm::leads_to);
    let mut domains: Vec<Name> = seen.chain(wanted.iter().filter_map(|text| SpfTerm::parse(text).leads_to())).collect();
    domains.sort();
    domains.dedup();
    domains
}

/// How many look-ups a domain's SPF record needs. Each that leads on is read, as often as it is led to; records that lead to each
/// other in a circle end at one too many.
async fn spf_lookups(resolvers: &[Resolver], domain: &Name) -> Result<usize, String> {
    let (mut to_read, mut lookups) = (vec![domain.clone()], 0);
    while let Some(next) = to_read.pop() {
        let texts = texts_of(any(resolvers, &next, RecordType::Txt).await?.outcome)?;
        let spf = texts.known().and_then(|texts| Spf::parse(texts));
        for term in spf.iter().flat_map(Spf::terms).filter(|term| term.looks_up()) {
            lookups += 1;
            to_read.extend(term.leads_to());
        }
        if lookups > LOOKUPS_MAX {
            break;
        }
    }
    Ok(lookups)
}

/// The servers of the zone that the domain is in, with all their addresses, and why some are not known.
async fn authoritative(look: &Look, resolvers: &[Resolver], domain: &Name) -> (Vec<(Observer, Resolver)>, Vec<String>) {
    let (mut servers, mut unknown) = (Vec::new(), Vec::new());
    let names = match zone_servers(resolvers, domain).await {
        Ok(names) => names,
        Err(why) => return (servers, vec![format!("the servers of the zone of {domain} are not known: {why}")]),
    };
    for name in names.into_iter().take(SERVERS_MAX) {
        let addresses = match addresses(resolvers, &name).await {
            Ok((Some((addresses, _)), _)) => addresses,
            Ok((None, _)) => {
                unknown.push(format!("{name}, a server of the zone of {domain}, has no address"));
                continue;
            }
            Err(why) => {
                unknown.push(format!("the address of {name}, a server of the zone of {domain}, is not known: {why}"));
                continue;
            }
        };
        // Where there is no way to IPv6 the server's IPv4 address says the same.
        let address = |ip: IpAddr| SocketAddr::new(ip, look.authoritative_port);
        let reached: Vec<_> =
            addresses.into_iter().map(address).filter(|address| address.is_ipv4() || has_way(*address)).collect();
        if reached.is_empty() {
            unknown.push(format!(
                "{name}, a server of the zone of {domain}, has IPv6 only, and there is no way to it from here"
            ));
        }
        for address in reached {
            let by = Observer::Authoritative { name: name.clone(), address };
            servers.push((by, Resolver::authoritative(address, look.patience)));
        }
    }
    servers.truncate(SERVERS_MAX);
    (servers, unknown)
}

/// Does this machine have a route to there? Nothing is sent: connecting a UDP socket only looks the route up.
fn has_way(address: SocketAddr) -> bool {
    let socket = std::net::UdpSocket::bind((std::net::Ipv6Addr::UNSPECIFIED, 0));
    socket.and_then(|socket| socket.connect(address)).is_ok()
}

async fn zone_servers(resolvers: &[Resolver], domain: &Name) -> Result<Vec<Name>, String> {
    let mut at = domain.clone();
    for _ in 0..PARENTS_MAX {
        if let Outcome::Found { records, .. } = any(resolvers, &at, RecordType::Ns).await?.outcome {
            let names = records.into_iter().filter_map(|data| match data {
                Data::Ns(name) => Some(name),
                _ => None,
            });
            return Ok(names.collect());
        }
        match at.parent().filter(|parent| !parent.is_root()) {
            Some(parent) => at = parent,
            None => break,
        }
    }
    Err("no zone above it has any".to_owned())
}

type Addresses = Option<(Vec<IpAddr>, u32)>;

/// The addresses of a host, and what it is an alias of.
async fn addresses(resolvers: &[Resolver], name: &Name) -> Result<(Addresses, Option<Name>), String> {
    let four = any(resolvers, name, RecordType::A).await?;
    let six = any(resolvers, name, RecordType::Aaaa).await?;
    let alias = four.aliases.last().or(six.aliases.last()).cloned();
    Ok((together(&four.outcome, &six.outcome), alias))
}

fn together(four: &Outcome, six: &Outcome) -> Addresses {
    let mut all = Vec::new();
    let mut ttl = u32::MAX;
    for outcome in [four, six] {
        if let Outcome::Found { records, ttl_seconds } = outcome {
            ttl = ttl.min(*ttl_seconds);
            all.extend(records.iter().filter_map(|data| match data {
                Data::A(address) => Some(IpAddr::from(*address)),
                Data::Aaaa(address) => Some(IpAddr::from(*address)),
                _ => None,
            }));
        }
    }
    all.sort();
    (!all.is_empty()).then_some((all, ttl))
}

async fn host(resolvers: &[Resolver], name: &Name) -> Host {
    let (addresses, alias_of) = match addresses(resolvers, name).await {
        Ok((Some((value, ttl_seconds)), alias)) => (Seen::Known { value, ttl_seconds }, alias),
        Ok((None, alias)) => (Seen::Absent { ttl_seconds: None }, alias),
        Err(why) => (Seen::Unknown(why), None),
    };
    Host { name: name.clone(), addresses, alias_of }
}

/// One server, and the resolvers that say where its aliases lead when it does not.
struct Eye {
    server: Resolver,
    others: Vec<Resolver>,
}

impl Eye {
    async fn view(&self, by: Observer, wanted: &Wanted) -> View {
        let domain = &wanted.domain;
        let mail = or_unknown(self.mail(domain).await);
        // One that was silent all the time for the first question is not waited for again and again.
        if let Seen::Unknown(why) = &mail {
            let dkim = wanted.dkim.iter().map(|key| (key.selector.clone(), Seen::Unknown(why.clone()))).collect();
            let (spf, dmarc) = (Seen::Unknown(why.clone()), Seen::Unknown(why.clone()));
            return View { by, spf, dkim, dmarc, autodiscover: Seen::Unknown(why.clone()), mail };
        }
        let spf = or_unknown(self.texts(domain).await.map(|seen| read(seen, |texts| Spf::parse(&texts))));
        let mut dkim = Vec::new();
        for key in &wanted.dkim {
            dkim.push((key.selector.clone(), or_unknown(self.dkim(domain, &key.selector).await)));
        }
        let dmarc = or_unknown(self.dmarc(domain).await);
        let autodiscover = or_unknown(self.autodiscover(domain).await);
        View { by, mail, spf, dkim, dmarc, autodiscover }
    }

    async fn ask(&self, name: &Name, kind: RecordType) -> Result<Outcome, String> {
        let answer = self.server.lookup(name, kind).await.map_err(|failure: Failure| failure.to_string())?;
        match answer.outcome {
            Outcome::Elsewhere(target) => any(&self.others, &target, kind).await.map(|answer| answer.outcome),
            outcome => Ok(outcome),
        }
    }

    async fn mail(&self, domain: &Name) -> Result<Seen<MailRoute>, String> {
        let (records, ttl_seconds) = match self.ask(domain, RecordType::Mx).await? {
            Outcome::Found { records, ttl_seconds } => (records, ttl_seconds),
            Outcome::NoName { ttl_seconds } => {
                return Ok(absent_route(MailRoute::NoDomain, ttl_seconds));
            }
            Outcome::NoData { ttl_seconds } => {
                let four = self.ask(domain, RecordType::A).await?;
                let six = self.ask(domain, RecordType::Aaaa).await?;
                // That there is no MX record may be kept for so long, whatever the addresses' own time is.
                let route = together(&four, &six).map_or(MailRoute::Nothing, |(all, _)| MailRoute::OwnAddress(all));
                return Ok(absent_route(route, ttl_seconds));
            }
            Outcome::Elsewhere(target) => return Err(format!("where {target} leads is not known")),
        };
        let mut mx: Vec<Mx> = records
            .into_iter()
            .filter_map(|data| match data {
                Data::Mx { preference, exchange } => Some(Mx { preference, exchange }),
                _ => None,
            })
            .collect();
        mx.sort();
        mx.dedup();
        // RFC 7505 §3: it stands alone. Beside others it is a host that nobody finds.
        let value = if matches!(mx.as_slice(), [only] if only.exchange.is_root()) {
            MailRoute::NullMx
        } else {
            MailRoute::Mx(mx)
        };
        Ok(Seen::Known { value, ttl_seconds })
    }

    async fn texts(&self, name: &Name) -> Result<Seen<Vec<Vec<u8>>>, String> {
        texts_of(self.ask(name, RecordType::Txt).await?)
    }

    async fn dkim(&self, domain: &Name, selector: &str) -> Result<Seen<DkimKey>, String> {
        let name = domain.below(&format!("{selector}._domainkey")).map_err(|error| error.to_string())?;
        Ok(read(self.texts(&name).await?, |texts| DkimKey::parse(&texts)))
    }

    /// RFC 7489 §6.6.3 goes to the organisation's domain, by a list of those under which anyone may register. Here the next
    /// one above that has a record counts.
    async fn dmarc(&self, domain: &Name) -> Result<Seen<Dmarc>, String> {
        let mut at = domain.clone();
        let mut first_ttl = None;
        for step in 0..PARENTS_MAX {
            let name = at.below("_dmarc").map_err(|error| error.to_string())?;
            let is_above = step > 0;
            let texts = match self.texts(&name).await {
                // What stands above is often in another zone, for which this server does not answer.
                Err(_) if is_above && !self.others.contains(&self.server) => {
                    texts_of(any(&self.others, &name, RecordType::Txt).await?.outcome)?
                }
                texts => texts?,
            };
            let found = read(texts, |texts| Dmarc::parse(&texts, &at, is_above));
            if let Seen::Absent { ttl_seconds } = found {
                first_ttl = if is_above { first_ttl } else { ttl_seconds };
            } else {
                return Ok(found);
            }
            match at.parent().filter(|parent| parent.depth() > 1) {
                Some(parent) => at = parent,
                None => break,
            }
        }
        Ok(Seen::Absent { ttl_seconds: first_ttl })
    }

    async fn autodiscover(&self, domain: &Name) -> Result<Seen<Autodiscover>, String> {
        let name = domain.below("autodiscover").map_err(|error| error.to_string())?;
        let service = domain.below("_autodiscover._tcp").map_err(|error| error.to_string())?;
        let mut found = Autodiscover::default();
        let mut ttl = u32::MAX;
        match self.ask(&name, RecordType::Cname).await? {
            Outcome::Found { records, ttl_seconds } => {
                ttl = ttl_seconds;
                found.alias = records.into_iter().find_map(|data| match data {
                    Data::Cname(name) => Some(name),
                    _ => None,
                });
            }
            _ => {
                let four = self.ask(&name, RecordType::A).await?;
                let six = self.ask(&name, RecordType::Aaaa).await?;
                if let Some((addresses, ttl_seconds)) = together(&four, &six) {
                    ttl = ttl_seconds;
                    found.addresses = addresses;
                }
            }
        }
        if let Outcome::Found { records, ttl_seconds } = self.ask(&service, RecordType::Srv).await? {
            ttl = ttl.min(ttl_seconds);
            let mut services: Vec<_> = records
                .into_iter()
                .filter_map(|data| match data {
                    Data::Srv { priority, weight, port, target } => Some((priority, u16::MAX - weight, target, port)),
                    _ => None,
                })
                .collect();
            services.sort();
            found.services = services.into_iter().map(|(_, _, target, port)| (target, port)).collect();
        }
        let nothing = found == Autodiscover::default();
        Ok(if nothing { Seen::Absent { ttl_seconds: None } } else { Seen::Known { value: found, ttl_seconds: ttl } })
    }
}

fn texts_of(outcome: Outcome) -> Result<Seen<Vec<Vec<u8>>>, String> {
    Ok(match outcome {
        Outcome::Found { records, ttl_seconds } => {
            let texts = records.into_iter().filter_map(|data| match data {
                Data::Txt(text) => Some(text),
                _ => None,
            });
            Seen::Known { value: texts.collect(), ttl_seconds }
        }
        Outcome::NoData { ttl_seconds } | Outcome::NoName { ttl_seconds } => Seen::Absent { ttl_seconds },
        Outcome::Elsewhere(target) => return Err(format!("where {target} leads is not known")),
    })
}

/// A route that is there for want of MX records: it is kept for as long as their absence. A server that does not say how long
/// gives nothing to keep (RFC 2308 §5).
fn absent_route(value: MailRoute, ttl_seconds: Option<u32>) -> Seen<MailRoute> {
    Seen::Known { value, ttl_seconds: ttl_seconds.unwrap_or(0) }
}

fn or_unknown<T>(seen: Result<Seen<T>, String>) -> Seen<T> {
    seen.unwrap_or_else(Seen::Unknown)
}

/// What the value is read as; not there, when it is none.
fn read<T, U>(seen: Seen<T>, as_what: impl FnOnce(T) -> Option<U>) -> Seen<U> {
    match seen {
        Seen::Known { value, ttl_seconds } => match as_what(value) {
            Some(value) => Seen::Known { value, ttl_seconds },
            None => Seen::Absent { ttl_seconds: Some(ttl_seconds) },
        },
        Seen::Absent { ttl_seconds } => Seen::Absent { ttl_seconds },
        Seen::Unknown(why) => Seen::Unknown(why),
    }
}
