//! Licence expressions (SPDX, annex D), as far as packages write them: names, `OR`, `AND`, `WITH`, parentheses, and the
//! older `/`, which means `OR`.

use std::iter::Peekable;

/// Parentheses within each other; a manifest has two at most.
const DEPTH_MAX: usize = 20;

/// Is what this expression asks for allowed? Of an `OR` one side has to be, of an `AND` both. A licence `WITH` an exception
/// is one name, spaces included. Fails, with what was not understood, on anything else.
pub(crate) fn is_allowed(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let answer = any(&mut words, allowed, 0)?;
    match words.next() {
        None => Ok(answer),
        Some(word) => Err(format!("{word:?} is not expected")),
    }
}

fn any<'w, W: Iterator<Item = &'w str>>(
    words: &mut Peekable<W>,
    allowed: &dyn Fn(&str) -> bool,
    depth: usize,
) -> Result<bool, String> {
    let mut answer = all(words, allowed, depth)?;
    while words.next_if_eq(&"OR").is_some() {
        answer |= all(words, allowed, depth)?;
    }
    Ok(answer)
}

fn all<'w, W: Iterator<Item = &'w str>>(
    words: &mut Peekable<W>,
    allowed: &dyn Fn(&str) -> bool,
    depth: usize,
) -> Result<bool, String> {
    let mut answer = one(words, allowed, depth)?;
    while words.next_if_eq(&"AND").is_some() {
        answer &= one(words, allowed, depth)?;
    }
    Ok(answer)
}

fn one<'w, W: Iterator<Item = &'w str>>(
    words: &mut Peekable<W>,
    allowed: &dyn Fn(&str) -> bool,
    depth: usize,
) -> Result<bool, String> {
    if words.next_if_eq(&"(").is_some() {
        if depth == DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} parentheses within each other"));
        }
        let answer = any(words, allowed, depth + 1)?;
        return words.next_if_eq(&")").map(|_| answer).ok_or_else(|| "a parenthesis is not closed".to_owned());
    }
    let name = name(words)?;
    if words.next_if_eq(&"WITH").is_some() {
        let exception = self::name(words)?;
        return Ok(allowed(&format!("{name} WITH {exception}")));
    }
    Ok(allowed(name))
}

fn name<'w, W: Iterator<Item = &'w str>>(words: &mut Peekable<W>) -> Result<&'w str, String> {
    let is_name = |word: &str| {
        !["OR", "AND", "WITH"].contains(&word)
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.+:".contains(&byte))
    };
    match words.next() {
        Some(word) if is_name(word) => Ok(word),
        Some(word) => Err(format!("{word:?} is no name of a licence")),
        None => Err("it ends too early".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(expression: &str) -> Result<bool, String> {
        let allowed = ["MIT", "Apache-2.0", "ISC", "Apache-2.0 WITH LLVM-exception"];
        is_allowed(expression, &|name| allowed.contains(&name))
    }

    #[test]
    fn expressions_mean_what_the_standard_says() {
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("mit", false),
            ("GPL-3.0-only OR MIT", true),
            ("MIT OR GPL-3.0-only", true),
            ("GPL-3.0-only OR LGPL-2.1-only", false),
            ("MIT AND ISC", true),
            ("MIT AND GPL-3.0-only", false),
            // AND binds closer than OR.
            ("MIT OR ISC AND GPL-3.0-only", true),
            ("GPL-3.0-only AND ISC OR MIT", true),
            ("GPL-3.0-only AND (ISC OR MIT)", false),
            ("(MIT OR GPL-3.0-only) AND (ISC)", true),
            ("((MIT))", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0-only / MIT", true),
            ("Unlicense/GPL-3.0-only", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT WITH LLVM-exception", false),
            ("GPL-2.0-only WITH Classpath-exception-2.0 OR MIT", true),
            ("(MIT OR Apache-2.0) AND GPL-3.0-only", false),
        ] {
            assert_eq!(allows(expression), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_not_taken_for_one() {
        for wrong in ["", "MIT ISC", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT WITH", "MIT AND AND ISC", "()", "MI,T"] {
            assert!(allows(wrong).is_err(), "{wrong}");
        }
        let deep = format!("{}MIT{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(allows(&deep).unwrap_err().contains("parentheses"));
    }
}
