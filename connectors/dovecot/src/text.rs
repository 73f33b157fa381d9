//! The lines of the file. Pure.
//!
//! A line is `name:password:uid:gid:gecos:home:shell:extra`, where what is left out at the end is empty. A denying `passdb` looks at the name
//! alone, and no `passwd-file` at `gecos`: there stands our mark. What is not ours stays byte for byte.

/// What stands in the field `gecos` of ours.
const MARK: &str = "whimbrel";

/// Whose a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Ours,
    Site,
}

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct List {
    /// Each line with its end.
    lines: Vec<Vec<u8>>,
}

impl List {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self { lines: bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect() }
    }

    /// How many names there are.
    pub(crate) fn count(&self) -> usize {
        self.lines.iter().filter(|line| parse(line).is_some()).count()
    }

    /// The lines with this name, each with its number.
    pub(crate) fn of<'l>(&'l self, name: &'l str) -> impl Iterator<Item = (Whose, usize)> + 'l {
        let numbered = self.lines.iter().enumerate();
        numbered.filter_map(move |(number, line)| {
            let (own, whose) = parse(line)?;
            (own == name.as_bytes()).then_some((whose, number + 1))
        })
    }

    /// The file with a line of ours for each of these names, or without any.
    pub(crate) fn with(&self, names: &[String], is_closed: bool) -> Vec<u8> {
        let is_theirs = |line: &&Vec<u8>| {
            let Some((own, Whose::Ours)) = parse(line) else { return false };
            names.iter().any(|name| name.as_bytes() == own)
        };
        let mut bytes: Vec<u8> = Vec::new();
        let mut left = names.iter().collect::<Vec<_>>();
        for line in &self.lines {
            let is_kept = if is_theirs(&line) {
                // Twice the same would be a mistake to Dovecot.
                let place = left.iter().position(|name| parse(line).is_some_and(|(own, _)| own == name.as_bytes()));
                is_closed && place.map(|place| left.remove(place)).is_some()
            } else {
                true
            };
            if is_kept {
                bytes.extend_from_slice(line);
            }
        }
        if !is_closed {
            return bytes;
        }
        for name in left {
            // Whom the site itself denies needs no line of ours.
            if self.of(name).any(|(whose, _)| whose == Whose::Site) {
                continue;
            }
            if bytes.last().is_some_and(|byte| *byte != b'\n') {
                bytes.push(b'\n');
            }
            bytes.extend_from_slice(format!("{name}::::{MARK}\n").as_bytes());
        }
        bytes
    }
}

/// The name in a line, and whose it is; none of a comment or an empty line.
fn parse(line: &[u8]) -> Option<(&[u8], Whose)> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut fields = line.split(|byte| *byte == b':');
    let name = fields.next()?;
    if name.is_empty() || name.starts_with(b"#") {
        return None;
    }
    let is_ours = fields.nth(3).is_some_and(|gecos| gecos == MARK.as_bytes());
    Some((name, if is_ours { Whose::Ours } else { Whose::Site }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn with(text: &str, of: &[&str], is_closed: bool) -> String {
        String::from_utf8(List::new(text.as_bytes()).with(&names(of), is_closed)).unwrap()
    }

    #[test]
    fn what_comes_goes_again_and_nothing_else_changes() {
        for site in ["", "# whom we deny\n", "eve\nmal:x:::gone:\n", "no end", "crlf\r\n\r\n"] {
            let closed = with(site, &["ann@hill.test", "ann"], true);
            assert!(closed.starts_with(site) && closed.contains("\nann::::whimbrel\n"), "{closed:?}");
            assert_eq!(with(&closed, &["ann@hill.test", "ann"], true), closed, "once");
            let opened = with(&closed, &["ann", "ann@hill.test"], false);
            let expected = if site.is_empty() || site.ends_with('\n') { site.to_owned() } else { format!("{site}\n") };
            assert_eq!(opened, expected);
        }
        assert_eq!(with("ben::::whimbrel\n", &["ann"], false), "ben::::whimbrel\n");
        assert_eq!(with("ann::::whimbrel\nann::::whimbrel\n", &["ann"], true), "ann::::whimbrel\n");
    }

    #[test]
    fn whom_the_site_denies_is_its_own_affair() {
        for site in ["ann\n", "ann:::::::\n", "ann:x:::somebody\n"] {
            assert_eq!(with(site, &["ann"], true), site);
            assert_eq!(with(site, &["ann"], false), site);
            assert_eq!(List::new(site.as_bytes()).of("ann").collect::<Vec<_>>(), [(Whose::Site, 1)]);
        }
        let list = List::new(b"#ann::::whimbrel\n\nannie\nann::::whimbrel\n");
        assert_eq!((list.of("ann").collect::<Vec<_>>(), list.count()), (vec![(Whose::Ours, 4)], 2));
    }
}
