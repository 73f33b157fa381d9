//! A mailbox in which nothing happens costs next to nothing.

use conformance::{proxy::Proxy, servers::Format};
use journeys::{
    mail::{Folder, fill_maildir, numbered},
    project::{Endpoint, Project},
    store::{MIGRATOR, PASSWORD, Store},
};

/// Each is a round trip at most.
const COMMANDS_MAX: usize = 12;
/// What it takes once a run to prove that the login for everybody reaches the stores of others.
const PROOF_MAX: usize = 14;

/// How many commands go to the source and to the target in each of two runs after the first, of people with so many folders
/// and messages each.
fn commands_at_rest(people: &[&str], folders: usize, messages: usize, one_login: bool) -> Option<Vec<[usize; 2]>> {
    let source = Store::dovecot(Format::Maildir, people)?;
    let target = Store::dovecot(Format::Mdbox, people)?;
    let Store::Dovecot(dovecot) = &source else { unreachable!() };
    let folder = |number: usize| {
        let name = if number == 0 { "INBOX".to_owned() } else { format!("Folder {number}") };
        Folder { path: vec![name], messages: (number..messages).step_by(folders).map(numbered).collect() }
    };
    let mut rows = "source,target,source_password,target_password\n".to_owned();
    for person in people {
        let maildir = dovecot.maildir(person);
        fill_maildir(&maildir, &(0..folders).map(folder).collect::<Vec<_>>());
        dovecot.give_to_mail_user(&dovecot.home(person));
        let password = if one_login { "" } else { PASSWORD };
        rows.push_str(&format!("{person},{person},{password},{password}\n"));
    }
    let proxies = [&source, &target].map(|store| Proxy::to(store.port()).imap().start());
    let [here, there] = proxies.each_ref().map(|proxy| {
        let endpoint = Endpoint::imap(proxy.port());
        if one_login { endpoint.login(MIGRATOR, PASSWORD, "authzid") } else { endpoint }
    });
    let project = Project::new(here, there).with("people_at_once = 1").people(&rows);
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["copied"]), (0, &(messages * people.len()).into()), "{synced:#}");
    let run = |_| {
        let before = proxies.each_ref().map(|proxy| proxy.commands().len());
        let (code, again) = project.json(&["sync"]);
        assert_eq!((code, &again["copied"]), (0, &0.into()), "{again:#}");
        let now = proxies.each_ref().map(|proxy| proxy.commands());
        println!("{:?} {:?}", &now[0][before[0]..], &now[1][before[1]..]);
        [now[0].len() - before[0], now[1].len() - before[1]]
    };
    Some((0..2).map(run).collect())
}

#[test]
fn a_mailbox_of_300_folders_and_20_000_messages_at_rest_takes_a_dozen_commands_a_side() {
    let Some(runs) = commands_at_rest(&["alice"], 300, 20_000, false) else { return };
    assert!(runs.iter().flatten().all(|commands| *commands <= COMMANDS_MAX), "{runs:?}");
}

#[test]
fn one_login_for_everybody_is_proved_once_a_run_not_once_a_mailbox() {
    let people = ["alice", "bob", "carol", "dave", "erin"];
    let Some(runs) = commands_at_rest(&people, 30, 60, true) else { return };
    let most = COMMANDS_MAX * people.len() + PROOF_MAX;
    assert!(runs.iter().flatten().all(|commands| *commands <= most), "{runs:?}");
}
