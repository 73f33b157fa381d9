//! Other ways to look at the criteria of a governed project, as the checklist of six stages: each line is one criterion.

use std::collections::BTreeMap;

use programme::Item;
use serde::Serialize;

use super::Governed;
use crate::Error;

/// Every view of the profile.
#[derive(Clone, Debug, Serialize)]
pub struct ViewsShow {
    /// Each of them.
    pub views: Vec<ViewShow>,
}

/// A view.
#[derive(Clone, Debug, Serialize)]
pub struct ViewShow {
    /// Its id.
    pub view: String,
    /// Its name for people.
    pub title: String,
    /// Its parts.
    pub parts: Vec<ViewPart>,
}

/// A part of a view.
#[derive(Clone, Debug, Serialize)]
pub struct ViewPart {
    /// Its name for people.
    pub title: String,
    /// How many of its lines are met.
    pub met: usize,
    /// Its lines.
    pub lines: Vec<ViewLine>,
}

/// A line of a view.
#[derive(Clone, Debug, Serialize)]
pub struct ViewLine {
    /// What it says.
    pub title: String,
    /// The criterion that it is.
    pub criterion: String,
    /// `met`, `open`, `no`; or `not-asked`, where no gate of this kind of project asks it.
    pub state: &'static str,
    /// What it is met by, or what was seen instead.
    pub by: String,
}

impl Governed {
    /// The views of the profile, each line as its criterion stands.
    pub async fn views(&self) -> Result<ViewsShow, Error> {
        let gates = self.gates(None).await?.gates;
        let items: BTreeMap<&str, &Item> =
            gates.iter().flat_map(|gate| &gate.items).map(|item| (item.criterion.as_str(), item)).collect();
        let line = |line: &programme::Line| {
            let item = items.get(line.criterion.as_str());
            let (state, by) = match item {
                None => ("not-asked", String::new()),
                Some(item) if item.is_met => ("met", item.by.clone()),
                Some(item) if item.is_refused => ("no", item.by.clone()),
                Some(item) => ("open", item.by.clone()),
            };
            ViewLine { title: line.title.clone(), criterion: line.criterion.clone(), state, by }
        };
        let part = |part: &programme::Part| {
            let lines: Vec<ViewLine> = part.lines.iter().map(line).collect();
            let met = lines.iter().filter(|line| line.state == "met").count();
            ViewPart { title: part.title.clone(), met, lines }
        };
        let view = |view: &programme::View| ViewShow {
            view: view.id.clone(),
            title: view.title.clone(),
            parts: view.parts.iter().map(part).collect(),
        };
        Ok(ViewsShow { views: self.programme.views.iter().map(view).collect() })
    }
}
