//! What a script refuses to do, and what is refused of what it printed.

use super::*;

async fn asked(site: &Site) -> i64 {
    let who = Site::who("ann");
    site.router.read(&who).await.unwrap_err();
    site.work().await;
    site.router.redirect(&who, NEW, &OpenDoor).await.unwrap_err();
    site.write(Step::Redirect).await.unwrap()
}

/// In another organisation, where mail may not leave, too late: the script stops before it has done anything.
#[tokio::test]
async fn a_script_does_nothing_where_it_must_not() {
    type Meddle = fn(&mut Organisation);
    let cases: [(Meddle, &str); 6] = [
        (|site| site.name = "Other Trust".to_owned(), "script is for"),
        (|site| site.name = "site trust".to_owned(), "script is for"),
        (|site| site.domains = vec!["other.test".to_owned()], "does not take mail"),
        (|site| site.remote_domains = vec![("*".to_owned(), false)], "AutoForwardEnabled"),
        (|site| site.remote_domains.push(("new.test".to_owned(), false)), "AutoForwardEnabled"),
        (|site| site.clock_ms = 25 * 3_600_000, "too late"),
    ];
    for (meddle, words) in cases {
        let site = Site::new(false).await;
        let number = asked(&site).await;
        site.sign(number).await;
        let off = site.dump("ann@site.test");
        meddle(&mut site.organisation());
        let ran = site.run(number, &[]).await;
        assert!(ran.stopped.as_ref().is_some_and(|why| why.contains(words)), "{words}: {ran:?}");
        assert_eq!((ran.printed.as_str(), site.organisation().changes), ("", 0), "{words}");
        assert_eq!(site.dump("ann@site.test"), off);
    }
    // Another domain's own rule goes before that of all others.
    let site = Site::new(false).await;
    let number = asked(&site).await;
    site.sign(number).await;
    site.organisation().remote_domains = vec![("*".to_owned(), false), ("new.test".to_owned(), true)];
    assert_eq!(site.run(number, &[]).await.stopped, None);
}

#[tokio::test]
async fn in_the_cloud_mail_has_to_be_let_out() {
    for (modes, is_let) in [(vec!["Automatic"], false), (vec!["Automatic", "On"], true), (vec![], false)] {
        let site = Site::new(false).await;
        let online = exchange::Config { platform: exchange::Platform::ExchangeOnline, ..config() };
        asked(&site).await;
        // Withdrawn, so that the next is of the cloud.
        site.store.withdraw_script(site.key, 2, "Sue", "another platform").await.unwrap();
        let desk = Desk { config: &online, ..site.desk() };
        let number = desk.write(Step::Redirect, None, "n1", "Kim").await.unwrap().unwrap();
        site.sign(number).await;
        site.organisation().outbound_modes = modes.into_iter().map(str::to_owned).collect();
        let ran = site.run(number, &[]).await;
        assert_eq!(ran.stopped.is_none(), is_let, "{ran:?}");
        assert_eq!(site.organisation().changes, usize::from(is_let));
    }
}

/// What is not what this script printed, as it was signed, changes nothing: each time it is said what, and where.
#[tokio::test]
async fn what_is_not_of_this_script_is_refused_and_changes_nothing() {
    let site = Site::new(false).await;
    let who = Site::who("ann");
    let number = asked(&site).await;
    let early = site.run(number, &["ReadOnly"]).await.printed;
    let refused = site.supply(number, &early).await.unwrap_err();
    assert!(refused.what.contains("never signed"), "{refused}");
    site.sign(number).await;
    let printed = site.run(number, &[]).await.printed;
    let row = site.store.script(site.key, number).await.unwrap().unwrap();
    let digest = row.digest.unwrap().to_string();
    let nobody = printed.replace("ann@site.test", "eve@site.test");
    let at = printed.find("\"at\":\"").unwrap();
    let moment = printed[at..at + 26].to_owned();
    let old = printed.replace(&moment, "\"at\":\"2020-01-01T00:00:00\"");
    let first = printed.lines().next().unwrap();
    let cases = [
        (printed.replace(&format!("\"script\":{number}"), "\"script\":77"), "script 77 printed"),
        (printed.replace(&row.nonce, "00"), "another script"),
        (printed.replace(&digest, &"0".repeat(64)), "digest"),
        (printed.replace(&format!("\"organisation\":\"{SITE}\""), "\"organisation\":\"Other\""), "Other"),
        (nobody, "eve@site.test"),
        (old, "before it was signed"),
        (printed.replace("\"mode\":\"do\"", "\"mode\":\"read\""), "no run of this script"),
        (printed.replace("\"acted\":true", "\"acted\":false"), "no run of this script"),
        (printed.replace("\"outcome\":\"changed\"", "\"outcome\":\"perhaps\""), "line 2"),
        (format!("{printed}{first}"), "line 4"),
        (String::new(), "no read-back"),
    ];
    for (text, words) in cases {
        let refused = site.supply(number, &text).await.unwrap_err();
        assert!(refused.what.contains(words) && refused.advice.is_some(), "{words}: {refused}");
        assert_eq!(site.router.read(&who).await.unwrap_err().cause, Cause::Awaiting, "{words}");
        assert_eq!(site.store.script(site.key, number).await.unwrap().unwrap().left, 1, "{words}");
    }
    // Of what is cut, nothing that is not there is believed.
    site.supply(number, &format!("{first}\r\n")).await.unwrap();
    assert_eq!(site.router.read(&who).await.unwrap_err().cause, Cause::Awaiting);
    site.supply(number, &printed).await.unwrap();
    assert_eq!(site.router.read(&who).await.unwrap().redirected_to(), Some(NEW));
    site.supply(number, &printed).await.unwrap();
    assert_eq!(site.router.read(&who).await.unwrap().redirected_to(), Some(NEW), "the same again changes nothing");
}

/// A script that was changed after it was signed tells its own digest.
#[tokio::test]
async fn a_script_that_somebody_changed_is_not_taken_for_the_signed_one() {
    let site = Site::new(false).await;
    let number = asked(&site).await;
    site.sign(number).await;
    let path = site.save(number).await;
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("ann@new.test", "eve@evil.test")).unwrap();
    let ran = run(&mut site.organisation(), &path, &[]);
    assert_eq!(ran.stopped, None);
    let refused = site.supply(number, &ran.printed).await.unwrap_err();
    assert!(refused.what.contains("digest"), "{refused}");
}

/// A marker of somebody else's, an address that the mailbox does not have, one that it has: nothing is asked for.
#[tokio::test]
async fn what_would_harm_is_refused_before_anything_is_asked() {
    let site = Site::new(false).await;
    let who = Site::who("ann");
    let mut more = who.clone();
    more.addresses.push("ann@alias.test".to_owned());
    let served = Served(site.clone());
    served.read(&who).await.unwrap();
    let lacks = site.router.redirect(&more, NEW, &OpenDoor).await.unwrap_err();
    assert!(lacks.cause == Cause::Refused && lacks.what.contains("ann@alias.test"), "{lacks}");
    site.organisation().mailbox("ann@site.test").addresses.push(NEW.to_owned());
    served.read(&who).await.unwrap();
    assert_eq!(site.router.redirect(&who, NEW, &OpenDoor).await.unwrap_err().cause, Cause::Unsupported);
    let mark = |text: &str| {
        site.organisation().mailbox("ann@site.test").attributes.insert("CustomAttribute14".to_owned(), text.to_owned())
    };
    mark("payroll 17");
    served.read(&who).await.unwrap();
    let foreign = site.router.redirect(&who, "a@x.test", &OpenDoor).await.unwrap_err();
    assert!(foreign.what.contains("in use") && !foreign.what.contains("payroll"), "{foreign}");
    assert!(!site.router.release(&who, &OpenDoor).await.unwrap().changed);
    mark("whimbrel-redirect {");
    served.read(&who).await.unwrap();
    for told in [site.router.redirect(&who, "a@x.test", &OpenDoor).await, site.router.release(&who, &OpenDoor).await] {
        assert_eq!(told.unwrap_err().cause, Cause::Refused);
    }
    assert_eq!(site.store.unwritten_scripts(site.key).await.unwrap(), []);
    assert_eq!(site.organisation().changes, 0);
}
