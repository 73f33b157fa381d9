//! Our redirect is taken off.
//!
//! The script that was active before is activated again, and ours is removed. What the person has done in between stays:
//! * They changed their own script: it is activated as it is now.
//! * They changed the copy of it in ours, which is what a webmail shows as active: the change goes into their own script, if that one is
//!   as it was. Else, or where theirs is gone, ours becomes theirs: it loses the block and stays active, and nothing that they
//!   wrote is lost. So it does where an editor has printed it anew, so that nothing but the two commands of the block is left.
//! * They copied the block into the active script of another name: that one loses it and stays active.
//! * They activated another script, or none: that stays so.

use connector::{Door, Error, Rerouted};
use model::{Cause, Scope};

use super::read::routing;
use super::script::{Script, Session, Site, evidence};
use crate::text::block::{Kind, Marked, digest, left_to_them};

/// What becomes of a script of ours, in the order in which it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The script of this name has this text.
    Put(String, Vec<u8>),
    /// The script of this name is in force, or none is.
    Activate(Option<String>),
    /// The script of this name goes.
    Delete(String),
}

/// Takes our redirect off.
pub(crate) async fn release(session: &mut Session<'_>, door: &dyn Door) -> Result<Rerouted, Error> {
    let base = session.endpoint.config.script.clone();
    let site = session.site().await?;
    let before = evidence(&site, &base);
    let mut notes = Vec::new();
    for (script, marked) in site.ours(&base) {
        let (steps, note) = steps(&site, script, &marked);
        notes.extend(note);
        for step in steps {
            match step {
                Step::Put(name, text) => {
                    session.put(&name, &text, door).await?;
                    session.verify(&name, &text).await?;
                }
                Step::Activate(name) => session.set_active(name.as_deref(), door).await?,
                // It is not in force any more, and the next call clears it up.
                Step::Delete(name) => {
                    if let Err(error) = session.delete(&name, door).await? {
                        notes.push(format!(
                            "our script {name:?} is not in force any more, and could not be removed: {error}"
                        ));
                    }
                }
            }
        }
    }
    if !session.has_effect() {
        return Ok(Rerouted { changed: false, after: before.clone(), before, notes });
    }
    let now = session.site().await?;
    if let Some(to) = routing(&now, &base, true).redirected_to() {
        let what = format!("the redirect was taken off, and the active script leads all mail to {to} still");
        return Err(Error::new(Cause::Refused, Scope::Mailbox, what));
    }
    Ok(Rerouted { changed: true, before, after: evidence(&now, &base), notes })
}

/// May a script of ours that is not active be removed or overwritten? Only where nothing of the person's goes with it: it holds no text but
/// ours, or what it was copied from is there, or its text is in another script.
pub(crate) fn may_go(site: &Site, ours: &Script, marked: &Marked) -> bool {
    let mut others = site.scripts.iter().filter(|script| script.name != ours.name);
    let is_former = |script: &Script| marked.is_untouched() && marked.block.former.as_ref() == Some(&script.name);
    let is_blank = marked.text.trim_ascii().is_empty();
    is_blank || others.any(|script| is_former(script) || script.text.as_ref() == Some(&marked.text))
}

/// What is done about a script of ours, and what a person should know of it. Done in part and asked again, the rest is told.
pub(crate) fn steps(site: &Site, ours: &Script, marked: &Marked) -> (Vec<Step>, Option<String>) {
    let own = ours.name.clone();
    let former = marked.block.former.as_deref().filter(|name| *name != own).and_then(|name| site.script(name));
    let former_text = former.and_then(|script| script.text.as_deref());
    let strip = |note: String| (vec![Step::Put(own.clone(), left_to_them(&marked.text))], Some(note));
    if marked.kind == Kind::Elsewhere {
        return strip(format!(
            "our redirect stood in script {own:?}, which is not ours: it was taken out of it, and nothing else"
        ));
    }
    if !ours.active {
        return if may_go(site, ours, marked) {
            (vec![Step::Delete(own.clone())], None)
        } else {
            strip(format!(
                "script {own:?} was ours and holds a text of the person's that is nowhere else: it is theirs now, and not active"
            ))
        };
    }
    match former {
        Some(script) if marked.is_untouched() || former_text == Some(&marked.text) => {
            (vec![Step::Activate(Some(script.name.clone())), Step::Delete(own)], None)
        }
        Some(script) if former_text.is_some_and(|text| digest(text) == marked.block.digest) => {
            let note = format!("the person's changes in our script {own:?} are in theirs now, {:?}", script.name);
            let put = Step::Put(script.name.clone(), marked.text.clone());
            (vec![put, Step::Activate(Some(script.name.clone())), Step::Delete(own)], Some(note))
        }
        // Nothing is in it but ours.
        None if marked.text.trim_ascii().is_empty() => (vec![Step::Activate(None), Step::Delete(own)], None),
        _ => strip(format!(
            "script {own:?} was ours; as the person's rules were changed in between, it is theirs now and stays active, without our \
             redirect"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::block::{Block, put, take};

    const RULES: &str = "require \"fileinto\";\r\nfileinto \"A\";\r\n";

    /// Scripts by name, with the text of each; the active one.
    fn site(scripts: &[(&str, &str)], active: &str) -> Site {
        let script = |(name, text): &(&str, &str)| Script {
            name: (*name).to_owned(),
            active: *name == active,
            text: Some(text.as_bytes().to_vec()),
            refused: None,
        };
        Site { scripts: scripts.iter().map(script).collect() }
    }

    fn ours(former: Option<&str>, was: &str, is: &str) -> String {
        let block =
            Block { to: "a@new.test".into(), former: former.map(str::to_owned), digest: digest(was.as_bytes()) };
        String::from_utf8(put(is.as_bytes(), &block)).unwrap()
    }

    /// All states on the way, each after one step, up to the end; from each of them a release comes to the same end.
    fn end(mut site: Site) -> Site {
        let mut ends = Vec::new();
        let mut states = vec![site.clone()];
        while let Some((script, marked)) = site.ours("whimbrel").into_iter().next() {
            let (steps, _) = steps(&site, script, &marked);
            for step in steps {
                apply(&mut site, step);
                states.push(site.clone());
            }
        }
        for mut state in states {
            while let Some((script, marked)) = state.ours("whimbrel").into_iter().next() {
                for step in steps(&state, script, &marked).0 {
                    apply(&mut state, step);
                }
            }
            ends.push(state);
        }
        assert!(ends.iter().all(|end| *end == site), "{ends:?}");
        site
    }

    fn apply(site: &mut Site, step: Step) {
        match step {
            Step::Put(name, text) => {
                let script = site.scripts.iter_mut().find(|script| script.name == name).unwrap();
                script.text = Some(text);
            }
            Step::Activate(name) => {
                for script in &mut site.scripts {
                    script.active = name.as_ref() == Some(&script.name);
                }
            }
            Step::Delete(name) => {
                assert!(!site.script(&name).unwrap().active, "servers refuse that");
                site.scripts.retain(|script| script.name != name);
            }
        }
    }

    #[test]
    fn what_was_there_is_there_again() {
        let on = |former, text| ours(former, text, text);
        let with = site(&[("rules", RULES), ("whimbrel", &on(Some("rules"), RULES))], "whimbrel");
        assert_eq!(end(with), site(&[("rules", RULES)], "rules"));
        let without = site(&[("other", "keep;"), ("whimbrel", &on(None, ""))], "whimbrel");
        assert_eq!(end(without), site(&[("other", "keep;")], ""));
    }

    #[test]
    fn what_the_person_changed_stays_changed() {
        let changed = "require \"fileinto\";\r\nfileinto \"B\";\r\n";
        let on = ours(Some("rules"), RULES, RULES);
        let on_changed = ours(Some("rules"), RULES, changed);
        // Their own script.
        let theirs = site(&[("rules", changed), ("whimbrel", &on)], "whimbrel");
        assert_eq!(end(theirs), site(&[("rules", changed)], "rules"));
        // The copy in ours.
        let copy = site(&[("rules", RULES), ("whimbrel", &on_changed)], "whimbrel");
        assert_eq!(end(copy), site(&[("rules", changed)], "rules"));
        // Both: neither is lost, and what they saw as active is.
        let both = site(&[("rules", "keep;"), ("whimbrel", &on_changed)], "whimbrel");
        assert_eq!(end(both), site(&[("rules", "keep;"), ("whimbrel", changed)], "whimbrel"));
        // Theirs is gone.
        let gone = site(&[("whimbrel", &on)], "whimbrel");
        assert_eq!(end(gone), site(&[("whimbrel", RULES)], "whimbrel"));
        // They had none, and wrote some into ours.
        let new = site(&[("whimbrel", &ours(None, "", RULES))], "whimbrel");
        assert_eq!(end(new), site(&[("whimbrel", RULES)], "whimbrel"));
    }

    #[test]
    fn what_the_person_activated_stays_active() {
        let changed = "discard;";
        let scripts =
            |copy: &str| [("rules", RULES.to_owned()), ("new", "keep;".to_owned()), ("whimbrel", copy.to_owned())];
        let of = |copy: &str, active: &str| {
            let scripts = scripts(copy);
            let borrowed: Vec<(&str, &str)> = scripts.iter().map(|(name, text)| (*name, text.as_str())).collect();
            site(&borrowed, active)
        };
        let on = ours(Some("rules"), RULES, RULES);
        assert_eq!(end(of(&on, "new")), site(&[("rules", RULES), ("new", "keep;")], "new"));
        assert_eq!(end(of(&on, "")), site(&[("rules", RULES), ("new", "keep;")], ""));
        let on_changed = ours(Some("rules"), RULES, changed);
        let expected = site(&[("rules", RULES), ("new", "keep;"), ("whimbrel", changed)], "new");
        assert_eq!(end(of(&on_changed, "new")), expected);
    }

    #[test]
    fn a_script_of_our_name_without_our_block_is_the_persons() {
        let theirs = site(&[("whimbrel", "redirect \"a@new.test\";")], "whimbrel");
        assert_eq!(end(theirs.clone()), theirs);
        let copied = ours(Some("rules"), RULES, RULES);
        assert!(take(copied.as_bytes()).is_some());
        // Under another name and not active it does nothing.
        let under_another_name = site(&[("rules", RULES), ("mine", &copied)], "rules");
        assert_eq!(end(under_another_name.clone()), under_another_name);
    }

    #[test]
    fn our_block_in_another_active_script_is_taken_out_of_it() {
        let copied = ours(Some("rules"), RULES, RULES);
        let both = site(&[("rules", RULES), ("mine", &copied), ("whimbrel", &copied)], "mine");
        assert_eq!(end(both), site(&[("rules", RULES), ("mine", RULES)], "mine"));
    }

    #[test]
    fn what_an_editor_has_printed_anew_loses_our_commands_and_stays_active() {
        let printed = "require [\"fileinto\"];\nredirect \"a@new.test\";\nstop;\nfileinto \"A\";\n";
        let rest = "require [\"fileinto\"];\nfileinto \"A\";\n";
        let on = site(&[("rules", RULES), ("whimbrel", printed)], "whimbrel");
        assert_eq!(end(on), site(&[("rules", RULES), ("whimbrel", rest)], "whimbrel"));
        let nothing_else = site(&[("whimbrel", "redirect \"a@new.test\";\nstop;\n")], "whimbrel");
        assert_eq!(end(nothing_else), site(&[], ""));
        let dormant = site(&[("rules", RULES), ("whimbrel", printed)], "rules");
        assert_eq!(end(dormant), site(&[("rules", RULES), ("whimbrel", rest)], "rules"));
        // What is left begins like ours, and is not.
        let twice = "redirect \"a@new.test\"; stop;\nredirect \"ann@home.test\"; stop;";
        let left = end(site(&[("whimbrel", twice)], "whimbrel"));
        let text = String::from_utf8(left.scripts[0].text.clone().unwrap()).unwrap();
        assert!(text.ends_with("redirect \"ann@home.test\"; stop;") && !text.contains("a@new.test"), "{text}");
    }

    #[test]
    fn the_only_copy_of_the_persons_text_is_left_to_them() {
        let on = ours(Some("rules"), RULES, RULES);
        // They removed theirs, and activated another.
        let gone = site(&[("new", "keep;"), ("whimbrel", &on)], "new");
        assert_eq!(end(gone), site(&[("new", "keep;"), ("whimbrel", RULES)], "new"));
        let renamed = site(&[("rules 2", RULES), ("whimbrel", &on)], "rules 2");
        assert_eq!(end(renamed), site(&[("rules 2", RULES)], "rules 2"));
    }
}
