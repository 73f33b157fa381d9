//! Two real sites and the world outside. At the source Postfix and Dovecot, with people in Active Directory, which that Postfix reads;
//! at the target Postfix and Cyrus, with people in OpenLDAP, which this one reads. Mail goes by SMTP wherever the MX records in Knot lead,
//! each server at an address of its own.
//!
//! The target refuses what fails SPF or DMARC, from any address but the source's: what the source sends on keeps its sender, so it
//! would be refused by itself. That is what docs/switch.md calls a trusted relay.

mod directories;
mod judge;
mod post;

use std::{collections::BTreeSet, fmt::Write, fs, os::unix::fs::PermissionsExt, thread, time::Duration};

use conformance::{
    post::SmtpSink,
    proxy::Proxy,
    servers::{Cyrus, DkimKey, Dovecot, Format, Knot, OpenDkim, OpenDmarc, PostfixSite, SambaAd, Slapd, free_network},
    talk::Talk,
};

use serde_json::Value;

pub use self::{
    judge::{Found, Side},
    post::{LISTS, OUTSIDE, Origin, Outsider, Sent, Writer},
};
use crate::{
    judge as judging,
    project::{Endpoint, Project},
    store::{MIGRATOR, PASSWORD},
};

/// The domain of the source.
pub const LOCAL: &str = "hill.test";
/// The domain of the target.
pub const NATIONAL: &str = "nation.test";
/// Somebody who has always been at the target.
pub const NATIVE: &str = "native@nation.test";
/// The name of the target's mail server, by which it marks what it has checked.
const CHECKER: &str = "mx.nation.test";

/// Both sites, and the world outside.
pub struct Estate {
    people: usize,
    network: String,
    dns: Knot,
    ad: SambaAd,
    openldap: Slapd,
    line: Proxy,
    dovecot: Dovecot,
    cyrus: Cyrus,
    local: PostfixSite,
    national: PostfixSite,
    outside: PostfixSite,
    sink: SmtpSink,
    key: DkimKey,
    _milters: (OpenDkim, OpenDkim, OpenDmarc),
}

/// The name of the person of this number.
pub fn name(number: usize) -> String {
    format!("p{number:02}")
}

/// Somebody's address at the source.
pub fn old(number: usize) -> String {
    format!("{}@{LOCAL}", name(number))
}

/// Somebody's address at the target.
pub fn new(number: usize) -> String {
    format!("{}@{NATIONAL}", name(number))
}

/// How far away the target's directory is: between two changes of where somebody's mail goes there is time for mail to come.
const FAR: Duration = Duration::from_millis(100);

/// Each server's address: the last part of it.
#[derive(Clone, Copy)]
enum At {
    Dns = 1,
    Local = 2,
    National = 3,
    Sink = 4,
    /// The first of those outside.
    Outside = 5,
}

fn address(network: &str, at: At) -> String {
    format!("{network}.{}", at as u8)
}

impl Estate {
    /// Starts all of it, with this many people. None when a package is missing, or the tests don't run as root.
    pub fn start(people: usize) -> Option<Self> {
        let network = free_network();
        let at = |at| address(&network, at);
        let key = DkimKey::make()?;
        let zones = post::zones(&network, &key, false);
        let zones: Vec<(&str, &str)> = zones.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let dns = Knot::start_at(&at(At::Dns), &zones)?;
        let sink = SmtpSink::start_at(&at(At::Sink), 25);
        let numbers = 1..=people;
        let (ad, openldap, dovecot, cyrus) = thread::scope(|scope| {
            let ad = scope.spawn(|| directories::active_directory(numbers.clone()));
            let openldap = scope.spawn(|| directories::openldap(numbers.clone()));
            let dovecot = scope.spawn(|| {
                let names: Vec<String> = numbers.clone().map(old).collect();
                let builder = Dovecot::builder().format(Format::Maildir).master(MIGRATOR, PASSWORD);
                builder.users(names.iter().map(|name| (name.as_str(), PASSWORD))).sieve(1).start()
            });
            let cyrus = scope.spawn(|| {
                let names: Vec<String> = numbers.clone().map(new).chain([NATIVE.to_owned()]).collect();
                let builder = Cyrus::builder().admin(&format!("{MIGRATOR}@{NATIONAL}"), PASSWORD).sieve(1);
                builder.extra("autocreate_post: yes").users(names.iter().map(|name| (name.as_str(), PASSWORD))).start()
            });
            Some((ad.join().ok()??, openldap.join().ok()??, dovecot.join().ok()??, cyrus.join().ok()??))
        })?;
        let milters = (
            OpenDkim::signer(&at(At::Dns), &key, &post::signing())?,
            OpenDkim::checker(&at(At::Dns), CHECKER)?,
            OpenDmarc::start(&at(At::Dns), CHECKER, &[&at(At::Local)])?,
        );
        let local = Self::site(LOCAL, "mail", &network, At::Local)
            .file("ad-ca.pem", &fs::read_to_string(ad.ca_file()).expect("it is there"))
            .file("late", "/^X-Late:/ HOLD\n")
            .settings("header_checks = regexp:{etc}/late")
            .file("without-smtp", "/^smtp:(.*)$/ $1\n");
        let local = directories::read_ad(local, &ad)
            .settings(&format!("virtual_transport = lmtp:inet:127.0.0.1:{}", dovecot.lmtp_port()))
            .services(&format!(
                "{}:25 inet n - n - - smtpd -o smtpd_recipient_restrictions=reject_unauth_destination\n",
                at(At::Local)
            ))
            .start()?;
        let national = Self::site(NATIONAL, "mx", &network, At::National)
            .file("trusted", &format!("{} OK\n", at(At::Local)))
            .file(
                "policyd-spf.conf",
                &format!(
                    "debugLevel = 1\nTestOnly = 1\nHELO_reject = Fail\nMail_From_reject = Fail\nPermError_reject = False\n\
                     TempError_Defer = True\nskip_addresses = 192.0.2.1\nHeader_Type = AR\nAuthserv_Id = {CHECKER}\n"
                ),
            );
        let national = directories::read_openldap(national, &openldap)
            .settings(&format!(
                "virtual_transport = lmtp:inet:127.0.0.1:{}\npolicyd-spf_time_limit = 3600\n\
                 outside_restrictions = reject_unauth_destination, check_client_access texthash:{{etc}}/trusted, \
                 check_policy_service unix:private/policyd-spf",
                cyrus.lmtp_port()
            ))
            .services(&format!(
                "{}:25 inet n - n - 6 smtpd -o smtpd_recipient_restrictions=$outside_restrictions \
                 -o smtpd_milters={},{}\npolicyd-spf unix - n n - 0 spawn user=nobody argv=/usr/bin/policyd-spf \
                 {{etc}}/policyd-spf.conf\n",
                at(At::National),
                milters.1.name(),
                milters.2.name(),
            ))
            .needs_program("/usr/bin/policyd-spf", "postfix-policyd-spf-python")
            .start()?;
        let outside = Self::outside(&network, &milters.0)?;
        let line = Proxy::to(openldap.port()).latency(FAR).start();
        let estate = Self {
            people,
            network,
            dns,
            ad,
            openldap,
            line,
            dovecot,
            cyrus,
            local,
            national,
            outside,
            sink,
            key,
            _milters: milters,
        };
        Some(estate)
    }

    /// What the Postfixes have in common.
    fn site(domain: &str, host: &str, network: &str, at: At) -> conformance::servers::PostfixSiteBuilder {
        let own = address(network, at);
        PostfixSite::builder(domain, 0).resolver(&address(network, At::Dns)).settings(&format!(
            "myhostname = {host}.{domain}\nproxy_interfaces = {own}\nmynetworks = 127.0.0.1/32\nsmtp_bind_address = {own}\n\
             smtpd_peername_lookup = no\nnotify_classes =\nvirtual_mailbox_domains = {domain}"
        ))
    }

    /// A Postfix by which everybody outside sends, each domain from an address of its own.
    fn outside(network: &str, signer: &OpenDkim) -> Option<PostfixSite> {
        let (mut ways, mut services) = (String::new(), String::new());
        for (index, outsider) in OUTSIDE.iter().enumerate() {
            let _ = writeln!(ways, "@{} smtp-{index}:", outsider.domain);
            let _ = writeln!(
                services,
                "smtp-{index} unix - - n - - smtp -o smtp_bind_address={network}.{} -o smtp_helo_name=out.{}",
                At::Outside as usize + index,
                outsider.domain
            );
        }
        PostfixSite::builder("out.test", 0)
            .resolver(&address(network, At::Dns))
            .file("ways", &ways)
            .settings(&format!(
                "mynetworks = 127.0.0.1/32\nsmtpd_peername_lookup = no\nnotify_classes =\n\
                 sender_dependent_default_transport_maps = texthash:{{etc}}/ways\nsmtpd_milters = {}",
                signer.name()
            ))
            .services(&services)
            .start()
    }

    /// The project that moves these people, with routers on both sides, these lines at the top and these about the switch.
    pub fn project(&self, top: &str, switch: &str) -> Project {
        let ldap = |kind: &str, place: &str, user: &str, password: &str| {
            format!("kind = \"{kind}\"\n{place}\nuser = \"{user}\"\npassword = {{ file = \"{password}\" }}\n")
        };
        let at_ad = format!("host = \"{}\"\nca_file = \"{}\"", self.ad.host(), self.ad.ca_file().display());
        let at_openldap = format!("host = \"127.0.0.1\"\nport = {}\ntls = \"none\"", self.line.port());
        let ad = ldap("active-directory", &at_ad, SambaAd::ADMIN, "ad.password");
        let openldap = ldap("ldap", &at_openldap, Slapd::ADMIN, "openldap.password");
        let lines = format!(
            "{top}\n\
             [directories.ad]\n{ad}bases = [\"{staff}\", \"{elsewhere}\"]\n\
             [directories.platform]\n{openldap}bases = [\"{accounts}\", \"{groups}\"]\n\
             [directories.platform.attributes]\norigin = [\"migrationOrigin\"]\nmembers = [\"member\", \"memberByMail\"]\n\
             [directories.platform.write]\nbase = \"{accounts}\"\nmail_members = \"memberByMail\"\n\
             [people]\nsources = [\"ad\"]\nplatform = \"platform\"\ndomain = \"{NATIONAL}\"\n\
             [routers.local]\nendpoint = \"local\"\n{ad}bases = [\"{staff}\"]\nsender = \"trusted-relay\"\n\
             [routers.national]\nendpoint = \"national\"\n{openldap}bases = [\"{accounts}\"]\nsender = \"trusted-relay\"\n\
             [routing.source]\ndomains = [\"{LOCAL}\"]\nenforces_spf = false\nenforces_dmarc = false\ntrusts_other = true\n\
             [routing.target]\ndomains = [\"{NATIONAL}\"]\ntrusts_other = true\n\
             [switch]\n{switch}\n\
             [mx]\nresolvers = [\"{dns}\"]\n[mx.domains.\"{LOCAL}\"]\nmx = [\"10 {CHECKER}\"]\nlocal_hosts = [\"mail.{LOCAL}\"]\n",
            staff = SambaAd::STAFF,
            elsewhere = SambaAd::ELSEWHERE,
            accounts = directories::ACCOUNTS,
            groups = directories::GROUPS,
            dns = address(&self.network, At::Dns),
        );
        let source = Endpoint::imap(self.dovecot.port()).login(MIGRATOR, PASSWORD, "master:*");
        let target = Endpoint::imap(self.cyrus.port()).login(&format!("{MIGRATOR}@{NATIONAL}"), PASSWORD, "authzid");
        let mut project = Project::new(source, target).with(&lines);
        for number in 1..=self.people {
            project = project.row(&format!("{},{}", old(number), new(number)));
        }
        for (name, password) in [("ad.password", SambaAd::ADMIN_PASSWORD), ("openldap.password", Slapd::ADMIN_PASSWORD)]
        {
            let file = project.path().join(name);
            fs::write(&file, password).expect("the project can be written");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("the project can be written");
        }
        project
    }

    /// How each side is opened by the person of this number: as an IMAP client, with a password of their own.
    pub fn client(&self, number: usize, side: Side) -> Talk {
        let (port, name) = self.at(number, side);
        Talk::login(port, &name, PASSWORD)
    }

    /// A side of the person of this number, for the independent judge.
    pub fn judged(&self, number: usize, side: Side) -> judging::Side {
        let (port, name) = self.at(number, side);
        judging::Side::imap(port, &name, PASSWORD)
    }

    /// The port of a side's store and the name of the person of this number there; 0 is somebody who has always been at the target.
    fn at(&self, number: usize, side: Side) -> (u16, String) {
        match (number, side) {
            (0, _) => (self.cyrus.port(), NATIVE.to_owned()),
            (_, Side::Source) => (self.dovecot.port(), old(number)),
            (_, Side::Target) => (self.cyrus.port(), new(number)),
        }
    }

    /// Whose account on the target has their address at the source: the switch puts it on, an undo takes it off.
    pub fn with_old_address(&self) -> BTreeSet<usize> {
        directories::with_old_address(&self.openldap, 1..=self.people)
    }

    /// The list of the source's domain is made at the target.
    pub fn take_over_list(&self) {
        directories::take_over_list(&self.openldap, self.people);
    }

    /// The administrators bring the source's domain to the target, whose list is there: once no mail for it is in the target's queue,
    /// since that mail was looked up before and would be sent back. People's own addresses are there by their switches.
    pub fn take_over_domain(&self) {
        let is_for_domain = |line: &String| {
            let message: Value = serde_json::from_str(line).unwrap_or_default();
            let recipients = message["recipients"].as_array().map(Vec::as_slice).unwrap_or_default();
            let addresses = recipients.iter().filter_map(|recipient| recipient["address"].as_str());
            addresses.into_iter().any(|address| address.ends_with(&format!("@{LOCAL}")))
        };
        while self.national.queue().iter().any(is_for_domain) {
            thread::sleep(Duration::from_millis(100));
        }
        directories::take_over_domain(&self.openldap);
    }

    /// The MX records of the source's domain lead to the target from now on.
    pub fn move_mx(&self) {
        for (zone, text) in post::zones(&self.network, &self.key, true) {
            if zone == LOCAL {
                self.dns.reload(zone, &text);
            }
        }
    }
}
