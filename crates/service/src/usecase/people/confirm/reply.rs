//! What a reply says: one answer, and codes. What may be read in two ways is no answer.

use super::Confirmed;
use super::code::Code;

/// What a reply says.
#[derive(Clone)]
pub(super) struct Reply {
    pub(super) answer: Confirmed,
    /// The codes in it, those of the quoted letter, too.
    pub(super) codes: Vec<Code>,
}

/// The words that are answers.
const ANSWERS: [(&str, Confirmed); 3] =
    [("OTHER", Confirmed::SomebodyElse), ("STAYS", Confirmed::Stays), ("MOVED", Confirmed::Transferred)];
/// What may stand beside an answer and its code.
const BESIDES: [&str; 7] = ["AND", "CODE", "FIRST", "IS", "MY", "SECOND", "THE"];

/// Reads a reply; or why it is none.
pub(super) fn read(message: &[u8]) -> Result<Reply, &'static str> {
    let text = text_of(message)?;
    let mut answers = unquoted(&text).into_iter().filter_map(answer_in);
    let Some(answer) = answers.next() else {
        return Err("no line of it is one of the words OTHER, STAYS and MOVED");
    };
    if answers.any(|other| other != answer) {
        return Err("it holds several answers");
    }
    Ok(Reply { answer, codes: Code::all_in(&text) })
}

/// The text of a message: the plain one, where it has both.
fn text_of(message: &[u8]) -> Result<String, &'static str> {
    let is_text = |_: &str, mime: &str| matches!(mime, "text/plain" | "text/html" | "");
    let found = inspection::attached(&message, &is_text).map_err(|_| "it can't be read")?;
    if found.unseen.contains(&inspection::Unseen::Ambiguous) {
        return Err("it may be read in two ways");
    }
    let of =
        |mimes: &[&str]| found.files.iter().find(|part| part.name.is_empty() && mimes.contains(&part.mime.as_str()));
    // Answers and codes are plain letters in whatever character set.
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match (of(&["text/plain", ""]), of(&["text/html"])) {
        (Some(plain), _) => Ok(text(&plain.bytes)),
        (None, Some(html)) => Ok(without_tags(&text(&html.bytes))),
        (None, None) => Err("it has no text"),
    }
}

/// The lines that are not marked as quoted, without those that say whom is quoted.
fn unquoted(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_quoted = |line: &str| line.starts_with(['>', '|']);
    let says_whom = |at: usize| lines[at].ends_with(':') && lines.get(at + 1).is_some_and(|next| is_quoted(next));
    (0..lines.len()).filter(|at| !is_quoted(lines[*at]) && !says_whom(*at)).map(|at| lines[at]).collect()
}

/// The answer that a line is: a word with its code, and nothing else.
fn answer_in(line: &str) -> Option<Confirmed> {
    let is_sign = |c: char| !c.is_alphanumeric();
    let mut words = line.split_whitespace().filter(|word| !word.trim_matches(is_sign).is_empty());
    let first = words.next()?.trim_matches(is_sign).to_uppercase();
    let (_, answer) = ANSWERS.into_iter().find(|(word, _)| *word == first)?;
    let is_beside = |word: &str| {
        let word = word.trim_matches(is_sign).to_uppercase();
        BESIDES.contains(&word.as_str()) || Code::all_in(&word).len() == 1
    };
    words.all(is_beside).then_some(answer)
}

/// A page's text, line by line.
fn without_tags(html: &str) -> String {
    const LINES: [&str; 8] = ["br", "p", "div", "li", "tr", "table", "h1", "blockquote"];
    const UNSEEN: [&str; 3] = ["style", "script", "head"];
    let (mut out, mut rest, mut within) = (String::new(), html, None::<String>);
    while let Some((text, after)) = rest.split_once('<') {
        if within.is_none() {
            out.push_str(&text.replace(['\r', '\n'], " "));
        }
        let Some((tag, after)) = after.split_once('>') else { return out };
        let is_end = tag.starts_with('/');
        let name = tag.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        match &within {
            Some(outer) if is_end && *outer == name => within = None,
            None if !is_end && UNSEEN.contains(&name.as_str()) => within = Some(name),
            None if LINES.contains(&name.as_str()) => out.push('\n'),
            _ => {}
        }
        rest = after;
    }
    out.push_str(if within.is_none() { rest } else { "" });
    for (written, meant) in [("&nbsp;", " "), ("&#8211;", "-"), ("&ndash;", "-"), ("&gt;", ">"), ("&amp;", "&")] {
        out = out.replace(written, meant);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "7KQF-2M9D-XH4T-P0RW";

    fn of(text: &str) -> Result<(Confirmed, usize), &'static str> {
        let message = format!("Content-Type: text/plain; charset=utf-8\n\n{text}").replace('\n', "\r\n");
        read(message.as_bytes()).map(|reply| (reply.answer, reply.codes.len()))
    }

    #[test]
    fn one_line_is_the_answer_wherever_it_stands() {
        let quoted = "On Thursday Hill Trust wrote:\n> STAYS\n>    OTHER    The account is\n> AAAA-BBBB-CCCC-DDDD";
        for (text, answer, codes) in [
            ("OTHER", Confirmed::SomebodyElse, 0),
            ("other.\n\nAnn Lee", Confirmed::SomebodyElse, 0),
            (&*format!("*Moved* {CODE}\n{quoted}"), Confirmed::Transferred, 2),
            (&*format!("{quoted}\n\nHello,\nSTAYS, second code: {CODE}\nAnn"), Confirmed::Stays, 2),
            // Outlook marks nothing that it quotes.
            ("STAYS\n\nFrom: Hill Trust\n    OTHER    The account is somebody else's.", Confirmed::Stays, 0),
            (&*format!("MOVED\n{CODE}\nThis mail and any other attachment are private."), Confirmed::Transferred, 1),
        ] {
            assert_eq!(of(text), Ok((answer, codes)), "{text}");
        }
    }

    #[test]
    fn what_is_not_clear_is_no_answer() {
        for text in [
            "",
            "Yes, that is me",
            "It is not mine, somebody other has it",
            "other people use it",
            "STAYS\nOTHER",
            "MOVED or STAYS",
            "> OTHER",
            "Do I answer OTHER?",
        ] {
            assert!(of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_page_is_read_by_its_text() {
        let html = format!(
            "<html><head><style>p {{ x }}</style></head><body><p>STAYS&nbsp;{CODE}</p><div>Ann<br>Lee</div>\
             <blockquote>OTHER The account</blockquote></body></html>"
        );
        let message = format!("Content-Type: text/html\r\n\r\n{html}");
        let reply = read(message.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((reply.answer, reply.codes.len()), (Confirmed::Stays, 1));
        let both = "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nOTHER\r\n--b\r\n\
             Content-Type: text/html\r\n\r\n<p>STAYS</p>\r\n--b--\r\n";
        assert_eq!(read(both.as_bytes()).map(|reply| reply.answer), Ok(Confirmed::SomebodyElse));
    }
}
