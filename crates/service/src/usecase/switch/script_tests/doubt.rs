//! What is not known is not told: a signed script may have been run.

use super::*;

/// A redirect script that was signed, and may have been run.
async fn signed(site: &Site, who: &Recipient) -> i64 {
    site.router.read(who).await.unwrap_err();
    site.work().await;
    site.router.redirect(who, NEW, &OpenDoor).await.unwrap_err();
    let number = site.write(Step::Redirect).await.unwrap();
    assert_eq!(site.router.read(who).await.unwrap().ours, None, "what nobody has signed was not run");
    site.sign(number).await;
    number
}

fn is_awaited<T>(told: Result<T, Error>) -> bool {
    told.is_err_and(|error| error.cause == Cause::Awaiting)
}

/// Nothing is told, and nothing else is begun, while a script may have been run; what it printed settles it.
#[tokio::test]
async fn a_signed_script_is_in_doubt_until_it_is_supplied() {
    for is_run in [false, true] {
        let (site, who) = (Site::new(false).await, Site::who("ann"));
        let off = site.dump("ann@site.test");
        let number = signed(&site, &who).await;
        let ran = if is_run { Some(site.run(number, &[]).await) } else { None };
        // Somebody takes the switch back now.
        assert!(is_awaited(site.router.read(&who).await));
        assert!(is_awaited(site.router.release(&who, &OpenDoor).await));
        assert_eq!(site.write(Step::Release).await, None, "nothing else is asked for");
        assert_eq!(site.write(Step::Read).await, None);
        // A reading by the same script is none of what its action will have done, unless that was run on that machine.
        let read = site.run(number, &["ReadOnly"]).await;
        site.supply(number, &read.printed).await.unwrap();
        assert_eq!(is_awaited(site.router.read(&who).await), !is_run);
        let ran = match ran {
            Some(ran) => ran,
            None => site.run(number, &[]).await,
        };
        site.supply(number, &ran.printed).await.unwrap();
        assert_eq!(site.router.read(&who).await.unwrap().redirected_to(), Some(NEW));
        until_told!(site, site.router.release(&who, &OpenDoor)).unwrap();
        assert_eq!(site.dump("ann@site.test"), off);
        // Run once more, on the same machine, it does nothing.
        let again = site.run(number, &[]).await;
        assert!(again.stopped.is_some_and(|why| why.contains("run before")));
        assert_eq!(site.dump("ann@site.test"), off);
    }
}

/// Somebody's word that a script is not run is followed by a reading; and what it printed all the same makes that count no more.
#[tokio::test]
async fn a_script_that_is_withdrawn_is_followed_by_a_reading() {
    let (site, who) = (Site::new(false).await, Site::who("ann"));
    let number = signed(&site, &who).await;
    assert!(site.store.withdraw_script(site.key, number, "Sue", "the file is deleted").await.unwrap());
    assert!(!site.store.withdraw_script(site.key, number, "Sue", "again").await.unwrap());
    assert!(is_awaited(site.router.read(&who).await), "what was read before counts no more");
    let read = site.write(Step::Read).await.unwrap();
    site.sign(read).await;
    let printed = site.run(read, &[]).await.printed;
    site.supply(read, &printed).await.unwrap();
    assert_eq!(site.router.read(&who).await.unwrap().ours, None);
    // It was run all the same.
    let late = site.run(number, &[]).await;
    site.supply(number, &late.printed).await.unwrap();
    assert!(is_awaited(site.router.read(&who).await));
    site.work().await;
    assert_eq!(site.router.read(&who).await.unwrap().redirected_to(), Some(NEW));
}

/// What is asked for changes before it was signed: the script is void, and can't be signed any more.
#[tokio::test]
async fn a_script_that_nobody_signed_is_void_once_something_else_is_asked() {
    let (site, [ann, ben]) = (Site::new(false).await, ["ann", "ben"].map(Site::who));
    for who in [&ann, &ben] {
        site.router.read(who).await.unwrap_err();
    }
    site.work().await;
    for who in [&ann, &ben] {
        site.router.redirect(who, NEW, &OpenDoor).await.unwrap_err();
    }
    let number = site.write(Step::Redirect).await.unwrap();
    // She is taken back.
    assert!(!site.router.release(&ann, &OpenDoor).await.unwrap().changed);
    let signed = site.store.sign_script(site.key, number, "Sue", "Kim").await.unwrap();
    assert_eq!(signed, store::SignOutcome::Not);
    // He goes into the next.
    let next = site.write(Step::Redirect).await.unwrap();
    let row = site.store.script(site.key, next).await.unwrap().unwrap();
    assert_eq!((row.people, row.accounts.as_str()), (1, "[\"ben@site.test\"]"));
    assert_eq!(site.router.read(&ann).await.unwrap().ours, None);
}

/// The reverse puts back what was there, and does nothing where something else is there.
#[tokio::test]
async fn the_reverse_puts_back_what_was_there() {
    for is_changed in [false, true] {
        let (site, who) = (Site::new(true).await, Site::who("ann"));
        site.organisation().mailbox("ann@site.test").forwarding = Some("site.test/Contacts/Home".to_owned());
        let off = site.dump("ann@site.test");
        let number = signed(&site, &who).await;
        site.run(number, &[]).await;
        if is_changed {
            site.organisation().mailbox("ann@site.test").keeps = true;
        }
        let on = site.dump("ann@site.test");
        let reversed = site.run(number, &["Reverse"]).await;
        assert_eq!(reversed.stopped, None);
        assert_eq!(site.dump("ann@site.test"), if is_changed { on } else { off });
        site.supply(number, &reversed.printed).await.unwrap();
        assert_eq!(site.router.read(&who).await.unwrap().ours.is_some(), is_changed);
    }
}
