//! What is found, in sentences: what goes wrong, on which way, and what to do.

use std::fmt;

use model::Side;

use crate::{
    Entry, Fault, Finding, ForwarderKind, Hop, MailAddress, Mx, PersonId, Place, Refusal, Sender, Step, Taken, Witness,
};

/// So many people are named in a sentence; of more it says how many there are.
const NAMED_MAX: usize = 3;

impl Fault {
    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Loop => {
                "Take one of these routes out. Where one of them is new, put it on only after the other was taken off and \
                 that was read back."
            }
            Self::BlackHole => {
                "Make the missing entry or MX record, correct the address it leads to, or take the address off the \
                 expected ones if it is given up."
            }
            Self::ReachesAnother => {
                "Correct the entry that leads there, or the address's owner if the mailbox is theirs."
            }
            Self::NotFollowed => {
                "Let that place send the mail on to the mailbox in which its person reads: the coexistence forwarder before \
                 the switch, the redirect after it."
            }
            Self::Missing => "Make the list's members on every site the same people, and mend the way to those named.",
            Self::Twice => {
                "Take the second way out: a copy that a forwarder keeps, or one of two members that lead to the same mailbox."
            }
            Self::KeepsCopy => {
                "Set that forwarder to keep no local copy, or replace it by one that can; what it has kept stays in that \
                 mailbox."
            }
            Self::RefusedBySpf => {
                "Let the site that sends it on rewrite the sender (SRS), or have the other one take it as a trusted relay. \
                 For what is written there, list that site in the SPF record of the domain."
            }
            Self::RefusedByDmarc => {
                "Have the receiving site take the sending one as a trusted relay: no sender that a router can write helps \
                 unsigned mail."
            }
            Self::ForbiddenDirection => {
                "Remove the forwarder, or have the direction allowed in the profile and that decision recorded (A-20)."
            }
            Self::InsecureDomain => {
                "Remove whatever sends it there, or list the domain as secure once that is shown (R-328)."
            }
            Self::LeavesUs => "Let the address's mail come to a mailbox on one of both sites, or give the address up.",
        }
    }
}

impl Entry {
    /// Where a message comes from, in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Inside(Side::Source) => "from inside the source",
            Self::Inside(Side::Target) => "from inside the target",
            Self::Outside => "from outside",
        }
    }
}

impl ForwarderKind {
    /// Its name, in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Coexistence => "coexistence forwarder, F1",
            Self::PreExisting => "forwarder from before, F2",
            Self::Redirect => "redirect of the switch, F3",
            Self::OwnRule => "own rule",
        }
    }
}

impl Refusal {
    /// Why, in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::UnknownRecipient => "refused as unknown",
            Self::ByEntry => "refused by its entry",
            Self::NotAccepted => "refused, since this site does not accept the domain",
            Self::NobodyInList => "a list without members",
            Self::ThrownAway => "thrown away",
            Self::NoMx => "no MX",
            Self::MxIsItself => "the MX points to this site, which does not accept the domain",
        }
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.site {
            Some(side) => write!(f, "{side} ")?,
            None => f.write_str("outside ")?,
        }
        match &self.place {
            Place::Address(address) => write!(f, "{address}")?,
            Place::Mailbox(person) => write!(f, "mailbox of {person}")?,
        }
        match self.taken {
            Taken::Settled => {}
            Taken::Old => f.write_str(" [old]")?,
            Taken::New => f.write_str(" [new]")?,
        }
        if self.is_conditional {
            f.write_str(" [some messages]")?;
        }
        f.write_str(": ")?;
        let sent = |sender: Option<Sender>| match sender {
            None => "",
            Some(Sender::Kept) => ", sender kept",
            Some(Sender::Srs) => ", sender rewritten",
            Some(Sender::TrustedRelay) => ", as a trusted relay",
        };
        match &self.step {
            Step::Delivered(_) if matches!(self.place, Place::Mailbox(_)) => f.write_str("stays there"),
            Step::Delivered(person) | Step::Mailbox(person) => write!(f, "mailbox of {person}"),
            Step::Alias(to) => write!(f, "alias of {to}"),
            Step::AliasByRule(to) => write!(f, "taken for {to} by the rule of the domain"),
            Step::List(members) => write!(f, "list of {members}"),
            Step::Forwarded { to, kind, keeps_copy } => {
                let to: Vec<&str> = to.iter().map(MailAddress::as_str).collect();
                let to = if to.is_empty() { "nobody".to_owned() } else { to.join(", ") };
                write!(f, "to {to} ({})", kind.text())?;
                keeps_copy.as_ref().map_or(Ok(()), |person| write!(f, ", a copy stays with {person}"))
            }
            Step::NoEntry => f.write_str("no entry"),
            Step::Relayed { to, sender, kind } => {
                f.write_str("to the other site")?;
                to.as_ref().map_or(Ok(()), |to| write!(f, ", as {to}"))?;
                kind.map_or(Ok(()), |kind| write!(f, " ({})", kind.text()))?;
                f.write_str(sent(Some(*sender)))
            }
            Step::SentTo { mx: Mx::Site(side), sender } => write!(f, "to the MX, the {side}{}", sent(*sender)),
            Step::SentTo { mx: Mx::Elsewhere, sender } => write!(f, "to an MX elsewhere{}", sent(*sender)),
            Step::SentTo { mx: Mx::Nowhere, .. } => f.write_str(Refusal::NoMx.text()),
            Step::Stopped(refusal) => f.write_str(refusal.text()),
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, hop) in self.hops.iter().enumerate() {
            let arrow = if number == 0 { "" } else { " → " };
            write!(f, "{arrow}{hop}")?;
        }
        if self.is_cut { f.write_str(" → …") } else { Ok(()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.address;
        write!(f, "Mail for {address} {} ", self.entry.text())?;
        let people = named(&self.people, self.people_count);
        match self.fault {
            Fault::Loop => f.write_str("goes round without end"),
            Fault::BlackHole => f.write_str("reaches nobody"),
            Fault::ReachesAnother => write!(f, "comes to {people}, who is not to get it"),
            Fault::NotFollowed => write!(f, "lands in a mailbox of {people} into which nobody looks"),
            Fault::Missing => write!(f, "does not always come to {people}"),
            Fault::Twice if self.is_certain => write!(f, "comes to {people} more than once"),
            Fault::Twice => {
                write!(f, "may come to {people} more than once; too much is pending around them to be certain")
            }
            Fault::KeepsCopy => f.write_str("passes a forwarder that keeps a copy"),
            Fault::RefusedBySpf => {
                f.write_str("is refused on its way by SPF where its sender's domain lists its own servers only")
            }
            Fault::RefusedByDmarc => {
                f.write_str("is refused on its way by DMARC where it is unsigned and its sender's domain asks for that")
            }
            Fault::ForbiddenDirection => f.write_str("is forwarded in a direction that the policy does not allow"),
            Fault::InsecureDomain => f.write_str("is sent on to a domain that is not listed as secure"),
            Fault::LeavesUs => f.write_str("leaves both sites"),
        }?;
        write!(f, ": {}", self.witness)?;
        if !self.again.hops.is_empty() {
            write!(f, "; and again: {}", self.again)?;
        }
        write!(f, ". {}", self.fault.advice())
    }
}

fn named(people: &[PersonId], count: usize) -> String {
    let names: Vec<&str> = people.iter().take(NAMED_MAX).map(PersonId::as_str).collect();
    let more = count.saturating_sub(names.len());
    let names = names.join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}
