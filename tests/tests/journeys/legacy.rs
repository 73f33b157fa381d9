//! Who still writes to legacy addresses, as the log of a real Postfix tells.

use std::{fs, thread, time::Duration};

use conformance::{
    post::{SmtpSink, send},
    servers::PostfixSite,
};
use journeys::{project::Project, store::Store};
use serde_json::Value;

fn hand_in(site: &PostfixSite, from: &str, to: &str) {
    let message = format!("From: {from}\r\nTo: {to}\r\nSubject: hush\r\n\r\nhush\r\n");
    send(site.port(), from, to, &message);
    site.wait_until_delivered();
}

/// Messages by address, sender and mailbox. The log is written a moment after a message was handed on.
fn arrivals(project: &Project, expected: u64) -> Vec<(String, String, Value, u64)> {
    for _ in 0..100 {
        let (code, report) = project.json(&["mx", "arrivals"]);
        assert_eq!(code, 0, "{report:#}");
        let lines = report["arrivals"].as_array().unwrap();
        if lines.iter().map(|line| line["messages"].as_u64().unwrap()).sum::<u64>() >= expected {
            assert!(!report.to_string().contains("hush"), "{report:#}");
            let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
            let line = |line: &Value| {
                (
                    text(line, "address"),
                    text(line, "sender"),
                    line["mailbox"].clone(),
                    line["messages"].as_u64().unwrap(),
                )
            };
            return lines.iter().map(line).collect();
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("{:?}", project.run(&["mx", "arrivals"]));
}

#[test]
fn who_still_writes_to_legacy_addresses_is_told() {
    let sink = SmtpSink::start();
    let domains = "virtual_alias_domains = hill.test\nvirtual_alias_maps = texthash:{etc}/virtual";
    let site = PostfixSite::builder("hill.test", sink.port())
        .file("virtual", "ann@hill.test ann@nation.test\nwards@hill.test ann@nation.test, ben@nation.test\n")
        .settings(domains)
        .start();
    let Some(site) = site else { return };
    let (source, target) = (Store::mbox(), Store::eml());
    let folder = site.config_directory().parent().unwrap().to_owned();
    let log = folder.join("log");
    let routing = "[routing]\nsource = { domains = [\"hill.test\"] }\ntarget = { domains = [\"nation.test\"] }\n";
    let mx = |log: &str| {
        format!("{routing}[mx]\nlogs = [\"{log}\"]\n[mx.domains.\"hill.test\"]\nmx = [\"10 mx.nation.test\"]\n")
    };
    let project = Project::new(source.endpoint(), target.endpoint()).with(&mx(&log.display().to_string()));
    let project = project.row("ann@hill.test,ann@nation.test");

    hand_in(&site, "bea@outside.test", "Ann@hill.test");
    hand_in(&site, "bea@outside.test", "ann@hill.test");
    hand_in(&site, "", "wards@hill.test");
    hand_in(&site, "bea@outside.test", "cyd@elsewhere.test");
    let told = arrivals(&project, 4);
    let line = |address: &str, sender: &str, mailbox: Value, messages| {
        (address.to_owned(), sender.to_owned(), mailbox, messages)
    };
    let expected = [
        line("ann@hill.test", "bea@outside.test", "ann@hill.test".into(), 2),
        // One for each member.
        line("wards@hill.test", "", Value::Null, 2),
    ];
    assert_eq!(told, expected);
    // What was counted is not counted again, also when the log was rotated meanwhile.
    fs::rename(&log, folder.join("log.1")).unwrap();
    fs::write(&log, "").unwrap();
    assert_eq!(arrivals(&project, 4), expected);
    let (_, report) = project.json(&["mx", "arrivals"]);
    assert!(report["logs"][0]["watched_since"].is_string() && report["logs"][0]["problem"].is_null(), "{report:#}");

    // A log that is not there is told, and nothing is taken for quiet.
    fs::remove_file(&log).unwrap();
    let (code, report) = project.json(&["mx", "arrivals"]);
    assert_eq!(code, 1, "{report:#}");
    assert!(report["logs"][0]["problem"].as_str().unwrap().contains("No such file"), "{report:#}");
    let unknown = project.run(&["mx", "arrivals", "else.test"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
}
