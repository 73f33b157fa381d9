//! Links in Markdown: those within the repository lead somewhere.

use std::collections::BTreeSet;

use super::at;
use crate::files::File;

/// Links that lead nowhere: to a file that is not there, or to a heading that it does not have.
pub(super) fn broken(files: &[File], paths: &[String]) -> Vec<String> {
    let pages = files.iter().filter(|file| file.has_extension("md"));
    pages.flat_map(|page| broken_in(page, files, paths)).collect()
}

fn broken_in(page: &File, files: &[File], paths: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, target) in targets(&page.text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (path, heading) = target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
        let Some(path) = resolve(&page.path, path) else {
            wrong.push(at(page, number, &format!("the link {target:?} leads out of the repository")));
            continue;
        };
        let is_folder = || path.is_empty() || paths.iter().any(|known| known.starts_with(&format!("{path}/")));
        if !paths.contains(&path) && !is_folder() {
            wrong.push(at(page, number, &format!("the link {target:?} leads to no file: there is no {path}")));
        } else if let Some(heading) = heading
            && let Some(file) = files.iter().find(|file| file.path == path && file.has_extension("md"))
            && !headings(&file.text).contains(heading)
        {
            wrong.push(at(page, number, &format!("the link {target:?} leads to no heading of {path}")));
        }
    }
    wrong
}

/// Lines of a page that are text, counted from 1: those between fences are not.
fn text_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        (!in_code && !is_fence).then_some((index + 1, line))
    })
}

/// The targets of links, each with its line.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut targets = Vec::new();
    for (number, line) in text_lines(text) {
        let mut is_code = false;
        let mut previous = ' ';
        for (index, c) in line.char_indices() {
            is_code ^= c == '`';
            if !is_code
                && previous == ']'
                && c == '('
                && let Some((target, _)) = line[index + 1..].split_once(')')
            {
                targets.push((number, target.split_whitespace().next().unwrap_or_default()));
            }
            previous = c;
        }
    }
    targets
}

/// The path that a link of this page leads to; none when it leads out of the repository.
fn resolve(page: &str, target: &str) -> Option<String> {
    if target.is_empty() {
        return Some(page.to_owned());
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The names under which a page's headings are linked to.
fn headings(text: &str) -> BTreeSet<String> {
    let titles = text_lines(text).filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len() && title.starts_with(' ')).then(|| title.trim())
    });
    let name = |title: &str| {
        let kept = title.to_lowercase().replace(' ', "-");
        kept.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect::<String>()
    };
    titles.map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> Vec<String> {
        let files = [
            File::new("docs/page.md", text),
            File::new("docs/other.md", "# The other\n\n## What it's *for*: a test\n"),
            File::new("README.md", "# Read me\n"),
        ];
        let paths: Vec<String> = ["docs/page.md", "docs/other.md", "README.md", "LICENSE", "docs/decisions/0001.md"]
            .map(str::to_owned)
            .into();
        broken(&files, &paths)
    }

    #[test]
    fn links_that_lead_somewhere_are_well() {
        let text = "# Here\n[a](other.md) [b](../README.md#read-me) [c](./decisions/0001.md \"title\") [d](#here)\n\
            [e](https://x.example/none) [f](mailto:a@b.example) [g](../LICENSE) [h](decisions) [i](../)\n\
            [j](other.md#what-its-for-a-test) `[k](none.md)`\n```\n[l](none.md)\n```\n";
        assert_eq!(complaints(text), Vec::<String>::new());
    }

    #[test]
    fn links_that_lead_nowhere_are_named_with_their_line() {
        let wrong = complaints("\n[a](none.md)\n[b](../../outside) and [c](other.md#nothing)\n[d](#nowhere)\n");
        assert_eq!(wrong.len(), 4);
        assert!(wrong[0].starts_with("docs/page.md:2: the link \"none.md\" leads to no file"), "{}", wrong[0]);
        assert!(wrong[1].starts_with("docs/page.md:3: the link \"../../outside\" leads out"), "{}", wrong[1]);
        assert!(wrong[2].contains("no heading of docs/other.md") && wrong[3].contains("no heading of docs/page.md"));
    }
}
