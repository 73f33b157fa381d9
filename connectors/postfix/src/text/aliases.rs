//! A file of aliases (`aliases(5)`): names of this machine's users and where their mail goes.

use super::table::Entry;

/// The name and the value of an entry that was read as a table's: `name: value`, the name perhaps in quotes.
pub(crate) fn alias(entry: &Entry) -> Option<(String, String)> {
    let whole = format!("{} {}", entry.key, entry.value);
    let (name, value) = match whole.strip_prefix('"') {
        Some(rest) => {
            let (name, rest) = rest.split_once('"')?;
            (name.to_owned(), rest.trim_start().strip_prefix(':')?.to_owned())
        }
        None => {
            let (name, value) = whole.split_once(':')?;
            (name.to_owned(), value.to_owned())
        }
    };
    Some((name.trim().to_lowercase(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::table::Text;

    #[test]
    fn aliases_have_a_colon() {
        let text = "ann: x@y, \\ann\nbob:bob2\n\"the team\" : a,\n  b\nc : :include:/Etc/List\nno alias\n";
        let text = Text::new(text.into());
        let read: Vec<_> = text.entries().iter().filter_map(alias).collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            read,
            [
                pair("ann", "x@y, \\ann"),
                pair("bob", "bob2"),
                pair("the team", "a,  b"),
                pair("c", ":include:/Etc/List")
            ]
        );
    }
}
