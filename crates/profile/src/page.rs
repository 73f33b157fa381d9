//! The page of a profile for people: every rule with its id, what it does, and its value in each edition.

use std::fmt::Write;

use crate::{Error, Profile};

/// A value longer than this stands below the table.
const CELL_CHARS_MAX: usize = 60;

/// The page of all shipped editions of a profile, in Markdown.
pub fn page(name: &str) -> Result<String, Error> {
    let of_name = Profile::names().filter(|known| known.split('@').next() == Some(name));
    let editions = of_name.map(|name| Profile::shipped(&name)).collect::<Result<Vec<_>, _>>()?;
    if editions.is_empty() {
        return Profile::shipped(name).map(|profile| page_of(&[profile]));
    }
    Ok(page_of(&editions))
}

/// The page of these editions of a profile.
fn page_of(editions: &[Profile]) -> String {
    let mut page = String::new();
    let name = editions.first().map_or("", |edition| edition.profile.name.as_str());
    let _ = writeln!(page, "# The profile `{name}`\n");
    let _ = writeln!(page, "Generated from `profiles/{name}`; a test compares the two.\n");
    for edition in editions {
        let about = &edition.profile;
        let _ = writeln!(
            page,
            "- **{}** (version {}): {}. From: {}.",
            about.edition,
            about.version,
            about.title,
            about.sources.join("; ")
        );
    }
    page.push_str("\nA project changes any of these under `[policy]` by the name of the setting.\n\n| Rule | Setting | What it does |");
    for edition in editions {
        let _ = write!(page, " {} |", edition.profile.edition);
    }
    page.push_str("\n|---|---|---|");
    page.push_str(&"---|".repeat(editions.len()));
    page.push('\n');
    let columns: Vec<Vec<crate::RuleLine>> = editions.iter().map(|edition| edition.policy.rules()).collect();
    let mut below = String::new();
    for (index, rule) in columns.first().into_iter().flatten().enumerate() {
        let _ = write!(page, "| `{}` | `{}` | {} |", rule.id, rule.setting, cell(&rule.sentence));
        for (column, edition) in columns.iter().zip(editions) {
            match &column[index].value {
                Some(value) if value.chars().count() > CELL_CHARS_MAX => {
                    page.push_str(" below |");
                    let edition = &edition.profile.edition;
                    let _ = write!(below, "\n## `{}` in {edition}\n\n{}\n", rule.id, cell(value));
                }
                Some(value) => {
                    let _ = write!(page, " {} |", cell(value));
                }
                None => page.push_str(" – |"),
            }
        }
        page.push('\n');
    }
    page + &below + &people_of(editions) + &switching_of(editions)
}

/// What these editions ask of accounts, lists and their names.
fn people_of(editions: &[Profile]) -> String {
    let heading = "Accounts, lists and their names\n\nA project changes these under `[people.rules]`. See [people](../people.md).";
    let rules = editions.iter().map(|edition| {
        let rules: people::PeopleRules = edition.people.clone().try_into().unwrap_or_default();
        toml::Table::try_from(rules).unwrap_or_default()
    });
    part(heading, &schemars::schema_for!(people::PeopleRules).to_value(), editions, &rules.collect::<Vec<_>>())
}

/// What these editions say of mail on its way.
fn switching_of(editions: &[Profile]) -> String {
    let heading = "Mail on its way, and what ends when\n\nIn `[switch]` of the profile; where a project's setting goes before one, the line says \
                   which. See [the switch](../switch.md) and [MX records](../mx.md).";
    let rules = editions.iter().map(|edition| toml::Table::try_from(&edition.switch).unwrap_or_default());
    part(heading, &schemars::schema_for!(crate::Switching).to_value(), editions, &rules.collect::<Vec<_>>())
}

/// A part of the page: each property of a schema, and its value in each edition.
fn part(heading: &str, schema: &serde_json::Value, editions: &[Profile], rules: &[toml::Table]) -> String {
    let Some(properties) = schema.get("properties").and_then(|properties| properties.as_object()) else {
        return String::new();
    };
    let mut page = format!("\n## {heading}\n\n| Setting | What it is |");
    for edition in editions {
        let _ = write!(page, " {} |", edition.profile.edition);
    }
    page.push_str("\n|---|---|");
    page.push_str(&"---|".repeat(editions.len()));
    page.push('\n');
    for (name, property) in properties {
        let what = property.get("description").and_then(|text| text.as_str()).unwrap_or_default().replace('\n', " ");
        let _ = write!(page, "| `{name}` | {} |", cell(&what));
        for rules in rules {
            match rules.get(name) {
                Some(value) => {
                    let _ = write!(page, " `{}` |", cell(&value.to_string()));
                }
                None => page.push_str(" – |"),
            }
        }
        page.push('\n');
    }
    page
}

/// Text that breaks no table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
