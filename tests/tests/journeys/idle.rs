//! A mailbox in which nothing happens costs next to nothing.

use std::collections::BTreeMap;

use conformance::{proxy::Proxy, servers::Format};
use journeys::{
    mail::{Folder, Message, fill_maildir, numbered},
    project::{Endpoint, Project},
    store::{MIGRATOR, PASSWORD, Store},
};

const FOLDERS: usize = 300;
const MESSAGES: usize = 20_000;
/// Each is a round trip at most.
const COMMANDS_MAX: usize = 12;

/// The commands that went through a proxy since it stood at these, by name.
fn since(proxy: &Proxy, before: usize) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for name in proxy.commands().into_iter().skip(before) {
        *counted.entry(name).or_default() += 1;
    }
    counted
}

#[test]
fn a_mailbox_of_300_folders_and_20_000_messages_at_rest_takes_a_dozen_commands_a_side() {
    let Some(source) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    let Some(target) = Store::dovecot(Format::Mdbox, &["alice"]) else { return };
    let Store::Dovecot(dovecot) = &source else { unreachable!() };
    let folder = |number: usize| {
        let name = if number == 0 { "INBOX".to_owned() } else { format!("Folder {number}") };
        let messages = (number..MESSAGES).step_by(FOLDERS).map(numbered);
        Folder { path: vec![name], messages: messages.collect::<Vec<Message>>() }
    };
    let maildir = dovecot.maildir("alice");
    fill_maildir(&maildir, &(0..FOLDERS).map(folder).collect::<Vec<_>>());
    dovecot.give_to_mail_user(&maildir);

    let [here, there] = [&source, &target].map(|store| Proxy::to(store.port()).imap().start());
    let endpoint = |proxy: &Proxy| Endpoint::imap(proxy.port()).login(MIGRATOR, PASSWORD, "authzid");
    let project = Project::new(endpoint(&here), endpoint(&there)).person("alice");
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["copied"]), (0, &MESSAGES.into()), "{synced:#}");

    for _ in 0..2 {
        let before = [&here, &there].map(|proxy| proxy.commands().len());
        let (code, again) = project.json(&["sync"]);
        assert_eq!((code, &again["copied"]), (0, &0.into()), "{again:#}");
        for (side, (proxy, before)) in ["source", "target"].into_iter().zip([&here, &there].into_iter().zip(before)) {
            let commands = since(proxy, before);
            let number: usize = commands.values().sum();
            println!("{side}: {number} commands: {commands:?}");
            assert!(number <= COMMANDS_MAX, "{side}: {number} commands: {commands:?}");
        }
    }
}
