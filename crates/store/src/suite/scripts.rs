//! Scripts that a person runs.

use super::{World, world};
use crate::{Answer, AskOutcome, NewScript, SignOutcome};

const NEW: NewScript<'_> = NewScript {
    endpoint: 1,
    router: "local",
    step: "redirect",
    accounts: None,
    people_max: 2,
    nonce: "n",
    lasts_ms: 3_600_000,
    by: "Kim",
};

impl World {
    async fn asked(&self, account: &str, step: &str) -> AskOutcome {
        self.store.ask_script(self.key, 1, account, Some((step, "{}"))).await.unwrap()
    }

    async fn written(&self, new: &NewScript<'_>) -> Option<i64> {
        let compose = |number: i64, _: i64, asks: &[(String, String)]| Ok(format!("{number}: {}", asks.len()));
        self.store.write_script(self.key, new, compose).await.unwrap()
    }

    async fn signed(&self, script: i64) -> SignOutcome {
        self.store.sign_script(self.key, script, "Sue", "Kim").await.unwrap()
    }
}

fn answer(account: &str, settles: bool) -> Answer {
    Answer { account: account.to_owned(), seen: format!("{account} seen"), told: None, settles, doubts: false }
}

pub async fn a_script_is_signed_once_and_settles_whom_it_tells_of(url: &str) {
    let w = world(url).await;
    for account in ["ann", "ben", "cyd"] {
        assert_eq!(w.asked(account, "redirect").await, AskOutcome::Asked);
    }
    assert_eq!(w.store.unwritten_scripts(w.key).await.unwrap(), [(1, "redirect".to_owned(), 3)]);
    let (first, second) = (w.written(&NEW).await.unwrap(), w.written(&NEW).await.unwrap());
    assert_eq!((first, second, w.written(&NEW).await), (1, 2, None));
    let row = w.store.script(w.key, 1).await.unwrap().unwrap();
    assert_eq!((row.text.as_str(), row.people, row.left, row.accounts.as_str()), ("1: 2", 2, 2, "[\"ann\",\"ben\"]"));
    assert_eq!(
        (w.signed(1).await, w.signed(1).await, w.signed(9).await),
        (SignOutcome::Signed, SignOutcome::Not, SignOutcome::Not)
    );
    // While it may be run nothing else is asked of its people.
    assert_eq!(w.asked("ann", "release").await, AskOutcome::InDoubt);
    assert_eq!(w.store.asked_changes(w.key).await.unwrap().len(), 2, "what nobody has signed changes nothing");
    let changed =
        w.store.supply_script(w.key, 1, &[answer("ann", true), answer("ben", false)], false, "Kim").await.unwrap();
    assert_eq!(changed, ["ann", "ben"]);
    let row = w.store.script(w.key, 1).await.unwrap().unwrap();
    assert_eq!((row.left, row.closed.is_none()), (1, true));
    let (ann, _) = w.store.script_person(w.key, 1, "ann").await.unwrap();
    assert_eq!((ann.ask, ann.script, ann.seen.as_deref()), (None, None, Some("ann seen")));
    w.store.supply_script(w.key, 1, &[answer("ben", true)], true, "Kim").await.unwrap();
    let closed = w.store.script(w.key, 1).await.unwrap().unwrap().closed.unwrap();
    assert_eq!(closed.1, "supplied");
    // An ask that is another makes the script of all of them void, since its text would be another.
    assert_eq!(w.asked("cyd", "release").await, AskOutcome::Asked);
    assert_eq!(w.store.script(w.key, 2).await.unwrap().unwrap().closed.unwrap().1, "void");
    assert_eq!(w.signed(2).await, SignOutcome::Not);
    assert_eq!(w.store.unwritten_scripts(w.key).await.unwrap(), [(1, "release".to_owned(), 1)]);
}

pub async fn what_a_script_may_have_done_is_in_doubt_until_it_was_read_again(url: &str) {
    let w = world(url).await;
    w.asked("ann", "redirect").await;
    w.written(&NEW).await.unwrap();
    w.signed(1).await;
    let before = w.store.script_person(w.key, 1, "ann").await.unwrap();
    assert!(before.0.is_signed && before.0.doubt == 0);
    assert!(w.store.withdraw_script(w.key, 1, "Sue", "deleted").await.unwrap());
    let (ann, now) = w.store.script_person(w.key, 1, "ann").await.unwrap();
    assert!(ann.ask.is_none() && ann.doubt >= before.1 && ann.doubt <= now, "{ann:?}");
    // It was run all the same, as it turns out.
    w.store.supply_script(w.key, 1, &[answer("ann", true)], true, "Kim").await.unwrap();
    let (again, _) = w.store.script_person(w.key, 1, "ann").await.unwrap();
    assert!(again.doubt >= ann.doubt && again.seen.is_some(), "{again:?}");
    // One whose time is over was run in time, or is not run any more.
    w.asked("ben", "redirect").await;
    let over = NewScript { lasts_ms: -1, ..NEW };
    let script = w.written(&over).await.unwrap();
    assert_eq!(w.signed(script).await, SignOutcome::Not, "nobody signs for what is over");
    let (ben, _) = w.store.script_person(w.key, 1, "ben").await.unwrap();
    assert!(ben.ask.is_some() && ben.script.is_none(), "another is to be written: {ben:?}");
    assert!(w.store.withdraw_script(w.key, script, "", "over").await.unwrap());
    assert_eq!(w.written(&NEW).await, Some(script + 1));
    w.asked("cyd", "read").await;
    let read = w.written(&NewScript { step: "read", ..over }).await.unwrap();
    assert_eq!(w.signed(read).await, SignOutcome::Signed, "a reading changes nothing");
    assert_eq!(w.asked("cyd", "redirect").await, AskOutcome::Asked);
}

pub async fn nobody_is_in_two_scripts_whoever_writes_them(url: &str) {
    let w = world(url).await;
    for number in 0..20 {
        w.asked(&format!("person {number:02}"), "read").await;
    }
    let new = NewScript { step: "read", people_max: 3, ..NEW };
    let writer = || async {
        let mut scripts = Vec::new();
        while let Some(script) = w.written(&new).await {
            scripts.push(script);
        }
        scripts
    };
    let (one, two, three, four) = tokio::join!(writer(), writer(), writer(), writer());
    let mut written = [one, two, three, four].concat();
    written.sort_unstable();
    assert_eq!(written, (1..=7).collect::<Vec<_>>());
    let scripts = w.store.scripts(w.key).await.unwrap();
    let mut all: Vec<String> =
        scripts.iter().flat_map(|row| serde_json::from_str::<Vec<String>>(&row.accounts).unwrap()).collect();
    all.sort();
    assert_eq!(all, (0..20).map(|number| format!("person {number:02}")).collect::<Vec<_>>());
}
