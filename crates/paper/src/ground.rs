//! What a document stands on: the record, with names for people in place of ids, and who signs.

use document::SignatureLine;
use jiff::Timestamp;
use jiff::civil::Date;
use programme::{
    Assessment, DeliverableOfProfile, DeliveredVersion, DocumentVersion, Gate, MetBy, Record, Said, Scope, Side, Stage,
    Verdict, assess,
};

use crate::{Papers, words};

/// The record that a document is made of.
pub(crate) struct Ground<'a> {
    pub(crate) of: &'a Papers<'a>,
    pub(crate) scope: Scope<'a>,
    /// The document's name.
    pub(crate) name: &'a str,
    /// What it is called.
    pub(crate) kind: &'static str,
}

/// A signature under the document.
pub(crate) struct Signed<'a> {
    /// The role in which it was given.
    pub(crate) role: String,
    /// Who gave it, when, and in what words.
    pub(crate) said: &'a Said,
}

impl<'a> Ground<'a> {
    pub(crate) fn new(of: &'a Papers<'a>, name: &'a str, kind: &'static str, scope: Scope<'a>) -> Self {
        Self { of, scope, name, kind }
    }

    pub(crate) fn record(&self) -> &'a Record {
        self.scope.record
    }

    /// Somebody, by name.
    pub(crate) fn person(&self, who: &str) -> String {
        let title = self.record().people.get(who).map(|person| person.title.trim()).filter(|title| !title.is_empty());
        title.unwrap_or(who).to_owned()
    }

    /// A role, or a side that speaks.
    pub(crate) fn role(&self, id: &str) -> String {
        let role = self.scope.programme.roles.iter().find(|role| role.id == id);
        role.map_or_else(|| words::of_id(id), |role| role.title.clone())
    }

    pub(crate) fn roles(&self, ids: &[String]) -> String {
        ids.iter().map(|id| self.role(id)).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn stage_of(&self, id: &str) -> Option<&'a Stage> {
        self.scope.programme.stages.iter().find(|stage| stage.id == id)
    }

    pub(crate) fn stage(&self, id: &str) -> String {
        self.stage_of(id).map_or_else(|| words::of_id(id), |stage| stage.title.clone())
    }

    /// Stages of the project, in order.
    pub(crate) fn stages(&self) -> impl Iterator<Item = &'a Stage> {
        self.scope.project_type.stages.iter().filter_map(|id| self.stage_of(id))
    }

    /// A date of the record, by what it is: the beginning of a stage, or its own name.
    pub(crate) fn date_name(&self, name: &str) -> String {
        self.stage_of(name).map_or_else(|| words::of_id(name), |stage| format!("{} begins", stage.title))
    }

    /// Who said something and when: "Ida Berg, 4 December 2026".
    pub(crate) fn said(&self, said: &Said) -> String {
        format!("{}, {}", self.person(&said.who), words::day(words::day_of(said.at)))
    }

    /// A list of the profile, where it has one of this id.
    pub(crate) fn list(&self, id: &str) -> Vec<String> {
        let list = self.scope.programme.lists.iter().find(|list| list.id == id);
        list.map(|list| list.lines.iter().map(|line| words::capital(line)).collect()).unwrap_or_default()
    }

    /// A gate as it stands.
    pub(crate) fn assess(&self, gate: &Gate) -> Option<Assessment> {
        let Papers { programme, record, facts, today, .. } = *self.of;
        assess(programme, record, facts, &gate.id, today)
    }

    /// The gate before the first stage in which anything is live.
    pub(crate) fn gate_into_live(&self) -> Option<&'a Gate> {
        let stage = self.stages().find(|stage| !stage.allows.is_empty())?;
        self.scope.gates().into_iter().find(|gate| gate.enters.as_ref() == Some(&stage.id))
    }

    /// The gate at which sides say go.
    pub(crate) fn gate_of_go(&self) -> Option<&'a Gate> {
        let asks = |gate: &&Gate| {
            self.scope.criteria(gate).into_iter().any(|criterion| matches!(criterion.met_by, MetBy::Sides(_)))
        };
        self.scope.gates().into_iter().find(asks)
    }

    /// The deliverable that this document is.
    pub(crate) fn deliverable(&self) -> Option<&'a DeliverableOfProfile> {
        self.scope.deliverables().find(|known| known.document.as_deref() == Some(self.name))
    }

    /// The version of that deliverable that counts.
    pub(crate) fn delivered(&self) -> Option<&'a DeliveredVersion> {
        self.record().deliverables.get(&self.deliverable()?.id)?.current()
    }

    /// Earlier versions of this document.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &'a DocumentVersion> {
        self.all_versions().iter().filter(|version| version.version < self.of.version)
    }

    /// Was it said of what this version is? A complete version that came after the word and before this one asks for another
    /// word; and a word that came after a later version was said of that one.
    fn still_counts(&self, at: Timestamp) -> bool {
        let complete = self.all_versions().iter().filter(|version| !version.is_draft);
        let mut others = complete.filter(|version| version.version != self.of.version);
        let is_of_other = |version: &DocumentVersion| {
            let is_later = version.version > self.of.version;
            if is_later { version.made.at <= at } else { version.made.at > at }
        };
        !others.any(is_of_other)
    }

    fn all_versions(&self) -> &'a [DocumentVersion] {
        self.record().documents.get(self.name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The complete version that was the last one when something was said of the document.
    pub(crate) fn version_at(&self, at: Timestamp) -> Option<&'a DocumentVersion> {
        let versions = self.all_versions().iter().filter(|version| !version.is_draft && version.made.at <= at);
        versions.max_by_key(|version| version.version)
    }

    /// The roles of which one signs this document: those that accept it and stand on another side than who hands it over.
    fn signing_roles(&self) -> Vec<&'a str> {
        let Some(known) = self.deliverable() else {
            let is_owner = |role: &&programme::RoleOfProject| role.side == Side::Organisation && role.is_key;
            return self.scope.programme.roles.iter().find(is_owner).map(|role| role.id.as_str()).into_iter().collect();
        };
        let side = self.scope.answers(known.side);
        let several = self.scope.parties().len() > 1;
        let takes_part = |role: &&String| {
            let of_profile = self.scope.programme.roles.iter().find(|known| known.id == **role);
            let here = self.scope.side_of_role(role);
            of_profile.is_some_and(|known| self.scope.takes_part(known.side)) && (!several || here != Some(side))
        };
        known.accepted_by.iter().filter(takes_part).map(String::as_str).collect()
    }

    /// Under this document, in this role: the signature that a gate asks for in the name of the same requirement, or else the
    /// word that accepts what was handed over.
    fn signed_by(&self, role: &str) -> Option<Signed<'a>> {
        let known = self.deliverable()?;
        let asks = |criterion: &&programme::Criterion| {
            let is_signed = matches!(&criterion.met_by, MetBy::SignedBy(roles) if roles.iter().any(|one| one == role));
            is_signed
                && self.scope.counts(&criterion.types)
                && criterion.requirements.iter().any(|one| known.requirements.contains(one))
        };
        let word = match self.scope.programme.criteria.iter().find(asks) {
            Some(criterion) => self.record().words_on(&criterion.id).remove(role),
            None => self.delivered()?.answer().filter(|word| word.of == role),
        }?;
        let counts = word.verdict == Verdict::Yes && self.still_counts(word.said.at);
        counts.then(|| Signed { role: self.role(role), said: &word.said })
    }

    /// Every signature that this document has.
    pub(crate) fn signed(&self) -> Vec<Signed<'a>> {
        self.signing_roles().into_iter().filter_map(|role| self.signed_by(role)).collect()
    }

    /// Who signs, or has signed: one of those who may, and who hands it over. All lines have to be signed.
    pub(crate) fn signature_lines(&self) -> Vec<SignatureLine> {
        let signed = self.signed();
        let mut lines: Vec<SignatureLine> = signed
            .iter()
            .map(|signed| SignatureLine {
                role: signed.role.clone(),
                name: self.person(&signed.said.who),
                date: Some(words::day_of(signed.said.at)),
            })
            .collect();
        if lines.is_empty() {
            // One of them is enough.
            let roles = self.signing_roles();
            let names: Vec<&str> = roles.iter().flat_map(|role| self.record().holders(role)).collect();
            let roles: Vec<String> = roles.into_iter().map(|role| self.role(role)).collect();
            lines.push(SignatureLine { role: roles.join(" or "), name: names.join(" or "), date: None });
        }
        if let Some(known) = self.deliverable() {
            let side = self.scope.answers(known.side);
            let handed = self.delivered().filter(|version| self.still_counts(version.delivered.at));
            lines.push(SignatureLine {
                role: format!("For the {}, who hands it over", programme::side_name(side)),
                name: handed.map_or_else(|| self.speakers(side), |version| self.person(&version.delivered.who)),
                date: handed.map(|version| words::day_of(version.delivered.at)),
            });
        }
        lines
    }

    /// Who speaks for a side: those who hold its first key role.
    fn speakers(&self, side: Side) -> String {
        let role = self.scope.programme.roles.iter().find(|role| role.side == side && role.is_key);
        role.map(|role| self.record().holders(&role.id).collect::<Vec<_>>().join(" or ")).unwrap_or_default()
    }

    pub(crate) fn today(&self) -> Date {
        self.of.today
    }
}
