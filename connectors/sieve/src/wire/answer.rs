//! Answers, and the words they are made of (RFC 5804 sections 1.2, 1.3 and 4).

/// A word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Atom(String),
    /// A string, between quotes or as a literal.
    Text(Vec<u8>),
    Open,
    Close,
}

impl Word {
    pub(crate) fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn is_atom(&self, name: &str) -> bool {
        matches!(self, Self::Atom(atom) if atom.eq_ignore_ascii_case(name))
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    No,
    /// The server ends the connection.
    Bye,
}

/// What a server said to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The lines before the last one.
    pub(crate) data: Vec<Vec<Word>>,
    pub(crate) status: Status,
    /// The response code, in capitals, such as `QUOTA/MAXSIZE`; empty without one.
    pub(crate) code: String,
    /// What else stands in the code.
    pub(crate) code_text: Option<String>,
    /// Words for people.
    pub(crate) text: String,
}

impl Answer {
    /// The end of an answer, if the line is one.
    pub(crate) fn end(line: &[Word]) -> Option<Self> {
        let first = line.first()?;
        let statuses = [("OK", Status::Ok), ("NO", Status::No), ("BYE", Status::Bye)];
        let status = statuses.iter().find(|(name, _)| first.is_atom(name))?.1;
        let mut answer = Self { data: Vec::new(), status, code: String::new(), code_text: None, text: String::new() };
        let mut in_code = false;
        for word in &line[1..] {
            match word {
                Word::Open => in_code = true,
                Word::Close => in_code = false,
                Word::Atom(atom) if in_code && answer.code.is_empty() => answer.code = atom.to_ascii_uppercase(),
                Word::Text(text) if in_code => {
                    answer.code_text.get_or_insert_with(|| presentable(text));
                }
                Word::Text(text) => answer.text = presentable(text),
                Word::Atom(_) => {}
            }
        }
        Some(answer)
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.status == Status::Ok
    }

    /// Is the response code this one, or a more exact one below it?
    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.code.split('/').next() == Some(code)
    }
}

/// What a server said, for people: one line, not too long, without what could mislead.
fn presentable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect::<String>();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_answers_are_told() {
        let atom = |text: &str| Word::Atom(text.to_owned());
        let text = |text: &str| Word::Text(text.as_bytes().to_vec());
        let line = [atom("no"), Word::Open, atom("Quota/MaxSize"), Word::Close, text("too\r\n\x1b large")];
        let answer = Answer::end(&line).unwrap();
        assert_eq!(
            (answer.status, answer.code.as_str(), answer.text.as_str()),
            (Status::No, "QUOTA/MAXSIZE", "too large")
        );
        assert!(answer.has_code("QUOTA") && !answer.has_code("QUOTA/MAXSIZE") && !answer.has_code("Q"));
        let answer =
            Answer::end(&[atom("BYE"), Word::Open, atom("REFERRAL"), text("sieve://other"), Word::Close]).unwrap();
        assert_eq!((answer.status, answer.code_text.as_deref()), (Status::Bye, Some("sieve://other")));
        assert!(Answer::end(&[atom("OK")]).unwrap().is_ok());
        assert_eq!(Answer::end(&[text("OK")]), None);
        assert_eq!(Answer::end(&[]), None);
    }
}
