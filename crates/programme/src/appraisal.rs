//! The options appraisal: which kind of project the answers of an organisation speak for, and why.
//!
//! The rules are rows of the profile, each a list of conditions that all hold or a rule that stays silent. Rules may
//! speak for different kinds: then the first one in the profile's order decides, so that the strongest reason stands first
//! there. All that spoke are shown, and of the silent ones what kept them silent: the organisation may decide
//! otherwise, and has to see against what. Nobody guesses: an empty answer keeps a rule silent.

use serde::Serialize;

use crate::data::{AppraisalRule, Condition, Programme};

/// What the answers speak for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Appraisal {
    /// The kind of project of the first rule that spoke; none where every rule is silent, and the organisation decides.
    pub recommends: Option<String>,
    /// Rules that spoke, the one that decided first.
    pub spoke: Vec<Spoke>,
    /// Rules that stayed silent.
    pub silent: Vec<Silent>,
}

impl Appraisal {
    /// Do rules speak for different kinds?
    pub fn is_contradictory(&self) -> bool {
        self.spoke.iter().any(|rule| Some(&rule.recommends) != self.recommends.as_ref())
    }
}

/// A rule that spoke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Spoke {
    /// The rule.
    pub rule: String,
    /// The kind of project that it speaks for.
    pub recommends: String,
    /// Why, for people.
    pub why: String,
    /// What held: one sentence for each condition.
    pub held: Vec<String>,
}

/// A rule that stayed silent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Silent {
    /// The rule.
    pub rule: String,
    /// The kind of project that it would have spoken for.
    pub recommends: String,
    /// What did not hold: one sentence for each condition.
    pub lacked: Vec<String>,
}

/// Appraises these answers: each is asked for by form and field.
pub fn appraise<'a>(programme: &Programme, answer: impl Fn(&str, &str) -> Option<&'a str>) -> Appraisal {
    let mut appraisal = Appraisal { recommends: None, spoke: Vec::new(), silent: Vec::new() };
    for rule in &programme.appraisal {
        let AppraisalRule { id, recommends, why, when, .. } = rule;
        let (mut held, mut lacked) = (Vec::new(), Vec::new());
        for condition in when {
            let given = condition.field.split_once('.').and_then(|(form, field)| answer(form, field));
            match holds(condition, given.map(str::trim).filter(|given| !given.is_empty())) {
                Ok(sentence) => held.push(sentence),
                Err(sentence) => lacked.push(sentence),
            }
        }
        let (rule, recommends) = (id.clone(), recommends.clone());
        if lacked.is_empty() {
            appraisal.recommends.get_or_insert_with(|| recommends.clone());
            appraisal.spoke.push(Spoke { rule, recommends, why: why.clone(), held });
        } else {
            appraisal.silent.push(Silent { rule, recommends, lacked });
        }
    }
    appraisal
}

/// Does a condition hold, and in which sentence?
fn holds(condition: &Condition, given: Option<&str>) -> Result<String, String> {
    let field = &condition.field;
    let Some(given) = given else { return Err(format!("{field} is not answered")) };
    let said = |is_so: bool, what: String| {
        if is_so { Ok(format!("{field} is {given}: {what}")) } else { Err(format!("{field} is {given}, not {what}")) }
    };
    if let Some(words) = &condition.is {
        return said(words.iter().any(|word| word == given), words.join(" or "));
    }
    let Ok(number) = given.parse::<u64>() else { return Err(format!("{field} is {given:?}, which is no number")) };
    let above = condition.above.is_none_or(|above| number > above);
    let at_most = condition.at_most.is_none_or(|at_most| number <= at_most);
    let above_text = condition.above.map(|above| format!("above {above}"));
    let at_most_text = condition.at_most.map(|at_most| format!("at most {at_most}"));
    let what: Vec<String> = above_text.into_iter().chain(at_most_text).collect();
    said(above && at_most, what.join(" and "))
}
