//! The catalogue: what the command line says of its own. Sentences of findings, causes and verdicts come from those who
//! found them.

pub(crate) use report::{bytes, day};
use serde::Serialize;
use service::{Error, Waits};

pub(crate) const STOPPING: &str = "Stopping: what is on its way is finished and recorded. Press Ctrl-C again to end at once; nothing is lost either way.";
pub(crate) const DEMO_BEGINS: &str =
    "An invented trust moves from an in-memory mail platform to maildirs on this disk.";

/// An error as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorReport<'e> {
    exit: u8,
    what: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'e str>,
}

impl<'e> ErrorReport<'e> {
    pub(crate) fn of(error: &'e Error) -> Self {
        Self { exit: error.exit as u8, what: &error.what, rule: error.rule, advice: error.advice.as_deref() }
    }
}

/// What is wrong, where, and what to do.
pub(crate) fn error(error: &Error) -> String {
    let mut text = match error.rule {
        Some(rule) => format!("refused by rule {rule}: {}", error.what),
        None => format!("error: {}", error.what),
    };
    if let Some(advice) = error.advice.as_ref().filter(|advice| !advice.is_empty()) {
        text.push_str("\n  what to do: ");
        text.push_str(advice);
    }
    text
}

/// What waits, in words.
pub(crate) fn waits(waits: Waits) -> &'static str {
    match waits {
        Waits::Removal => "a removal from the target",
        Waits::Item => "an item at the source",
        Waits::Vanished => "the whole mailbox",
    }
}

/// A time span for people.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        assert_eq!(span(59), "59 s");
        assert_eq!(span(3725), "1 h 2 min");
    }
}
