//! What an entry of a map, an alias or a forwarding file sends mail to (`virtual(5)`, `aliases(5)`, `local(8)`).

/// One of the places that mail is sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// An address, or the name of a user of this machine, as it is written; without the backslash that `\ann` has, since Postfix makes nothing
    /// of it.
    Address(String),
    /// A program.
    Program,
    /// A file, or a folder of files.
    File,
    /// `/dev/null`.
    Nowhere,
    /// A file with more of them.
    Include(String),
}

/// Splits a value. Commas, blanks and line ends stand between targets; quotes hold one together, parentheses hold a comment. A line of a file
/// that begins with # is a comment.
pub(crate) fn targets(text: &str) -> Vec<Target> {
    let (mut targets, mut word, mut is_quoted, mut depth) = (Vec::new(), String::new(), false, 0_usize);
    let mut end = |word: &mut String| {
        let text = std::mem::take(word);
        let text = text.trim();
        if !text.is_empty() {
            targets.push(target(text));
        }
    };
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let text = lines.join("\n");
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        // A command outside quotes goes on to the end of the line.
        let in_command = word.starts_with('|') && !is_quoted;
        match c {
            '\\' if !word.is_empty() => word.extend(characters.next()),
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => word.push(c),
            '(' if !in_command => depth += 1,
            ')' if !in_command && depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            ',' | '\n' => end(&mut word),
            c if c.is_whitespace() && !in_command => end(&mut word),
            c => word.push(c),
        }
    }
    end(&mut word);
    targets
}

fn target(word: &str) -> Target {
    let word = word.strip_prefix('<').and_then(|word| word.strip_suffix('>')).unwrap_or(word);
    if word.starts_with('|') {
        return Target::Program;
    }
    let word = word.strip_prefix('\\').unwrap_or(word);
    let lower = word.to_ascii_lowercase();
    if let Some(rest) = lower.strip_prefix(":include:") {
        return Target::Include(word[word.len() - rest.len()..].to_owned());
    }
    // An address may begin with a slash as well; a file has no @ (`local(8)` takes it for a file either way).
    match word {
        "/dev/null" => Target::Nowhere,
        _ if word.starts_with('/') => Target::File,
        _ => Target::Address(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_told_apart() {
        let address = |text: &str| Target::Address(text.to_owned());
        for (text, expected) in [
            ("a@b", vec![address("a@b")]),
            ("a@b, c@d e@f", vec![address("a@b"), address("c@d"), address("e@f")]),
            ("\\ann, x@home.test", vec![address("ann"), address("x@home.test")]),
            ("\"\\Ann\", \"x@home.test\"", vec![address("Ann"), address("x@home.test")]),
            ("\"|/usr/bin/vacation ann, x\"\nx@y", vec![Target::Program, address("x@y")]),
            ("|/usr/bin/procmail -a b", vec![Target::Program]),
            ("|\"/usr/bin/prog a\", x@y", vec![Target::Program, address("x@y")]),
            ("/var/mail/ann, /dev/null", vec![Target::File, Target::Nowhere]),
            (
                ":include:/etc/list, :INCLUDE:/B",
                vec![Target::Include("/etc/list".into()), Target::Include("/B".into())],
            ),
            ("# mine: a@b\nann@x.test (me, too)\r\n", vec![address("ann@x.test")]),
            ("<a@b>,,\n \n", vec![address("a@b")]),
            ("", vec![]),
            ("\"never closed, a@b", vec![address("never closed, a@b")]),
        ] {
            assert_eq!(targets(text), expected, "{text:?}");
        }
    }
}
