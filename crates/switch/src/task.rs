//! The tasks of a switch, each way in its order.

use serde::{Deserialize, Serialize};

/// Which way a switch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// To the target.
    Over,
    /// Back to the source: since a task could not be done, or since somebody said so.
    Back,
}

impl Way {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Over => "over",
            Self::Back => "back",
        }
    }

    /// The way with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Over, Self::Back].into_iter().find(|way| way.name() == name)
    }

    /// Its tasks, in order.
    pub fn tasks(self) -> &'static [Task] {
        match self {
            Self::Over => &[
                Task::Freeze,
                Task::ForwarderOff,
                Task::RedirectOn,
                Task::AddressesOn,
                Task::Drain,
                Task::MarkOn,
                Task::RecordOver,
            ],
            Self::Back => &[
                Task::MarkOff,
                Task::AddressesOff,
                Task::RedirectOff,
                Task::Carry,
                Task::ForwarderOn,
                Task::CarryRest,
                Task::Thaw,
            ],
        }
    }
}

/// One task of a switch. Each may be done again from wherever it was cut, and comes to the same end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// The source's removals and flags are followed no more. Additions are.
    Freeze,
    /// The forwarder from the target to the source (F1) is off, read back.
    ForwarderOff,
    /// The redirect from the source to the target (F3) is on, read back: from here on mail reaches the target.
    RedirectOn,
    /// The old addresses and aliases are the target account's own.
    AddressesOn,
    /// What was still on its way to the source has come over: two passes, apart from each other, found nothing new.
    Drain,
    /// The person's client is told where their mail is now.
    MarkOn,
    /// The mailbox counts as switched.
    RecordOver,
    /// The client's mark is taken away.
    MarkOff,
    /// What [`Task::AddressesOn`] added to the target's account is taken away.
    AddressesOff,
    /// The redirect from the source to the target is off, read back: from here on mail stays at the source.
    RedirectOff,
    /// What the person got and did on the target is at the source.
    Carry,
    /// The forwarder from the target to the source is on again, where there was one, read back.
    ForwarderOn,
    /// What came to the target until then is at the source, too.
    CarryRest,
    /// The source is followed again as before the switch.
    Thaw,
}

impl Task {
    /// Every task.
    pub const EVERY: [Self; 14] = [
        Self::Freeze,
        Self::ForwarderOff,
        Self::RedirectOn,
        Self::AddressesOn,
        Self::Drain,
        Self::MarkOn,
        Self::RecordOver,
        Self::MarkOff,
        Self::AddressesOff,
        Self::RedirectOff,
        Self::Carry,
        Self::ForwarderOn,
        Self::CarryRest,
        Self::Thaw,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Freeze => "freeze",
            Self::ForwarderOff => "forwarder-off",
            Self::RedirectOn => "redirect-on",
            Self::AddressesOn => "addresses-on",
            Self::Drain => "drain",
            Self::MarkOn => "mark-on",
            Self::RecordOver => "record",
            Self::MarkOff => "mark-off",
            Self::AddressesOff => "addresses-off",
            Self::RedirectOff => "redirect-off",
            Self::Carry => "carry",
            Self::ForwarderOn => "forwarder-on",
            Self::CarryRest => "carry-rest",
            Self::Thaw => "thaw",
        }
    }

    /// The task with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|task| task.name() == name)
    }

    /// The way it is on.
    pub fn way(self) -> Way {
        if Way::Over.tasks().contains(&self) { Way::Over } else { Way::Back }
    }

    /// What comes after it; none: it is the last one.
    pub fn after(self) -> Option<Self> {
        let tasks = self.way().tasks();
        let place = tasks.iter().position(|task| *task == self)?;
        tasks.get(place + 1).copied()
    }

    /// Is the point of no return behind it? The redirect is on, so mail reaches the target: turning back would be another switch.
    pub fn is_past_return(self) -> bool {
        matches!(self, Self::AddressesOn | Self::Drain | Self::MarkOn | Self::RecordOver)
    }

    /// Where the way back begins when this task could not be done: with what reverses it. None where there is no way back.
    pub fn reversed_from(self) -> Option<Self> {
        match self {
            Self::Freeze => Some(Self::Thaw),
            Self::ForwarderOff => Some(Self::ForwarderOn),
            Self::RedirectOn => Some(Self::RedirectOff),
            _ => None,
        }
    }

    /// Does it change where mail goes?
    pub fn is_routing(self) -> bool {
        matches!(self, Self::ForwarderOff | Self::RedirectOn | Self::RedirectOff | Self::ForwarderOn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_task_is_on_one_way_and_the_ways_end() {
        for task in Task::EVERY {
            let ways = [Way::Over, Way::Back].into_iter().filter(|way| way.tasks().contains(&task)).count();
            assert_eq!(ways, 1, "{task:?}");
            assert_eq!(Task::from_name(task.name()), Some(task));
        }
        for way in [Way::Over, Way::Back] {
            let mut walked = vec![way.tasks()[0]];
            while let Some(next) = walked[walked.len() - 1].after() {
                walked.push(next);
            }
            assert_eq!(walked, way.tasks());
            assert_eq!(Way::from_name(way.name()), Some(way));
        }
    }

    /// The order that keeps mail from going round: the forwarder is off before the redirect is on, and the other way about.
    #[test]
    fn forwarder_and_redirect_are_never_on_together() {
        let (mut forwarder, mut redirect) = (true, false);
        for task in Way::Over.tasks().iter().chain(Way::Back.tasks()) {
            match task {
                Task::ForwarderOff => forwarder = false,
                Task::ForwarderOn => forwarder = true,
                Task::RedirectOn => redirect = true,
                Task::RedirectOff => redirect = false,
                _ => {}
            }
            assert!(!(forwarder && redirect), "{task:?}");
        }
        assert!(forwarder && !redirect);
    }

    #[test]
    fn the_way_back_reverses_all_that_was_begun() {
        for (place, task) in Way::Over.tasks().iter().enumerate() {
            let Some(from) = task.reversed_from() else { continue };
            let back = Way::Back.tasks();
            let begins = back.iter().position(|task| *task == from).unwrap();
            for begun in &Way::Over.tasks()[..=place] {
                let reverse = begun.reversed_from().unwrap();
                assert!(back[begins..].contains(&reverse), "{task:?} leaves {begun:?}");
            }
        }
    }
}
