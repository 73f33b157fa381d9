//! Sign-offs of rules: whose word takes the place of what the program would look at, or says that it does not count for somebody.

use model::Digest;

use crate::sql::{Alone, Durability, Row, values};
use crate::{Error, ProjectKey, Store};

/// For whom a word counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RuleScope {
    /// For everybody of the project.
    Everybody,
    /// For those of this collection.
    Collection(String),
    /// For this mailbox.
    Mailbox(i64),
}

impl RuleScope {
    /// As the database has it.
    pub fn text(&self) -> String {
        match self {
            Self::Everybody => "everybody".to_owned(),
            Self::Collection(name) => format!("collection/{name}"),
            Self::Mailbox(number) => format!("mailbox/{number}"),
        }
    }

    fn from_text(text: &str) -> Result<Self, Error> {
        match text.split_once('/') {
            None if text == "everybody" => Some(Self::Everybody),
            Some(("collection", name)) => Some(Self::Collection(name.to_owned())),
            Some(("mailbox", number)) => number.parse().map(Self::Mailbox).ok(),
            _ => None,
        }
        .ok_or_else(|| Error::damaged("for whom a word counts"))
    }
}

/// A word about a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRuleWord {
    /// The rule.
    pub rule: String,
    /// For whom.
    pub scope: RuleScope,
    /// Whose word.
    pub said_by: String,
    /// Where it is to be found.
    pub evidence: String,
    /// The digest of the file that it stands in.
    pub digest: Option<Digest>,
    /// Who recorded it.
    pub recorded_by: String,
}

/// A word about a rule, on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleWord {
    /// Its number.
    pub word: i64,
    /// What was said.
    pub is: NewRuleWord,
    /// When it was recorded (milliseconds since 1970).
    pub recorded_at: i64,
    /// Who took it back, and when.
    pub withdrawn: Option<(String, i64)>,
}

impl Store {
    /// Records a word about a rule. Its number.
    pub async fn add_rule_word(&self, key: ProjectKey, new: &NewRuleWord) -> Result<i64, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::People).await?;
        let max = "SELECT max(word) FROM rule_word WHERE organisation = $1 AND project = $2";
        let number = crate::project::next(&mut tx, max, values![key.organisation, key.project]).await?;
        let insert = "INSERT INTO rule_word (organisation, project, word, rule, scope, said_by, evidence, digest, \
            recorded_by, recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, {now})";
        let row = values![
            key.organisation,
            key.project,
            number,
            new.rule.as_str(),
            new.scope.text(),
            new.said_by.as_str(),
            new.evidence.as_str(),
            new.digest.map(|digest| digest.as_bytes().to_vec()),
            new.recorded_by.as_str()
        ];
        tx.execute(insert, row).await?;
        tx.commit().await?;
        Ok(number)
    }

    /// Takes a word about a rule back. False: there is none of this number that counts.
    pub async fn withdraw_rule_word(&self, key: ProjectKey, word: i64, by: &str) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update = "UPDATE rule_word SET withdrawn_by = $4, withdrawn_at = {now} WHERE organisation = $1 \
            AND project = $2 AND word = $3 AND withdrawn_at IS NULL";
        let changed = tx.execute(update, values![key.organisation, key.project, word, by]).await?;
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// Every word about rules, in the order in which they were recorded.
    pub async fn rule_words(&self, key: ProjectKey) -> Result<Vec<RuleWord>, Error> {
        let select = "SELECT word, rule, scope, said_by, evidence, digest, recorded_by, recorded_at, withdrawn_by, \
            withdrawn_at FROM rule_word WHERE organisation = $1 AND project = $2 ORDER BY word";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        rows.iter().map(rule_word).collect()
    }
}

/// Looks into the DNS that are kept of a domain: what is older has long run out.
const MX_LOOKS: i64 = 2000;

impl Store {
    /// Keeps what a look into the DNS saw of a legacy domain.
    pub async fn add_mx_look(&self, key: ProjectKey, domain: &str, what: &str) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        tx.alone(Alone::People).await?;
        let max = "SELECT max(look) FROM mx_look WHERE organisation = $1 AND project = $2 AND domain = $3";
        let number = crate::project::next(&mut tx, max, values![key.organisation, key.project, domain]).await?;
        let insert =
            "INSERT INTO mx_look (organisation, project, domain, look, at, what) VALUES ($1, $2, $3, $4, {now}, $5)";
        tx.execute(insert, values![key.organisation, key.project, domain, number, what]).await?;
        let delete = "DELETE FROM mx_look WHERE organisation = $1 AND project = $2 AND domain = $3 AND look <= $4";
        tx.execute(delete, values![key.organisation, key.project, domain, number - MX_LOOKS]).await?;
        tx.commit().await
    }

    /// What looks into the DNS saw of a legacy domain, the first first.
    pub async fn mx_looks(&self, key: ProjectKey, domain: &str) -> Result<Vec<String>, Error> {
        let select = "SELECT what FROM mx_look WHERE organisation = $1 AND project = $2 AND domain = $3 ORDER BY look";
        let rows = self.database.query(select, values![key.organisation, key.project, domain]).await?;
        Ok(rows.iter().map(|row| row.text(0)).collect())
    }
}

fn rule_word(row: &Row) -> Result<RuleWord, Error> {
    Ok(RuleWord {
        word: row.int(0),
        is: NewRuleWord {
            rule: row.text(1),
            scope: RuleScope::from_text(&row.text(2))?,
            said_by: row.text(3),
            evidence: row.text(4),
            digest: row.blob_or_null(5).and_then(Digest::from_bytes),
            recorded_by: row.text(6),
        },
        recorded_at: row.int(7),
        withdrawn: row.int_or_null(9).map(|at| (row.text(8), at)),
    })
}
