//! `people confirm`: people are asked whose an account under another organisation's code is, and what they say is recorded.

use clap::{Args, ValueEnum};
use movement::state::counted;
use report::harmless;
use service::{AnswersReport, AskReport, Confirmed, Decision, Error, Exit, PeopleProject};

use super::{SHOWN, SaidOn, decide, decided, give, more};

/// What is asked, or was answered, about an account under another organisation's code.
#[derive(Debug, Args)]
pub(crate) struct ConfirmOf {
    /// A mail address, account, local id or key; with --ask several, or everybody who waits when nobody is given
    #[arg(required_unless_present_any = ["ask", "mailed"], conflicts_with = "mailed")]
    who: Vec<String>,
    /// Ask them by mail, by [people.confirmation]
    #[arg(long, conflicts_with_all = ["mailed", "account", "code", "outcome", "by", "evidence"])]
    ask: bool,
    /// Write again also to whom was written not long ago; the codes before hold no more
    #[arg(long, requires = "ask")]
    again: bool,
    /// Look once into the mailbox that answers come to
    #[arg(long, conflicts_with_all = ["account", "code", "outcome", "by", "evidence"])]
    mailed: bool,
    /// The account, by its key or address
    #[arg(long, required_unless_present_any = ["ask", "mailed", "code"], conflicts_with = "code")]
    account: Option<String>,
    /// A code that they read out; twice, where they were sent two
    #[arg(long, value_name = "CODE")]
    code: Vec<String>,
    /// What they said
    #[arg(long, value_enum, required_unless_present_any = ["ask", "mailed"])]
    outcome: Option<Answer>,
    #[command(flatten)]
    pub(super) said: SaidOn,
}

/// What a person says of an account under another organisation's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Answer {
    /// It is theirs, and stays there
    Stays,
    /// It is theirs; they left there and joined here
    Transferred,
    /// It is somebody else's
    SomebodyElse,
}

pub(super) async fn run(people: &PeopleProject, what: ConfirmOf, json: bool) -> Result<Exit, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    if what.ask {
        let report = people.ask(&what.who, what.again, what.said.dry_run, &environment).await?;
        give(json, "people-asked", &report, asked);
        return Ok(if report.is_well() { Exit::Done } else { Exit::WithFailures });
    }
    if what.mailed {
        let report = people.confirm_mailed(what.said.dry_run, &environment).await?;
        give(json, "people-answers", &report, answers);
        return Ok(if report.is_well() { Exit::Done } else { Exit::WithFailures });
    }
    let [who] = what.who.as_slice() else {
        return Err(Error::usage("what one person said is recorded at a time").advise("give one of them"));
    };
    let answer = match what.outcome {
        Some(Answer::Stays) => Confirmed::Stays,
        Some(Answer::Transferred) => Confirmed::Transferred,
        Some(Answer::SomebodyElse) => Confirmed::SomebodyElse,
        None => return Err(Error::usage("what they said is missing").advise("give it with --outcome")),
    };
    let SaidOn { by, evidence, .. } = &what.said;
    if let Some(account) = what.account {
        return decide(people, who, Decision::Confirmed(account, answer), &what.said, json).await;
    }
    let report = people.confirm_by_code(who, &what.code, answer, by.as_deref(), evidence).await?;
    give(json, "people-decision", &report, decided);
    Ok(Exit::Done)
}

fn asked(report: &AskReport) -> String {
    let mut text = String::new();
    for line in report.asked.iter().take(SHOWN) {
        let second = line.account_address.as_deref().map_or_else(String::new, |at| format!("; second code to {at}"));
        let (name, until) = (&line.name, report::day(line.until));
        put!(text, "ASKED  {name} ({}) at {}, until {until}{second}", line.id, line.address);
    }
    more(&mut text, report.asked.len(), report.asked.len().min(SHOWN));
    for line in report.not_asked.iter().take(SHOWN) {
        put!(text, "NOT    {} ({}): {}", line.name, line.id, line.why);
    }
    more(&mut text, report.not_asked.len(), report.not_asked.len().min(SHOWN));
    let people = |count: usize| if count == 1 { "1 person".to_owned() } else { format!("{count} people") };
    put!(text, "{} asked, {} not.", people(report.asked.len()), people(report.not_asked.len()));
    if report.dry_run {
        text.push_str("Nobody was written to: this was a dry run.\n");
    }
    text
}

fn answers(report: &AnswersReport) -> String {
    let mut text = String::new();
    for note in &report.notes {
        put!(text, "LOOK     {note}");
    }
    for line in report.answered.iter().take(SHOWN) {
        put!(
            text,
            "ANSWER   {} ({}): {}, account {}; {} now",
            line.name,
            line.id,
            line.outcome,
            line.account,
            line.now
        );
    }
    more(&mut text, report.answered.len(), report.answered.len().min(SHOWN));
    for line in report.refused.iter().take(SHOWN) {
        let from = line.from.as_deref().unwrap_or("nobody that can be told");
        let id = line.id.as_deref().map_or_else(String::new, |id| format!(" about {id}"));
        put!(text, "REFUSED  a message from {from}{id}: {}; nothing was decided, and nobody is answered", line.why);
    }
    more(&mut text, report.refused.len(), report.refused.len().min(SHOWN));
    if report.automatic > 0 {
        put!(text, "{} that programs sent by themselves.", counted(report.automatic as u64, "message"));
    }
    if text.is_empty() {
        text.push_str("Nobody answered.\n");
    }
    if report.dry_run {
        text.push_str("Nothing was kept: this was a dry run.\n");
    }
    text
}
