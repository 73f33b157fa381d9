//! What every connector must do, done by the IMAP connector on real servers, and on the server in memory with everything
//! and with nothing but RFC 3501.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use conformance::{
    imap_server::{ImapServer, Oddities, Offer, Offers},
    proxy::{After, Point, Proxy, Trap},
    servers::{Cyrus, Dovecot, Format},
    suite::{Break, Fixture},
};
use connector::{Account, Connector, Secret};
use imap::{Config, ImapConnector, Impersonate, Login, Tls};
use journeys::store::{MIGRATOR, PASSWORD};

/// People that there are on each server; no test needs more.
const PEOPLE: usize = 4;

/// A server with empty mailboxes, reached by the migrator. It runs as long as this value is there.
struct Server<S> {
    _running: S,
    port: u16,
    /// What follows each name.
    domain: &'static str,
    given: AtomicUsize,
    /// What breaks connections, as long as they are used.
    proxies: Mutex<Vec<Proxy>>,
}

impl<S> Server<S> {
    fn new(running: S, port: u16, domain: &'static str) -> Self {
        Self { _running: running, port, domain, given: AtomicUsize::new(0), proxies: Mutex::default() }
    }

    fn connector_to(&self, port: u16) -> Arc<dyn Connector> {
        let mut config = Config::new("127.0.0.1");
        config.port = Some(port);
        config.tls = Tls::None;
        config.login = Some(Login {
            user: format!("{MIGRATOR}{}", self.domain),
            password: Some(Secret::new(PASSWORD)),
            token: None,
            impersonate: Impersonate::Authzid,
        });
        Arc::new(ImapConnector::new(config).unwrap())
    }
}

#[async_trait]
impl<S: Send + Sync> Fixture for Server<S> {
    fn connector(&self) -> Arc<dyn Connector> {
        self.connector_to(self.port)
    }

    async fn mailbox(&self) -> Account {
        let number = self.given.fetch_add(1, Ordering::SeqCst);
        assert!(number < PEOPLE, "a test of the suite needs more people");
        Account::named(format!("person{number}{}", self.domain))
    }

    fn breaking_at_a_move(&self, when: Break) -> Arc<dyn Connector> {
        let proxy = Proxy::to(self.port).imap().start();
        let point = match when {
            // Not before the line end: Dovecot does not wait for that.
            Break::BeforeEffect => Point::Begun,
            Break::BeforeAnswer => Point::Answered,
        };
        proxy.set(Trap::on("UID MOVE", point), || After::Cut);
        let port = proxy.port();
        self.proxies.lock().unwrap().push(proxy);
        self.connector_to(port)
    }
}

fn names(domain: &str) -> Vec<String> {
    (0..PEOPLE).map(|number| format!("person{number}{domain}")).collect()
}

fn dovecot(format: Format) -> Option<Server<Dovecot>> {
    let names = names("");
    let builder = Dovecot::builder().format(format).users(names.iter().map(|name| (name.as_str(), PASSWORD)));
    let server = builder.master(MIGRATOR, PASSWORD).start()?;
    let port = server.port();
    Some(Server::new(server, port, ""))
}

fn cyrus() -> Option<Server<Cyrus>> {
    const DOMAIN: &str = "@example.test";
    let names = names(DOMAIN);
    let builder = Cyrus::builder().users(names.iter().map(|name| (name.as_str(), PASSWORD)));
    // As it comes, it takes a hundred messages of the same bytes in a folder and no more.
    let builder = builder.admin(&format!("{MIGRATOR}{DOMAIN}"), PASSWORD).extra("conversations_max_guidinfolder: 5000");
    let server = builder.start()?;
    let port = server.port();
    Some(Server::new(server, port, DOMAIN))
}

#[expect(clippy::unnecessary_wraps, reason = "as the suite wants its fixtures")]
fn in_memory(offers: Offers, odd: Oddities) -> Option<Server<ImapServer>> {
    let builder = ImapServer::builder().offers(offers).odd(odd).admin(MIGRATOR, PASSWORD);
    let server = names("").iter().fold(builder, |builder, name| builder.user(name, PASSWORD)).start();
    let port = server.port();
    Some(Server::new(server, port, ""))
}

mod dovecot_maildir {
    use super::*;
    conformance::connector_suite!(dovecot(Format::Maildir));
}

mod dovecot_mdbox {
    use super::*;
    conformance::connector_suite!(dovecot(Format::Mdbox));
}

// All but what is said of an account that is not there: this one makes a mailbox for whatever name its administrator logs
// in for.
mod on_cyrus {
    use super::*;
    conformance::connector_tests!(
        cyrus();
        items_come_back_byte_for_byte_with_flags_and_dates_in_order,
        duplicates_stay_as_many_as_they_are,
        odd_folder_names_are_kept_or_refused,
        folders_are_made_once_and_can_be_empty_and_deep,
        special_use_and_subscription_are_kept_where_offered,
        reading_changes_nothing,
        an_unchanged_folder_shows_it_and_a_changed_one_too,
        a_cursor_leads_to_what_came_after,
        the_cursor_of_each_item_leads_on_from_there,
        changed_flags_and_removed_items_are_told,
        a_cursor_of_another_validity_reads_everything,
        items_are_read_by_their_ids,
        a_missing_folder_does_not_hold_up_the_others,
        what_appeared_since_a_mark_is_listed,
        only_the_flags_named_change,
        only_the_item_named_is_removed,
        nothing_takes_effect_before_the_intent_is_durable,
        nothing_takes_effect_once_the_door_is_shut,
        an_item_larger_than_memory_goes_through_a_file,
        many_items_stay_in_order,
        several_batches_may_be_on_their_way,
        the_check_finds_it_well,
        every_declared_kind_is_held,
        flags_are_read_back_but_not_of_what_is_gone,
        moved_items_keep_bytes_dates_and_flags,
        a_move_of_what_is_not_there_moves_the_rest,
        a_move_that_is_refused_moves_nothing,
        ids_of_a_folder_made_anew_since_mean_nothing,
        a_move_that_breaks_off_leaves_each_item_in_one_folder,
        a_folder_is_followed_and_no_longer,
        a_folder_that_holds_something_is_not_removed,
        an_empty_folder_is_removed_with_its_subscription,
        what_is_not_removed_alone_stays_marked,
    );
}

mod everything_offered {
    use super::*;
    conformance::connector_suite!(in_memory(Offers::everything(), Oddities::default()));
}

mod nothing_offered {
    use super::*;
    conformance::connector_suite!(in_memory(Offers::bare(), Oddities::default()));
}

mod new_uids_told_last {
    use super::*;
    conformance::connector_tests!(
        in_memory(Offers::everything(), Oddities { copy_uid_last: true, ..Oddities::default() });
        moved_items_keep_bytes_dates_and_flags,
        a_move_of_what_is_not_there_moves_the_rest,
    );
}

// Marks with a condition, and folders that are left without UNSELECT.
mod changes_counted_and_nothing_removed_alone {
    use super::*;
    conformance::connector_tests!(
        in_memory(Offers::bare().with(&[Offer::Condstore, Offer::Move]), Oddities::default());
        moved_items_keep_bytes_dates_and_flags,
        an_empty_folder_is_removed_with_its_subscription,
        what_is_not_removed_alone_stays_marked,
    );
}
