//! Opening a mailbox: the connection, the login, and whose store it is.
#![allow(clippy::unwrap_used, clippy::format_push_string, reason = "a test, helpers included")]

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{Asked, POOR, RICH, Server, Talk, alice, migrator};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use connector::{Account, Connector, Error, OpenDoor, Secret, Topic};
use imap::{Config, ImapConnector, Impersonate, Login, Tls, TokenSource};
use model::{Cause, FolderPath, ItemKind, Scope};

fn decoded(asked: &Asked) -> String {
    let text = asked.text.rsplit(' ').next().unwrap();
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}

/// The command that logs in, on a server with these capabilities.
async fn login(
    capabilities: &str,
    config: impl FnOnce(&mut Config),
    account: &Account,
) -> (Option<Error>, Vec<String>) {
    let server = Server::start(capabilities, |mut talk| async move {
        talk.greet().await;
        talk.go_on().await;
    })
    .await;
    let mut settings = server.config();
    config(&mut settings);
    let opened = ImapConnector::new(settings).unwrap().source(account).await;
    (opened.err(), server.heard())
}

#[tokio::test]
async fn a_person_logs_in_with_the_mechanism_that_is_offered() {
    for (capabilities, expected) in [
        ("IMAP4rev1 SASL-IR AUTH=PLAIN", "AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA=="),
        ("IMAP4rev1", "LOGIN \"alice\" \"secret\""),
    ] {
        let (error, heard) = login(capabilities, |_| {}, &alice()).await;
        assert_eq!(error, None);
        assert!(heard.contains(&expected.to_owned()), "{heard:?}");
    }
    let (error, heard) = login("IMAP4rev1 LOGINDISABLED", |_| {}, &alice()).await;
    assert!(error.unwrap().what.contains("without TLS") && heard.is_empty(), "{heard:?}");
    let (error, heard) = login(RICH, |_| {}, &Account::named("alice")).await;
    assert!(error.unwrap().what.contains("no password is known") && heard.is_empty(), "{heard:?}");
}

#[tokio::test]
async fn without_initial_responses_the_message_waits_for_the_question() {
    let server = Server::start("IMAP4rev1 AUTH=PLAIN", |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("AUTHENTICATE PLAIN").await;
        talk.say("+ \r\n").await;
        assert_eq!(talk.line().await.unwrap(), "AGFsaWNlAHNlY3JldA==\r\n");
        talk.done(&asked).await;
        talk.go_on().await;
    })
    .await;
    server.source().await;
    assert!(server.has_heard("CAPABILITY"), "what the login did not tell is asked for");
}

#[tokio::test]
async fn a_password_with_odd_characters_travels_in_a_literal() {
    let account = Account { password: Some(Secret::new("gehe\"im\\ß")), ..Account::named("alice") };
    let (error, heard) = login("IMAP4rev1", |_| {}, &account).await;
    assert_eq!(error, None);
    assert!(heard.contains(&"LOGIN \"alice\" {10}".to_owned()), "{heard:?}");
}

#[tokio::test]
async fn impersonation_names_the_person_in_the_way_that_is_set() {
    let capabilities = "IMAP4rev1 SASL-IR AUTH=PLAIN OBJECTID";
    let script = |mut talk: Talk| async move {
        talk.greet().await;
        let mut store = "none".to_owned();
        while let Some(asked) = talk.until_any(&["AUTHENTICATE", "STATUS INBOX (MAILBOXID)"]).await {
            if asked.is("AUTHENTICATE") {
                store = decoded(&asked).split('\0').next().unwrap().to_owned();
                talk.end(&asked, "OK [CAPABILITY IMAP4rev1 OBJECTID]").await;
            } else {
                talk.say(format!("* STATUS INBOX (MAILBOXID (F{store}))\r\n")).await;
                talk.done(&asked).await;
            }
        }
    };
    let server = Server::start(capabilities, script).await;
    let mut config = server.config();
    config.login = migrator(Impersonate::Authzid);
    let source = ImapConnector::new(config).unwrap().source(&Account::named("alice")).await.unwrap();
    assert_eq!(source.proof().store_id.as_deref(), Some("MAILBOXID Falice"));
    let logins: Vec<String> = server.heard().into_iter().filter(|line| line.starts_with("AUTH")).collect();
    let of = |message: &str| format!("AUTHENTICATE PLAIN {}", STANDARD.encode(message));
    let person = of("alice\0migrator\0migpw");
    assert_eq!(logins, [person.clone(), of("\0migrator\0migpw"), person], "a person, the migrator itself, the person");

    let server = Server::start("IMAP4rev1 SASL-IR AUTH=PLAIN", |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["AUTHENTICATE"]).await {
            let how =
                if decoded(&asked).starts_with("\0alice*migrator\0") { "OK" } else { "NO [AUTHENTICATIONFAILED]" };
            talk.end(&asked, how).await;
        }
    })
    .await;
    let mut config = server.config();
    config.login = migrator(Impersonate::Master("*".to_owned()));
    let source = ImapConnector::new(config).unwrap().source(&Account::named("alice")).await.unwrap();
    assert!(source.proof().evidence.contains("nobody has"), "{:?}", source.proof());
    assert_eq!(source.proof().store_id, None);
}

#[tokio::test]
async fn an_account_that_impersonates_nobody_opens_only_its_own_store() {
    let set = |config: &mut Config| config.login = migrator(Impersonate::None);
    let (error, heard) = login(RICH, set, &Account::named("alice")).await;
    let error = error.unwrap();
    assert_eq!((error.cause, error.scope), (Cause::NotTheirStore, Scope::Mailbox));
    assert!(heard.is_empty(), "{heard:?}");
    assert_eq!(login(RICH, set, &Account::named("Migrator")).await.0, None);
}

#[tokio::test]
async fn an_authorisation_identity_that_is_ignored_is_found_out() {
    // Everybody gets in, and everybody reaches one store.
    for capabilities in ["IMAP4rev1 SASL-IR AUTH=PLAIN", "IMAP4rev1 SASL-IR AUTH=PLAIN OBJECTID"] {
        let server = Server::start(capabilities, |mut talk| async move {
            talk.greet().await;
            while let Some(asked) = talk.until_any(&["STATUS INBOX (MAILBOXID)"]).await {
                talk.say("* STATUS INBOX (MAILBOXID (F1))\r\n").await;
                talk.done(&asked).await;
            }
        })
        .await;
        let mut config = server.config();
        config.login = migrator(Impersonate::Authzid);
        config.connections_max = 1;
        let connector = ImapConnector::new(config).unwrap();
        for _ in 0..2 {
            let error = connector.source(&Account::named("alice")).await.err().unwrap();
            assert_eq!((error.cause, error.scope), (Cause::NotTheirStore, Scope::Mailbox), "{error}");
            let error = connector.target(&Account::named("bob"), Arc::new(OpenDoor)).await.err().unwrap();
            assert_eq!(error.cause, Cause::NotTheirStore);
        }
        let wrote = ["APPEND", "CREATE", "SUBSCRIBE", "UID STORE", "SELECT"];
        assert!(!wrote.iter().any(|verb| server.has_heard(verb)), "{:?}", server.heard());
    }
}

#[tokio::test]
async fn where_stores_are_told_apart_no_invented_name_is_tried() {
    let server = Server::start("IMAP4rev1 SASL-IR AUTH=PLAIN METADATA", |mut talk| async move {
        talk.greet().await;
        let mut store = String::new();
        while let Some(asked) = talk.until_any(&["AUTHENTICATE", "GETMETADATA"]).await {
            if asked.is("AUTHENTICATE") {
                store = decoded(&asked).split('\0').next().unwrap().to_owned();
                assert!(store.is_empty() || store == "alice", "{store} was tried");
            } else {
                talk.say(format!("* METADATA INBOX (/shared/vendor/cmu/cyrus-imapd/uniqueid \"id-{store}\")\r\n"))
                    .await;
            }
            talk.done(&asked).await;
        }
    })
    .await;
    let mut config = server.config();
    config.login = migrator(Impersonate::Authzid);
    config.connections_max = 1;
    let connector = ImapConnector::new(config).unwrap();
    let target = connector.target(&Account::named("alice"), Arc::new(OpenDoor)).await.unwrap();
    assert_eq!(target.proof().store_id.as_deref(), Some("uniqueid id-alice"));
}

#[tokio::test]
async fn two_people_who_reach_one_store_are_found() {
    let server = Server::start("IMAP4rev1 OBJECTID", |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["STATUS INBOX (MAILBOXID)"]).await {
            talk.say("* STATUS INBOX (MAILBOXID (F1))\r\n").await;
            talk.done(&asked).await;
        }
    })
    .await;
    let connector = server.connector();
    let bob = Account { password: Some(Secret::new("x")), ..Account::named("bob") };
    // The engine is told the store, and refuses by what it has recorded.
    for account in [alice(), bob.clone()] {
        assert_eq!(connector.source(&account).await.unwrap().proof().store_id.as_deref(), Some("MAILBOXID F1"));
    }
    for _ in 0..2 {
        assert!(connector.check(Some(&alice())).await.iter().all(|finding| finding.wrong.is_none()));
    }
    let findings = connector.check(Some(&bob)).await;
    let shared = findings.iter().find(|finding| finding.wrong.is_some()).unwrap();
    assert_eq!(shared.wrong, Some(Cause::SharedStore));
    assert!(shared.sentence.contains("alice") && shared.sentence.contains("bob"), "{shared:?}");
}

#[tokio::test]
async fn dovecots_acl_plugin_without_acl_user_is_recognised() {
    let server = Server::start("IMAP4rev1 SASL-IR AUTH=PLAIN ACL", |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["STATUS", "MYRIGHTS"]).await {
            talk.end(&asked, "NO [NONEXISTENT] Mailbox doesn't exist: INBOX").await;
        }
    })
    .await;
    let mut config = server.config();
    config.login = migrator(Impersonate::Authzid);
    let error = ImapConnector::new(config).unwrap().source(&Account::named("alice")).await.err().unwrap();
    assert_eq!((error.cause, error.scope), (Cause::Permission, Scope::Mailbox));
    assert!(error.what.contains("acl_user = %u"), "{error}");
}

#[tokio::test]
async fn missing_rights_are_named() {
    let server = Server::start("IMAP4rev1 ACL", |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["MYRIGHTS"]).await {
            talk.say("* MYRIGHTS INBOX lrs\r\n").await;
            talk.done(&asked).await;
        }
    })
    .await;
    server.source().await;
    let error = server.connector().target(&alice(), Arc::new(OpenDoor)).await.err().unwrap();
    assert_eq!(error.cause, Cause::Permission);
    assert!(error.what.contains("lrs") && error.what.contains("wite"), "{error}");
}

/// Writes a token as a careful owner keeps it.
fn write_token(path: &std::path::Path, token: &str) {
    std::fs::write(path, token).unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn a_token_that_is_refused_is_fetched_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    write_token(&path, "stale");
    for (capabilities, mechanism, answer) in [
        ("IMAP4rev1 SASL-IR AUTH=XOAUTH2", "AUTHENTICATE XOAUTH2", "\r\n"),
        ("IMAP4rev1 SASL-IR AUTH=OAUTHBEARER AUTH=XOAUTH2", "AUTHENTICATE OAUTHBEARER", "AQ==\r\n"),
    ] {
        write_token(&path, "stale");
        let server = Server::start(capabilities, {
            let path = path.clone();
            move |mut talk| {
                let path = path.clone();
                async move {
                    talk.greet().await;
                    while let Some(asked) = talk.until_any(&["AUTHENTICATE"]).await {
                        let message = decoded(&asked);
                        if message.contains("Bearer fresh\x01") && message.contains("alice") {
                            talk.done(&asked).await;
                            continue;
                        }
                        // Meanwhile somebody has put a fresh token there.
                        write_token(&path, "fresh\n");
                        talk.say("+ eyJzdGF0dXMiOiI0MDAifQ==\r\n").await;
                        assert_eq!(talk.line().await.unwrap(), answer);
                        talk.end(&asked, "NO [AUTHENTICATIONFAILED] no").await;
                    }
                }
            }
        })
        .await;
        let mut config = server.config();
        let token = Some(TokenSource::File(path.clone()));
        config.login = Some(Login { user: "m".to_owned(), password: None, token, impersonate: Impersonate::None });
        let source = ImapConnector::new(config).unwrap().source(&Account::named("alice")).await.unwrap();
        assert!(source.proof().evidence.contains("alice"));
        assert_eq!(server.heard().iter().filter(|line| line.starts_with(mechanism)).count(), 2);
    }
}

#[tokio::test]
async fn a_server_that_closes_after_a_refused_token_is_connected_to_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    write_token(&path, "stale");
    let server = Server::start("IMAP4rev1 SASL-IR AUTH=XOAUTH2", {
        let path = path.clone();
        move |mut talk| {
            let path = path.clone();
            async move {
                talk.greet().await;
                let asked = talk.until("AUTHENTICATE").await;
                if talk.number == 0 {
                    write_token(&path, "fresh");
                    talk.end(&asked, "NO [AUTHENTICATIONFAILED] no").await;
                    return talk.close().await;
                }
                talk.done(&asked).await;
                talk.go_on().await;
            }
        }
    })
    .await;
    let mut config = server.config();
    config.connections_max = 1;
    let token = Some(TokenSource::File(path));
    config.login = Some(Login { user: "m".to_owned(), password: None, token, impersonate: Impersonate::None });
    ImapConnector::new(config).unwrap().source(&Account::named("alice")).await.unwrap();
}

/// The server's side of SCRAM-SHA-256 with this password; `lies` in its proof if said so.
async fn scram(talk: &mut Talk, asked: &Asked, password: &str, lies: bool) -> bool {
    use ring::{digest, hmac, pbkdf2};
    let first = decoded(asked);
    let (gs2, bare) = first.split_at(first.find("n=alice").unwrap_or_else(|| first.find("n=migrator").unwrap()));
    let nonce = format!("{}server", bare.rsplit("r=").next().unwrap());
    let server_first = format!("r={nonce},s={},i=4096", STANDARD.encode("salt"));
    talk.say(format!("+ {}\r\n", STANDARD.encode(&server_first))).await;
    let last = talk.line().await.unwrap();
    let last = String::from_utf8(STANDARD.decode(last.trim()).unwrap()).unwrap();
    let (without_proof, proof) = last.rsplit_once(",p=").unwrap();
    assert_eq!(without_proof, format!("c={},r={nonce}", STANDARD.encode(gs2)));
    let mut salted = [0; 32];
    let rounds = std::num::NonZeroU32::new(4096).unwrap();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, b"salt", password.as_bytes(), &mut salted);
    let mac = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    let message = format!("{bare},{server_first},{without_proof}");
    let client_key = mac(&salted, b"Client Key");
    let stored = digest::digest(&digest::SHA256, client_key.as_ref());
    let signature = mac(stored.as_ref(), message.as_bytes());
    let expected: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
    if STANDARD.decode(proof).unwrap() != expected {
        talk.end(asked, "NO [AUTHENTICATIONFAILED] no").await;
        return false;
    }
    let server_key = mac(&salted, if lies { b"Wrong Key!" } else { b"Server Key" });
    let verifier = format!("v={}", STANDARD.encode(mac(server_key.as_ref(), message.as_bytes())));
    talk.say(format!("+ {}\r\n", STANDARD.encode(verifier))).await;
    assert_eq!(talk.line().await.unwrap(), "\r\n");
    talk.done(asked).await;
    true
}

#[tokio::test]
async fn scram_is_chosen_where_offered_and_the_server_has_to_prove_itself() {
    for (password, lies) in [("secret", false), ("secret", true)] {
        let server = Server::start("IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256 LOGINDISABLED", move |mut talk| async move {
            talk.greet().await;
            let asked = talk.until("AUTHENTICATE SCRAM-SHA-256").await;
            scram(&mut talk, &asked, password, lies).await;
            talk.go_on().await;
        })
        .await;
        let opened = server.connector().source(&alice()).await;
        match (lies, opened) {
            (false, Ok(_)) => {}
            (true, Err(error)) => assert!(error.what.contains("another server"), "{error}"),
            (_, opened) => panic!("{:?}", opened.err()),
        }
    }
    let server = Server::start("IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256", |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["AUTHENTICATE SCRAM-SHA-256"]).await {
            let is_known = decoded(&asked).starts_with("n,a=alice,");
            if !is_known {
                talk.end(&asked, "NO").await;
                continue;
            }
            assert!(scram(&mut talk, &asked, "migpw", false).await);
        }
    })
    .await;
    let mut config = server.config();
    config.login = migrator(Impersonate::Authzid);
    ImapConnector::new(config).unwrap().source(&Account::named("alice")).await.unwrap();
}

#[tokio::test]
async fn a_password_that_scram_cannot_use_is_sent_plainly_and_scram_not_tried_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let server = Server::start("IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256 AUTH=PLAIN", {
        let tries = tries.clone();
        move |mut talk| {
            let tries = tries.clone();
            async move {
                talk.greet().await;
                while let Some(asked) = talk.until_any(&["AUTHENTICATE SCRAM-SHA-256"]).await {
                    tries.fetch_add(1, Ordering::SeqCst);
                    talk.end(&asked, "NO [AUTHENTICATIONFAILED] no such credentials").await;
                }
            }
        }
    })
    .await;
    let connector = server.connector();
    connector.source(&alice()).await.unwrap();
    connector.source(&alice()).await.unwrap();
    assert_eq!(tries.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_is_no_imap_server_is_said_to_be_none() {
    let speak = |first: &'static str| async move {
        let server = Server::start(POOR, move |mut talk| async move {
            talk.say(first).await;
            talk.go_on().await;
        })
        .await;
        let mut config = server.config();
        config.connect_wait_max = Duration::from_millis(300);
        ImapConnector::new(config).unwrap().source(&alice()).await.err().unwrap()
    };
    assert_eq!(speak("220 mail ESMTP\r\n").await.cause, Cause::Protocol);
    assert_eq!(speak("* PREAUTH welcome\r\n").await.cause, Cause::NotTheirStore);
    let error = speak("* BYE too many connections\r\n").await;
    assert_eq!(error.cause, Cause::Throttled, "{error}");
    let error = speak("").await;
    assert!(error.what.contains("did not greet") && error.what.contains("implicit"), "{error}");
}

/// A certificate for these names from a CA of its own: the CA as PEM, and the server's configuration.
fn tls(names: &[&str], is_expired: bool) -> (String, Arc<rustls::ServerConfig>) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    if is_expired {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    }
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (pem, Arc::new(config))
}

/// A server on TLS that answers as a plain one; before the handshake it says and hears `before`.
async fn tls_server(
    config: Arc<rustls::ServerConfig>,
    before: &'static [&'static str],
) -> (u16, tokio::task::JoinHandle<()>) {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            for line in before {
                if let Some(expected) = line.strip_prefix("> ") {
                    let mut line = Vec::new();
                    while !line.ends_with(b"\n") {
                        let mut byte = [0];
                        if tokio::io::AsyncReadExt::read(&mut stream, &mut byte).await.unwrap_or(0) == 0 {
                            break;
                        }
                        line.push(byte[0]);
                    }
                    assert!(String::from_utf8_lossy(&line).contains(expected));
                } else {
                    let _ = stream.write_all(line.as_bytes()).await;
                }
            }
            let acceptor = tokio_rustls::TlsAcceptor::from(config.clone());
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let mut stream = BufReader::new(stream);
            if before.is_empty() {
                let _ = stream.get_mut().write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n").await;
            }
            let mut line = String::new();
            while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
                let tag = line.split(' ').next().unwrap().to_owned();
                if line.contains("CAPABILITY") {
                    let _ = stream.get_mut().write_all(b"* CAPABILITY IMAP4rev1\r\n").await;
                }
                let _ = stream.get_mut().write_all(format!("{tag} OK done\r\n").as_bytes()).await;
                line.clear();
            }
        }
    });
    (port, task)
}

async fn check_tls(port: u16, mode: Tls, host: &str, ca: Option<&str>) -> Result<(), Error> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut config = Config::new(host);
    config.port = Some(port);
    config.tls = mode;
    config.connect_wait_max = Duration::from_secs(2);
    if let Some(ca) = ca {
        file.write_all(ca.as_bytes()).unwrap();
        config.ca_file = Some(file.path().to_owned());
    }
    ImapConnector::new(config).unwrap().source(&alice()).await.map(|_| ())
}

#[tokio::test]
async fn certificates_are_verified_and_what_is_wrong_is_said() {
    let (ca, config) = tls(&["127.0.0.1", "mail.example"], false);
    let (port, _server) = tls_server(config, &[]).await;
    assert_eq!(check_tls(port, Tls::Implicit, "127.0.0.1", Some(&ca)).await, Ok(()));
    let error = check_tls(port, Tls::Implicit, "127.0.0.1", None).await.unwrap_err();
    assert!(error.cause == Cause::Tls && error.what.contains("ca_file"), "{error}");
    let error = check_tls(port, Tls::Implicit, "localhost", Some(&ca)).await.unwrap_err();
    assert!(error.cause == Cause::Tls && error.what.contains("not for localhost"), "{error}");
    let (ca, config) = tls(&["127.0.0.1"], true);
    let (port, _server) = tls_server(config, &[]).await;
    let error = check_tls(port, Tls::Implicit, "127.0.0.1", Some(&ca)).await.unwrap_err();
    assert!(error.cause == Cause::Tls && error.what.contains("expired"), "{error}");
    let plain = Server::start(POOR, |mut talk| async move {
        talk.greet().await;
        talk.go_on().await;
    })
    .await;
    let error = check_tls(plain.port, Tls::Implicit, "127.0.0.1", Some(&ca)).await.unwrap_err();
    assert!(error.cause == Cause::Tls && error.what.contains("starttls"), "{error}");
}

#[tokio::test]
async fn starttls_is_required_and_what_came_before_it_counts_for_nothing() {
    let (ca, config) = tls(&["127.0.0.1"], false);
    // Behind the OK somebody has put a capability and a login that never were.
    let before: &[&str] = &[
        "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n",
        "> STARTTLS",
        "W1 OK go\r\n* CAPABILITY IMAP4rev1 LOGINDISABLED\r\nW1 OK\r\n* PREAUTH in\r\n",
    ];
    let (port, _server) = tls_server(config, before).await;
    assert_eq!(check_tls(port, Tls::Starttls, "127.0.0.1", Some(&ca)).await, Ok(()));
    let plain = Server::start(POOR, |mut talk| async move {
        talk.greet().await;
        talk.go_on().await;
    })
    .await;
    let error = check_tls(plain.port, Tls::Starttls, "127.0.0.1", Some(&ca)).await.unwrap_err();
    assert!(error.cause == Cause::Tls && error.what.contains("STARTTLS"), "{error}");
    assert!(plain.heard().is_empty(), "no password in the clear: {:?}", plain.heard());
}

#[tokio::test]
async fn a_check_says_a_sentence_for_each_topic_and_changes_nothing() {
    let server = Server::start("IMAP4rev1 SASL-IR AUTH=PLAIN UIDPLUS ACL", |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["AUTHENTICATE", "MYRIGHTS"]).await {
            if asked.is("MYRIGHTS") {
                talk.say("* MYRIGHTS INBOX lrswipkxtea\r\n").await;
                talk.done(&asked).await;
                continue;
            }
            let how = if decoded(&asked).starts_with("alice\0") { "OK" } else { "NO [AUTHENTICATIONFAILED] no" };
            talk.end(&asked, how).await;
        }
    })
    .await;
    let mut config = server.config();
    config.login = migrator(Impersonate::Authzid);
    config.connections_max = 1;
    let connector = ImapConnector::new(config).unwrap();
    let findings = connector.check(Some(&Account::named("alice"))).await;
    let topics: Vec<Topic> = findings.iter().map(|finding| finding.topic).collect();
    assert_eq!(topics, [Topic::Reach, Topic::Tls, Topic::Login, Topic::Store, Topic::Capabilities, Topic::Rights]);
    assert!(findings.iter().all(|finding| finding.wrong.is_none()), "{findings:?}");
    assert!(findings[0].sentence.ends_with("answers: ready"), "{}", findings[0].sentence);
    assert!(findings[1].sentence.contains("this machine only"));
    assert!(findings[4].sentence.contains("without MULTIAPPEND messages are sent one by one"));
    let findings = connector.check(Some(&Account::named("bob"))).await;
    let last = findings.last().unwrap();
    assert_eq!((last.topic, last.wrong), (Topic::Login, Some(Cause::Login)));
    assert_eq!(connector.check(None).await.len(), 3);
    for verb in ["APPEND", "CREATE", "SUBSCRIBE", "UID STORE", "SELECT", "EXAMINE"] {
        assert!(!server.has_heard(verb), "{:?}", server.heard());
    }
}

#[tokio::test]
async fn connections_are_no_more_than_allowed() {
    let open = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let server = Server::start(POOR, {
        let (open, most) = (open.clone(), most.clone());
        move |mut talk| {
            let (open, most) = (open.clone(), most.clone());
            async move {
                most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                talk.greet().await;
                talk.go_on().await;
                open.fetch_sub(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    let mut config = server.config();
    config.connections_max = 2;
    let connector = ImapConnector::new(config).unwrap();
    let mut tasks = Vec::new();
    for _ in 0..6 {
        let connector = connector.clone();
        tasks.push(tokio::spawn(async move {
            let mut source = connector.source(&alice()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            source.close().await;
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert!(most.load(Ordering::SeqCst) <= 2);
}

#[tokio::test]
async fn folders_are_the_persons_own_and_views_are_left_out() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["NAMESPACE", "LIST"]).await {
            if asked.is("NAMESPACE") {
                talk.say("* NAMESPACE ((\"INBOX.\" \".\")) ((\"user.\" \".\")) ((\"Public.\" \".\"))\r\n").await;
            } else if asked.text.contains("\"INBOX.*\"") {
                talk.lines(&[
                    "* LIST (\\HasChildren \\Subscribed) \".\" INBOX",
                    "* LIST (\\HasNoChildren \\sent \\Subscribed) \".\" \"INBOX.Sent\"",
                    "* STATUS INBOX.Sent (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 2 HIGHESTMODSEQ 88)",
                    "* LIST (\\All \\HasNoChildren) \".\" \"INBOX.All Mail\"",
                    "* LIST (\\Noselect) \".\" INBOX.Projects",
                    "* LIST () \".\" {14}\r\nINBOX.&ZeVnLA-",
                    "* LIST (\\NonExistent \\Subscribed) \".\" INBOX.gone",
                    "* LIST () \".\" user.bob",
                ])
                .await;
            } else {
                talk.lines(&[
                    "* LIST () \".\" INBOX",
                    "* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1 HIGHESTMODSEQ 5)",
                ])
                .await;
            }
            talk.done(&asked).await;
        }
    })
    .await;
    let folders = server.source().await.folders().await.unwrap();
    let shown: Vec<String> = folders
        .iter()
        .map(|folder| {
            let state = folder.state.map_or(String::new(), |state| format!(" {} {}", state.count, state.change));
            format!("{} {} {}{state}", folder.path, folder.holds_items, folder.subscribed)
        })
        .collect();
    assert_eq!(
        shown,
        ["INBOX true true 1 5", "Projects false false", "Sent true true 3 88", "gone false true", "日本 true false"]
    );
    assert!(folders.iter().all(|folder| folder.kind == ItemKind::Message));
    assert!(folders[2].special_use.is_some());
}

/// Archived messages of Gmail lie among all messages and nowhere else.
#[tokio::test]
async fn which_folders_are_views_depends_on_whether_messages_have_labels() {
    for (labels, expected) in [(" X-GM-EXT-1", ["All", "INBOX"]), ("", ["INBOX", "Ward round"])] {
        let server = Server::start(&format!("{RICH}{labels}"), |mut talk| async move {
            talk.greet().await;
            while let Some(asked) = talk.until_any(&["LIST"]).await {
                talk.lines(&[
                    "* LIST () \"/\" INBOX",
                    "* LIST (\\All) \"/\" All",
                    "* LIST (\\Flagged) \"/\" Starred",
                    "* LIST (\\Important) \"/\" \"Ward round\"",
                ])
                .await;
                talk.done(&asked).await;
            }
        })
        .await;
        let folders = server.source().await.folders().await.unwrap();
        let shown: Vec<String> = folders.iter().map(|folder| folder.path.to_string()).collect();
        assert_eq!(shown, expected);
    }
}

#[tokio::test]
async fn a_poor_server_is_asked_with_lsub_and_status() {
    let server = Server::start(POOR, |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["LIST \"\" \"*\"", "LSUB", "STATUS \""]).await {
            if asked.is("LIST") {
                talk.lines(&[
                    "* LIST () \"/\" INBOX",
                    "* LIST (\\Noselect) \"/\" a",
                    "* LIST () \"/\" a/b",
                    "* LIST () NIL odd &",
                ])
                .await;
            } else if asked.is("LSUB") {
                talk.lines(&["* LSUB () \"/\" a/b", "* LSUB () \"/\" gone"]).await;
            } else {
                talk.say("* STATUS x (MESSAGES 4 UIDNEXT 5 UIDVALIDITY 6)\r\n").await;
            }
            talk.done(&asked).await;
        }
    })
    .await;
    let mut source = server.source().await;
    let folders = source.folders().await.unwrap();
    let shown: Vec<(String, bool, bool, bool)> =
        folders.iter().map(|f| (f.path.to_string(), f.holds_items, f.subscribed, f.state.is_some())).collect();
    assert_eq!(
        shown,
        [
            ("INBOX".to_owned(), true, false, true),
            ("a".to_owned(), false, false, false),
            ("a/b".to_owned(), true, true, true),
            ("odd".to_owned(), true, false, true),
        ]
    );
    source.state(&FolderPath::new(["a", "b"])).await.unwrap();
    assert!(server.has_heard("STATUS \"a/b\" (MESSAGES UIDNEXT UIDVALIDITY)"));
}

#[tokio::test]
async fn a_name_that_is_none_leads_back_to_itself() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["LIST", "EXAMINE"]).await {
            if asked.is("LIST") {
                talk.say_bytes(
                    b"* LIST () \"/\" INBOX\r\n* LIST () \"/\" \"R&D caf\xe9\"\r\n* LIST () \"/\" \"R&-D\"\r\n",
                )
                .await;
                talk.done(&asked).await;
            } else {
                talk.opened(&asked, 0, 1, 5).await;
            }
        }
    })
    .await;
    let mut source = server.source().await;
    // The folder is asked for before anything was listed, as after a restart.
    source.list(&FolderPath::new(["R&D café"])).await.unwrap();
    source.list(&FolderPath::new(["R&D"])).await.unwrap();
    assert!(
        server.has_heard("EXAMINE \"R&D caf\u{fffd}\"") && server.has_heard("EXAMINE \"R&-D\""),
        "{:?}",
        server.heard()
    );
}

#[tokio::test]
async fn with_utf_8_names_travel_as_they_are() {
    let server = Server::start("IMAP4rev1 ENABLE UTF8=ACCEPT", |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["EXAMINE"]).await {
            talk.opened(&asked, 0, 1, 5).await;
        }
    })
    .await;
    let mut source = server.source().await;
    source.list(&FolderPath::new(["Entwürfe & Co"])).await.unwrap();
    assert!(
        server.has_heard("ENABLE UTF8=ACCEPT") && server.has_heard("EXAMINE \"Entwürfe & Co\""),
        "{:?}",
        server.heard()
    );
}
