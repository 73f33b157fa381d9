//! The directories of both sites: who is in them, and how each site's Postfix reads its own.

use std::{collections::BTreeSet, ops::RangeInclusive};

use conformance::servers::{Ldif, PostfixSiteBuilder, SambaAd, Slapd};

use super::{
    LOCAL, NATIVE, name, new, old,
    post::{LOCAL_LIST, NATIONAL_LIST, local_members, national_members},
};

/// Where the target's people are.
pub(super) const ACCOUNTS: &str = "ou=people,dc=example,dc=test";
/// And its lists.
pub(super) const GROUPS: &str = "ou=groups,dc=example,dc=test";

/// An attribute that sends mail on, as directories of Netscape's line have it.
const SCHEMA: &str = "\
attributetype ( 2.16.840.1.113730.3.1.17 NAME 'mailForwardingAddress' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
objectclass ( 1.3.6.1.4.1.4203.666.901.101 NAME 'mailForwarder' SUP top AUXILIARY MAY ( mailForwardingAddress $ proxyAddresses ) )
";

/// The source's directory, with these people and a list.
pub(super) fn active_directory(numbers: RangeInclusive<usize>) -> Option<SambaAd> {
    let ad = SambaAd::start()?;
    let mut changes = Ldif::new();
    for number in numbers.clone() {
        let (name, mail) = (name(number), old(number));
        let smtp = format!("SMTP:{mail}");
        let values: [(&str, &[u8]); 6] = [
            ("objectClass", b"user"),
            // It can be used, and needs no password.
            ("userAccountControl", b"544"),
            ("sAMAccountName", name.as_bytes()),
            ("userPrincipalName", mail.as_bytes()),
            ("mail", mail.as_bytes()),
            ("proxyAddresses", smtp.as_bytes()),
        ];
        changes = changes.add(&person_dn(number), &values);
    }
    let smtp = format!("SMTP:{NATIVE}");
    let contact = format!("CN=native,{}", SambaAd::ELSEWHERE);
    let values: [(&str, &[u8]); 4] = [
        ("objectClass", b"contact"),
        ("mail", NATIVE.as_bytes()),
        ("targetAddress", smtp.as_bytes()),
        ("proxyAddresses", smtp.as_bytes()),
    ];
    changes = changes.add(&contact, &values);
    let members: Vec<String> = local_members(*numbers.end()).map(person_dn).chain([contact]).collect();
    let smtp = format!("SMTP:{LOCAL_LIST}");
    let mut values: Vec<(&str, &[u8])> = vec![
        ("objectClass", b"group"),
        ("sAMAccountName", b"ward"),
        ("mail", LOCAL_LIST.as_bytes()),
        ("proxyAddresses", smtp.as_bytes()),
    ];
    values.extend(members.iter().map(|member| ("member", member.as_bytes())));
    ad.apply(&changes.add(&format!("CN=ward,{}", SambaAd::ELSEWHERE), &values));
    Some(ad)
}

fn person_dn(number: usize) -> String {
    format!("CN={},{}", name(number), SambaAd::STAFF)
}

fn account_dn(name: &str) -> String {
    format!("uid={name},{ACCOUNTS}")
}

/// The target's directory, with accounts for these people, somebody of its own, and a list.
pub(super) fn openldap(numbers: RangeInclusive<usize>) -> Option<Slapd> {
    let slapd = Slapd::start_with_schema(SCHEMA, "index mailForwardingAddress,proxyAddresses eq")?;
    let mut changes = Ldif::new();
    let people = *numbers.end();
    let accounts = numbers.map(|number| (name(number), new(number)));
    for (name, mail) in accounts.chain([("native".to_owned(), NATIVE.to_owned())]) {
        let values: [(&str, &[u8]); 6] = [
            ("objectClass", b"inetOrgPerson"),
            ("objectClass", b"mailForwarder"),
            ("uid", name.as_bytes()),
            ("cn", name.as_bytes()),
            ("sn", name.as_bytes()),
            ("mail", mail.as_bytes()),
        ];
        changes = changes.add(&account_dn(&name), &values);
    }
    // Some are in it by their account, others by their address at the source.
    let (accounts, addresses) = national_members(people);
    slapd.apply(&list(changes, "team", NATIONAL_LIST, &accounts, &addresses));
    Some(slapd)
}

fn list(changes: Ldif, name: &str, mail: &str, accounts: &[String], addresses: &[String]) -> Ldif {
    let accounts: Vec<String> = accounts.iter().map(|name| account_dn(name)).collect();
    let mut values: Vec<(&str, &[u8])> = vec![
        ("objectClass", b"groupOfNames"),
        ("objectClass", b"mailRecipientOfTests"),
        ("cn", name.as_bytes()),
        ("mail", mail.as_bytes()),
    ];
    values.extend(accounts.iter().map(|dn| ("member", dn.as_bytes())));
    values.extend(addresses.iter().map(|address| ("memberByMail", address.as_bytes())));
    changes.add(&format!("cn={name},{GROUPS}"), &values)
}

/// Whose account has their address at the source.
pub(super) fn with_old_address(slapd: &Slapd, numbers: RangeInclusive<usize>) -> BTreeSet<usize> {
    let records = slapd.search(ACCOUNTS, "(proxyAddresses=*)", &["mail", "proxyAddresses"]);
    let has = |number: &usize| {
        let (mail, address) = (new(*number), format!("smtp:{}", old(*number)));
        let own = records.iter().find(|record| record.texts("mail") == [mail.as_str()]);
        own.is_some_and(|record| record.texts("proxyAddresses").iter().any(|text| text.eq_ignore_ascii_case(&address)))
    };
    numbers.filter(has).collect()
}

/// The source's list is made on the target.
pub(super) fn take_over_list(slapd: &Slapd, people: usize) {
    let members: Vec<String> = local_members(people).map(name).chain(["native".to_owned()]).collect();
    slapd.apply(&list(Ldif::new(), "ward", LOCAL_LIST, &members, &[]));
}

/// The target takes mail for the source's domain.
pub(super) fn take_over_domain(slapd: &Slapd) {
    let domain: [(&str, &[u8]); 4] = [
        ("objectClass", b"domain"),
        ("objectClass", b"domainRelatedObject"),
        ("dc", b"hill"),
        ("associatedDomain", LOCAL.as_bytes()),
    ];
    slapd.apply(&Ldif::new().add("dc=hill,ou=elsewhere,dc=example,dc=test", &domain));
}

/// Postfix asks Active Directory who there is, where each one's mail goes, and who is on a list.
pub(super) fn read_ad(site: PostfixSiteBuilder, ad: &SambaAd) -> PostfixSiteBuilder {
    let map = |base: &str, filter: &str, rest: &str| {
        format!(
            "server_host = ldaps://{}\nversion = 3\ntls_ca_cert_file = {{etc}}/ad-ca.pem\ntls_require_cert = yes\nbind = yes\n\
             bind_dn = {}\nbind_pw = {}\nsearch_base = {base}\nscope = sub\nquery_filter = {filter}\n{rest}\n",
            ad.host(),
            SambaAd::ADMIN,
            SambaAd::ADMIN_PASSWORD
        )
    };
    let person = "(&(objectClass=user)(proxyAddresses=smtp:%s))";
    let members = "special_result_attribute = member\nleaf_result_attribute = mail";
    site.needs("postfix-ldap")
        .file("people.cf", &map(SambaAd::STAFF, person, "result_attribute = mail"))
        .file("targets.cf", &map(SambaAd::STAFF, person, "result_attribute = targetAddress"))
        .file("lists.cf", &map(SambaAd::ELSEWHERE, "(&(objectClass=group)(proxyAddresses=smtp:%s))", members))
        .settings(
            "virtual_mailbox_maps = proxy:ldap:{etc}/people.cf\n\
             virtual_alias_maps = pipemap:{proxy:ldap:{etc}/targets.cf,regexp:{etc}/without-smtp}, proxy:ldap:{etc}/lists.cf\n\
             proxy_read_maps = proxy:ldap:{etc}/people.cf, proxy:ldap:{etc}/targets.cf, proxy:ldap:{etc}/lists.cf",
        )
}

/// The same of OpenLDAP, where one address may stand for another, too, and where it is said which domains there are.
pub(super) fn read_openldap(site: PostfixSiteBuilder, slapd: &Slapd) -> PostfixSiteBuilder {
    let map = |base: &str, filter: &str, rest: &str| {
        format!(
            "server_host = ldap://127.0.0.1:{}\nversion = 3\nbind = no\nsearch_base = {base}\nscope = sub\n\
             query_filter = {filter}\n{rest}\n",
            slapd.port()
        )
    };
    let members = "special_result_attribute = member\nleaf_result_attribute = mail\nresult_attribute = memberByMail";
    site.needs("postfix-ldap")
        .file("people.cf", &map(ACCOUNTS, "(mail=%s)", "result_attribute = mail"))
        .file("forwards.cf", &map(ACCOUNTS, "(mail=%s)", "result_attribute = mailForwardingAddress"))
        .file("legacy.cf", &map(ACCOUNTS, "(proxyAddresses=smtp:%s)", "result_attribute = mail"))
        .file("lists.cf", &map(GROUPS, "(mail=%s)", members))
        .file("domains.cf", &map("dc=example,dc=test", "(associatedDomain=%s)", "result_attribute = associatedDomain"))
        .settings(
            "virtual_mailbox_maps = proxy:ldap:{etc}/people.cf\nvirtual_alias_domains = proxy:ldap:{etc}/domains.cf\n\
             virtual_alias_maps = proxy:ldap:{etc}/forwards.cf, proxy:ldap:{etc}/legacy.cf, proxy:ldap:{etc}/lists.cf\n\
             proxy_read_maps = proxy:ldap:{etc}/people.cf, proxy:ldap:{etc}/domains.cf, proxy:ldap:{etc}/forwards.cf, \
             proxy:ldap:{etc}/legacy.cf, proxy:ldap:{etc}/lists.cf",
        )
}
