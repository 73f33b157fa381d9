//! A project on a set clock: everything goes through `decide`, and everything is folded from what was appended.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use programme::{
    Action, Change, Doer, Entry, Evidence, Fact, Facts, Live, Moment, Programme, Record, Refusal, Subject, allows,
    assess_next, decide,
};

/// The invented programme.
pub(crate) fn invented() -> Programme {
    toml::from_str(include_str!("invented.toml")).expect("the invented programme can be read")
}

/// What was done in a world, for whoever does the same elsewhere.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "who drives a project of a database reads it")]
pub(crate) enum Step {
    /// Somebody did something at this time.
    Does(String, Timestamp, Box<Action>),
    /// From here on the system knew that something is so, or is not.
    Knows(String, bool),
}

/// A project with its clock.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) programme: Programme,
    pub(crate) entries: Vec<Entry>,
    pub(crate) record: Record,
    pub(crate) facts: Facts,
    pub(crate) at: Timestamp,
    /// People of the organisation, by address.
    pub(crate) people: Vec<String>,
    /// What was done, in order.
    pub(crate) steps: Vec<Step>,
    /// Is it no mistake of the test when something may not be?
    pub(crate) is_lenient: bool,
    /// What the system knew when each change was decided, where that is kept.
    pub(crate) facts_then: Option<Vec<Facts>>,
}

impl World {
    pub(crate) fn new(programme: Programme) -> Self {
        let at = "2026-02-02T09:00:00Z".parse().expect("a time");
        Self {
            programme,
            entries: Vec::new(),
            record: Record::default(),
            facts: Facts::default(),
            at,
            people: (0..900).map(|number| format!("person{number}@lm7.example")).collect(),
            steps: Vec::new(),
            is_lenient: false,
            facts_then: None,
        }
    }

    /// A project of this type with somebody in every role, twice: `lead` decides, `lead-2` works.
    pub(crate) fn staffed(programme: Programme, project_type: &str) -> Self {
        let mut world = Self::new(programme);
        world.does("chief", Action::Open { code: "LM7".into(), name: "Little Marsh Trust".into() });
        let roles: Vec<String> = world.programme.roles.iter().map(|role| role.id.clone()).collect();
        let first = roles.first().expect("a role").clone();
        let give = |person: String, role: &String| Action::GiveRole {
            title: format!("The {person}"),
            person,
            role: role.clone(),
            contact: None,
        };
        world.does(&first, give(first.clone(), &first));
        // The first of each side is named by whoever opened the project, the others by those of their side.
        let sides = world.programme.roles.iter().map(|role| role.side).collect::<std::collections::BTreeSet<_>>();
        for side in sides {
            let of_side =
                |role: &&String| world.programme.roles.iter().any(|known| known.id == **role && known.side == side);
            let of_side: Vec<String> = roles.iter().filter(of_side).cloned().collect();
            let head = of_side.first().expect("a role").clone();
            for role in &of_side {
                let by = if *role == head { &first } else { &head };
                if *role != first {
                    world.does(by, give(role.clone(), role));
                }
                world.does(&head, give(format!("{role}-2"), role));
            }
        }
        world.does(&first, Action::ChooseType { project_type: project_type.into(), by: None, why: None });
        world
    }

    pub(crate) fn today(&self) -> Date {
        Moment::of(self.at).today
    }

    pub(crate) fn later(&mut self, days: i64) {
        self.at = self.at.checked_add((days * 24).hours()).expect("a later time");
    }

    /// Somebody tries something; what comes of it is appended.
    pub(crate) fn tries(&mut self, who: &str, action: Action) -> Result<Vec<Change>, Refusal> {
        let doer = Doer::of(&self.programme, &self.record, who, &[], &[]);
        self.tries_as(&doer, action)
    }

    pub(crate) fn tries_as(&mut self, doer: &Doer, action: Action) -> Result<Vec<Change>, Refusal> {
        let now = Moment::of(self.at);
        // What does not rest on facts is decided without them: whoever reads them for nothing would read for long.
        let none = Facts::default();
        let known = self.known();
        let facts = if action.rests_on_facts(&self.programme, &self.record) { &known } else { &none };
        let step = Step::Does(doer.name.clone(), self.at, Box::new(action.clone()));
        let changes = decide(&self.programme, &self.record, facts, doer, now, action)?;
        self.steps.push(step);
        for change in &changes {
            let seq = self.record.seq + 1;
            self.record.after(change, seq, self.at, &doer.name);
            self.entries.push(Entry { seq, at: self.at, who: doer.name.clone(), change: change.clone() });
            if let Some(then) = &mut self.facts_then {
                then.push(self.facts.clone());
            }
        }
        self.at = self.at.checked_add(1.minute()).expect("a later time");
        Ok(changes)
    }

    /// Somebody does something that they may.
    pub(crate) fn does(&mut self, who: &str, action: Action) -> Vec<Change> {
        let what = format!("{who}: {action:?}");
        match self.tries(who, action) {
            Ok(changes) => changes,
            Err(_) if self.is_lenient => Vec::new(),
            Err(refusal) => panic!("{what}\n{refusal}"),
        }
    }

    /// Somebody tries what they may not, and this rule says so.
    pub(crate) fn is_refused(&mut self, who: &str, action: Action, rule: &str) -> Refusal {
        let what = format!("{who}: {action:?}");
        let before = self.record.clone();
        let refusal = self.tries(who, action).expect_err(&what);
        assert!(refusal.is_by(rule), "{what}: {refusal}, and not by {rule}");
        assert_eq!(self.record, before, "what is refused changes nothing");
        refusal
    }

    pub(crate) fn knows(&mut self, fact: &str, is_met: bool) {
        let offenders = if is_met { Vec::new() } else { vec!["one".to_owned(), "another".to_owned()] };
        let text = format!("{fact} is {is_met}");
        let fact_now = Fact { is_met, text, offenders, as_of: Some(self.at), decided: None };
        self.facts.facts.insert(fact.to_owned(), fact_now);
        self.steps.push(Step::Knows(fact.to_owned(), is_met));
    }

    /// What the system knows, with what was decided in place of what it can't see.
    pub(crate) fn known(&self) -> Facts {
        self.facts.clone().with_decisions(&self.record)
    }

    pub(crate) fn may(&self, live: Live) -> Result<(), Refusal> {
        allows(&self.programme, &self.record, &self.known(), self.today(), live)
    }

    /// Ids of what is open of the gate ahead.
    pub(crate) fn open(&self) -> Vec<String> {
        let assessed = assess_next(&self.programme, &self.record, &self.known(), self.today());
        assessed.iter().flat_map(|assessed| assessed.open().map(|item| item.criterion.clone())).collect()
    }

    pub(crate) fn stage(&self) -> Option<&str> {
        self.record.stage().map(|entry| entry.stage.as_str())
    }
}

pub(crate) fn evidence(name: &str) -> Evidence {
    let digest: String = name.bytes().cycle().take(32).map(|byte| format!("{byte:02x}")).collect();
    Evidence { name: name.to_owned(), digest, size_bytes: 7, note: String::new() }
}

pub(crate) fn give(on: Subject, name: &str) -> Action {
    Action::GiveEvidence { on, evidence: evidence(name) }
}

pub(crate) fn row(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
