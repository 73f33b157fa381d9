//! Where a person's mail goes: our redirect, and every other that is or may come into force.

use connector::Routing;
use connector::router::{Force, Forwarder, ForwarderOwner, LocalCopy, OurRedirect};

use super::release::{Step, steps};
use super::script::{Site, evidence};
use crate::text::scan::{Include, Scan, scan};

/// What the person's scripts say.
pub(crate) fn routing(site: &Site, base: &str, may_redirect: bool) -> Routing {
    let ours = site.ours(base);
    let redirect = ours.first().map(|(script, marked)| {
        let instead = match site.active() {
            Some(active) => format!("script {:?} is active instead of ours, {:?}", active.name, script.name),
            None => format!("our script {:?} is not active, and no other is", script.name),
        };
        let ineffective = match (script.active, may_redirect) {
            (true, true) => None,
            (true, false) => Some("the server lets no script redirect, so mail stays".to_owned()),
            (false, _) => Some(instead),
        };
        OurRedirect { to: marked.block.to.clone(), ineffective }
    });
    let mut reading = Reading { scripts: texts(site, base), found: Routing::default() };
    reading.follow(released(site, base).as_deref());
    let mut unread: Vec<String> = site
        .scripts
        .iter()
        .filter(|script| script.text.is_none())
        .map(|script| match &script.refused {
            Some(error) => format!("script {:?} was not read: {error}", script.name),
            None => format!("script {:?} was not read: there are too many", script.name),
        })
        .collect();
    unread.append(&mut reading.found.unread);
    Routing { ours: redirect, others: reading.found.others, unread, evidence: evidence(site, base) }
}

/// The scripts with their texts, as they would be without us.
fn texts(site: &Site, base: &str) -> Vec<(String, Vec<u8>)> {
    let mut texts: Vec<(String, Vec<u8>)> =
        site.scripts.iter().filter_map(|script| Some((script.name.clone(), script.text.clone()?))).collect();
    for (script, marked) in site.ours(base) {
        for step in steps(site, script, &marked).0 {
            match step {
                Step::Put(name, text) => {
                    texts.iter_mut().filter(|(own, _)| *own == name).for_each(|(_, own)| own.clone_from(&text));
                }
                Step::Delete(name) => texts.retain(|(own, _)| *own != name),
                Step::Activate(_) => {}
            }
        }
    }
    texts
}

/// The script that would be active without us.
fn released(site: &Site, base: &str) -> Option<String> {
    let active = site.active()?.name.clone();
    let ours = site.ours(base);
    let Some((script, marked)) = ours.iter().find(|(script, _)| script.active) else { return Some(active) };
    let activated = steps(site, script, marked).0.into_iter().find_map(|step| match step {
        Step::Activate(name) => Some(name),
        _ => None,
    });
    activated.unwrap_or(Some(active))
}

struct Reading {
    scripts: Vec<(String, Vec<u8>)>,
    found: Routing,
}

impl Reading {
    /// Tells what the active script and all that it includes send on, then what the others would.
    fn follow(&mut self, active: Option<&str>) {
        let mut reached: Vec<(String, Scan, bool)> = Vec::new();
        let mut to_read: Vec<(String, bool)> = active.map(|name| (name.to_owned(), true)).into_iter().collect();
        while let Some((name, always)) = to_read.pop() {
            if let Some((_, _, was_always)) = reached.iter_mut().find(|(known, ..)| *known == name) {
                *was_always |= always;
                continue;
            }
            let Some((_, text)) = self.scripts.iter().find(|(known, _)| *known == name) else { continue };
            let scan = scan(text);
            for include in &scan.includes {
                if let Some(inner) = self.personal(&name, include) {
                    to_read.push((inner, always && include.always));
                }
            }
            reached.push((name, scan, always));
        }
        let keeps = reached.iter().any(|(_, scan, _)| scan.keeps);
        let cancels = reached.iter().any(|(_, scan, _)| scan.cancels);
        for (name, scan, always) in &reached {
            self.tell(name, scan, (keeps, cancels), Some(*always));
        }
        let dormant: Vec<(String, Scan)> = self
            .scripts
            .iter()
            .filter(|(name, _)| !reached.iter().any(|(known, ..)| known == name))
            .map(|(name, text)| (name.clone(), scan(text)))
            .collect();
        for (name, scan) in dormant {
            self.tell(&name, &scan, (scan.keeps, scan.cancels), None);
        }
    }

    /// The person's own script that is included, if it can be read; else what can't is told.
    fn personal(&mut self, name: &str, include: &Include) -> Option<String> {
        let place = format!("script {name:?}, line {}", include.line);
        let what = match &include.name {
            None => format!("{place}, includes a script whose name only delivery can tell"),
            Some(inner) if include.global => {
                format!("{place}, includes {inner:?} of the site, which can't be read from here")
            }
            Some(inner) if self.scripts.iter().any(|(known, _)| known == inner) => return Some(inner.clone()),
            Some(inner) => format!("{place}, includes {inner:?}, which is not there"),
        };
        self.found.unread.push(what);
        None
    }

    fn tell(&mut self, name: &str, scan: &Scan, (keeps, cancels): (bool, bool), reached: Option<bool>) {
        for redirect in &scan.redirects {
            let copy = match (redirect.copies, keeps, cancels) {
                (true, _, false) => LocalCopy::Kept,
                (false, false, _) => LocalCopy::NotKept,
                _ => LocalCopy::Perhaps,
            };
            let force = match reached {
                None => Force::Dormant,
                Some(true) if redirect.always => Force::Always,
                Some(_) => Force::Sometimes,
            };
            self.found.others.push(Forwarder {
                to: redirect.to.clone(),
                copy,
                force,
                owner: ForwarderOwner::Person,
                place: format!("script {name:?}, line {}", redirect.line),
            });
        }
        if let Some(line) = scan.unread_from {
            self.found.unread.push(format!("script {name:?} can't be read from line {line} on"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{routing as routing_where, *};
    use crate::op::script::Script;
    use crate::text::block::{Block, digest, put};

    fn site(scripts: &[(&str, &str)], active: &str) -> Site {
        let script = |(name, text): &(&str, &str)| Script {
            name: (*name).to_owned(),
            active: *name == active,
            text: Some(text.as_bytes().to_vec()),
            refused: None,
        };
        Site { scripts: scripts.iter().map(script).collect() }
    }

    fn routing(site: &Site, base: &str) -> Routing {
        routing_where(site, base, true)
    }

    fn told(routing: &Routing) -> Vec<String> {
        let line = |f: &Forwarder| format!("{} {:?} {:?} at {}", f.to, f.copy, f.force, f.place);
        routing.others.iter().map(line).collect()
    }

    #[test]
    fn redirects_of_the_active_script_and_of_what_it_includes_are_in_force() {
        let main =
            "require \"include\"; redirect :copy \"a@x.test\"; if true { include \"more\"; } include :global \"all\";";
        let scripts =
            [("main", main), ("more", "redirect \"b@x.test\"; include \"main\";"), ("old", "redirect \"c@x.test\";")];
        let routing = routing(&site(&scripts, "main"), "whimbrel");
        assert_eq!(
            told(&routing),
            [
                "a@x.test Perhaps Always at script \"main\", line 1",
                "b@x.test NotKept Sometimes at script \"more\", line 1",
                "c@x.test NotKept Dormant at script \"old\", line 1",
            ]
        );
        assert_eq!(routing.ours, None);
        assert!(routing.unread.iter().any(|line| line.contains("\"all\" of the site")), "{:?}", routing.unread);
        assert_eq!(routing.unread.len(), 1);
    }

    #[test]
    fn with_ours_on_what_would_be_without_it_is_told_once() {
        let rules = "redirect \"a@x.test\";";
        let block = Block { to: "a@new.test".into(), former: Some("rules".into()), digest: digest(rules.as_bytes()) };
        let ours = String::from_utf8(put(rules.as_bytes(), &block)).unwrap();
        let on = site(&[("rules", rules), ("whimbrel", &ours)], "whimbrel");
        let read = routing(&on, "whimbrel");
        assert_eq!(read.redirected_to(), Some("a@new.test"));
        assert_eq!(told(&read), ["a@x.test NotKept Always at script \"rules\", line 1"]);
        let off = site(&[("rules", rules), ("whimbrel", &ours)], "rules");
        let read = routing(&off, "whimbrel");
        assert_eq!(read.redirected_to(), None);
        assert!(read.ours.unwrap().ineffective.unwrap().contains("\"rules\" is active"));
    }

    #[test]
    fn where_no_script_may_redirect_ours_is_not_in_force() {
        let block = Block { to: "a@new.test".into(), former: None, digest: digest(b"") };
        let ours = String::from_utf8(put(b"", &block)).unwrap();
        let site = site(&[("whimbrel", &ours)], "whimbrel");
        assert_eq!(routing_where(&site, "whimbrel", true).redirected_to(), Some("a@new.test"));
        let read = routing_where(&site, "whimbrel", false);
        assert!(read.redirected_to().is_none() && read.ours.unwrap().ineffective.unwrap().contains("no script"));
    }

    #[test]
    fn what_of_ours_is_active_is_told_whatever_its_name_and_form() {
        let printed = "redirect \"a@new.test\";\nstop;\n";
        assert_eq!(
            routing(&site(&[("whimbrel-2", printed)], "whimbrel-2"), "whimbrel").redirected_to(),
            Some("a@new.test")
        );
        let block = Block { to: "a@new.test".into(), former: None, digest: digest(b"") };
        let ours = String::from_utf8(put(b"", &block)).unwrap();
        let copied = site(&[("mine", &ours)], "mine");
        assert_eq!(routing(&copied, "whimbrel").redirected_to(), Some("a@new.test"));
        assert_eq!(routing(&site(&[("mine", printed)], "mine"), "whimbrel").ours, None);
    }

    #[test]
    fn whether_a_copy_stays_is_told() {
        let copy = |text: &str| routing(&site(&[("a", text)], "a"), "whimbrel").others[0].copy;
        assert_eq!(copy("redirect \"a@x.test\";"), LocalCopy::NotKept);
        assert_eq!(copy("redirect :copy \"a@x.test\";"), LocalCopy::Kept);
        assert_eq!(copy("redirect \"a@x.test\"; keep;"), LocalCopy::Perhaps);
        assert_eq!(copy("redirect :copy \"a@x.test\"; discard;"), LocalCopy::Perhaps);
    }
}
