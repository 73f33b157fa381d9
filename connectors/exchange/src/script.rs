//! Writes scripts: the same asks give the same text, byte for byte.

use std::fmt::Write as _;

use crate::board::{Ask, Step};
use crate::config::Config;
use crate::logins::WayIn;
use crate::state::State;
use crate::text::{comment, quoted};

/// What every script does, whatever it is about.
const BODY: &str = include_str!("script/body.ps1");

/// A script to be written.
#[derive(Clone, Copy, Debug)]
pub struct Script<'s> {
    /// Its number.
    pub number: i64,
    /// What tells its read-back from all others.
    pub nonce: &'s str,
    /// The project and the router, for people.
    pub project: &'s str,
    /// The router's name.
    pub router: &'s str,
    /// What it is for.
    pub step: Step,
    /// Its action is not run after this (milliseconds since 1970).
    pub lapses_at: i64,
    /// Whom it is for: accounts, and what is asked of each.
    pub people: &'s [(String, Ask)],
}

/// A moment as scripts and read-backs write it: `2026-11-27T20:08:10`, of UTC.
pub fn moment(at: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at).unwrap_or(jiff::Timestamp::MAX);
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The script's text: printable ASCII, lines ending as Windows has them.
pub fn write(config: &Config, script: &Script<'_>) -> String {
    let mut text = String::new();
    head(&mut text, config, script);
    text.push_str("[CmdletBinding()]\nparam(\n    [switch]$Reverse,\n    [switch]$ReadOnly\n)\n\n");
    let on = |text: &mut String, name: &str, value: &str| {
        let _ = writeln!(text, "${name} = {value}");
    };
    on(&mut text, "Number", &script.number.to_string());
    on(&mut text, "Nonce", &quoted(script.nonce));
    on(&mut text, "Step", &quoted(script.step.name()));
    on(&mut text, "Platform", &quoted(config.platform.name()));
    on(&mut text, "Organisation", &quoted(&config.organisation));
    on(&mut text, "NotAfter", &quoted(&moment(script.lapses_at)));
    let list = |items: Vec<String>| format!("@({})", items.join(", "));
    on(&mut text, "Domains", &list(config.domains.iter().map(|domain| quoted(domain)).collect()));
    let closes: &[WayIn] = config.closing.as_ref().map_or(&[], |closing| &closing.ways);
    on(&mut text, "Closes", &list(closes.iter().map(|way| quoted(way.name())).collect()));
    on(&mut text, "TargetDomains", &list(target_domains(script).iter().map(|domain| quoted(domain)).collect()));
    text.push_str("\n# Whom it is for: what has to be there before, and what is there afterwards.\n$People = @(\n");
    let end = script.people.len().saturating_sub(1);
    for (place, (account, ask)) in script.people.iter().enumerate() {
        let _ = write!(text, "    @{{ Account = {}; Address = {}", quoted(account), quoted(&ask.address));
        if let Some((before, after)) = &ask.change {
            let _ = write!(
                text,
                "; Guid = {};\n       Before = {};\n       After = {}",
                quoted(&before.guid),
                values(before),
                values(after)
            );
        }
        text.push_str(if place == end { " }\n" } else { " },\n" });
    }
    text.push_str(")\n");
    // What is not closed is never asked for: the right to read that may be another one.
    let closing = config.closing.as_ref().map_or("CustomAttribute13", |closing| &closing.marker);
    text.push_str(&BODY.replace("MarkerAttribute", &config.marker).replace("ClosingAttribute", closing));
    text.replace('\n', "\r\n")
}

fn values(state: &State) -> String {
    if let Some(logins) = &state.logins {
        let way = |(way, is): (&WayIn, &String)| format!("{} = {}", way.name(), quoted(is));
        let ways: Vec<String> = logins.ways.iter().map(way).collect();
        return format!("@{{ Ways = @{{ {} }}; Marker = {} }}", ways.join("; "), quoted(&logins.marker));
    }
    format!(
        "@{{ Smtp = {}; Recipient = {}; Keeps = {}; Marker = {} }}",
        quoted(&state.smtp),
        quoted(&state.recipient),
        if state.keeps { "$true" } else { "$false" },
        quoted(&state.marker)
    )
}

/// The domains that a redirect leads to.
fn target_domains(script: &Script<'_>) -> Vec<String> {
    let of = |(_, ask): &(String, Ask)| {
        let (_, after) = ask.change.as_ref().filter(|_| ask.step == Step::Redirect)?;
        after.smtp.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase())
    };
    let mut domains: Vec<String> = script.people.iter().filter_map(of).collect();
    domains.sort();
    domains.dedup();
    domains
}

fn head(text: &mut String, config: &Config, script: &Script<'_>) {
    let people = script.people.len();
    let number = script.number;
    let (does, reverse) = match script.step {
        Step::Read => ("reads where the mail of each mailbox goes, and changes nothing", None),
        Step::Redirect => (
            "sends all new mail of each mailbox to its new address, without a copy that stays",
            Some("puts back what was there before, where what it has put there still is"),
        ),
        Step::Release => (
            "takes the redirect of each mailbox off: what was there before it is there again",
            Some("puts the redirect on again, where what it has put there still is"),
        ),
        Step::Close => (
            "closes each mailbox to its person, who works elsewhere now; mail still comes, and is sent on",
            Some("opens again what it has closed, where that is still so"),
        ),
        Step::Open => {
            ("opens each mailbox to its person again: what was there before it was closed is there again", None)
        }
    };
    comment(
        text,
        &format!(
            "Whimbrel, script {number} ({}), for {people} of {}",
            script.step.name(),
            quoted(&config.organisation)
        ),
    );
    comment(
        text,
        &format!(
            "Project {}, router {}, platform {}",
            quoted(script.project),
            quoted(script.router),
            config.platform.name()
        ),
    );
    comment(text, "");
    comment(text, &format!("It {does}."));
    comment(
        text,
        "It stops before it does anything where it is run in another organisation, and at the first error that Exchange gives.",
    );
    comment(text, "A mailbox that is not as expected is left alone, and reported.");
    if let Some(reverse) = reverse {
        comment(text, &format!("With -Reverse it {reverse}. Tell Whimbrel: whimbrel switch undo."));
    }
    if script.step.changes() {
        comment(text, "With -ReadOnly it changes nothing, and reads all.");
        comment(text, &format!("Its action is not run after {} UTC, and not twice.", moment(script.lapses_at)));
    }
    comment(text, "");
    comment(text, "It prints JSON lines. Hand all of them back:");
    comment(text, &format!("  .\\whimbrel-{number}.ps1 > whimbrel-{number}.jsonl"));
    comment(text, &format!("  whimbrel switch script supply {number} --file whimbrel-{number}.jsonl"));
    comment(text, "Do not change this file: its digest was signed, and is handed back.");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Platform;
    use crate::config::tests::config;

    fn ask(address: &str, to: &str) -> Ask {
        let before = State { guid: "g1".to_owned(), ..State::default() };
        let after = before.with(to).unwrap();
        Ask { step: Step::Redirect, address: address.to_owned(), change: Some((before, after)) }
    }

    fn script(people: &[(String, Ask)]) -> Script<'_> {
        let (nonce, project, router) = ("00ff", "hill", "local");
        Script { number: 12, nonce, project, router, step: Step::Redirect, lapses_at: 1_795_000_000_000, people }
    }

    #[test]
    fn the_same_asks_give_the_same_text() {
        let people = [("ann@hill.test".to_owned(), ask("ann@hill.test", "ann@new.test"))];
        let text = write(&config(), &script(&people));
        assert_eq!(text, write(&config(), &script(&people)));
        assert!(text.contains("$NotAfter = '2026-11-18T11:06:40'"), "{text}");
        assert!(
            text.contains("CustomAttribute14")
                && !text.contains("MarkerAttribute")
                && !text.contains("ClosingAttribute")
        );
        assert!(text.contains("$TargetDomains = @('new.test')"));
        let others = [("ann@hill.test".to_owned(), ask("ann@hill.test", "ann2@new.test"))];
        assert_ne!(text, write(&config(), &script(&others)));
    }

    proptest::proptest! {
        /// Whatever people are called: printable ASCII, and no line but ours.
        #[test]
        fn no_name_changes_what_a_script_is(account in ".{0,40}", to in ".{1,20}", organisation in ".{1,20}") {
            let plain = [("ann".to_owned(), ask("ann@hill.test", "ann@new.test"))];
            let odd = [(account.clone(), ask(&account, &to))];
            let config = Config { organisation, ..config() };
            let (plain, odd) = (write(&config, &script(&plain)), write(&config, &script(&odd)));
            proptest::prop_assert!(odd.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n')));
            proptest::prop_assert_eq!(plain.lines().count(), odd.lines().count());
        }
    }

    #[test]
    fn what_is_checked_of_a_platform_is_in_the_body() {
        assert!(BODY.contains(Platform::ExchangeOnline.name()));
    }
}
