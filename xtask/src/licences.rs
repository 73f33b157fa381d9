//! What may be linked: licences, where packages come from, and whether somebody has said why each is there.
//!
//! The rules are those of `deny.toml`, which cargo-deny reads too. It is not everywhere installed, so the rules that
//! matter are looked after here as well, for the packages that become part of the program: what `whimbrel` depends on,
//! normally or to be built, on this platform.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use serde_json::Value;

use crate::check::{Outcome, counted};
use crate::run::{cargo, cargo_output};
use crate::spdx;

/// The package that becomes the program.
const PROGRAM: &str = "whimbrel";
/// The only place that packages may come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// The page that says why each dependency is there.
const REASONS: &str = "docs/decisions/0002-dependencies.md";

/// Looks at every package that is linked.
pub(crate) fn check(root: &Path) -> Outcome {
    let read = |path: &str| {
        std::fs::read_to_string(root.join(path)).map_err(|error| vec![format!("{path} can't be read: {error}")])
    };
    let allowed = allowed(&read("deny.toml")?).map_err(|error| vec![error])?;
    let metadata = metadata(root)?;
    let packages = packages(&metadata).map_err(|error| vec![error])?;
    let mut wrong = Vec::new();
    let linked = linked(&packages).map_err(|error| vec![error])?;
    for (id, from) in &linked {
        let package = &packages[id];
        if let Some(complaint) = complaint(package, &allowed) {
            let way = way(id, from.as_ref(), &linked, &packages);
            wrong.push(format!(
                "{}: {complaint}\n  it comes by {way}\n  what to do: use another package; or, if the licence is one we can \
                 take, add it to `allow` in deny.toml",
                package.title()
            ));
        }
    }
    let reasons = read(REASONS)?;
    for package in packages.values() {
        wrong.extend(package.other_complaints(&reasons));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(format!("{}, each with a licence of deny.toml, from crates.io", counted(linked.len(), "linked package")))
}

/// What is linked with the program, a line each: name, version, licence.
pub(crate) fn listing(root: &Path) -> Result<String, Vec<String>> {
    let packages = packages(&metadata(root)?).map_err(|error| vec![error])?;
    let linked = linked(&packages).map_err(|error| vec![error])?;
    let line = |package: &Package| {
        format!("{} {} {}\n", package.name, package.version, package.license.as_deref().unwrap_or("unknown"))
    };
    let foreign = linked.keys().map(|id| &packages[id]).filter(|package| package.source.is_some());
    let lines: BTreeSet<String> = foreign.map(line).collect();
    Ok(lines.into_iter().collect())
}

/// Cargo-deny, where it is installed.
pub(crate) fn cargo_deny(root: &Path) -> Outcome {
    if !cargo_output(root, &["deny", "--version"])?.status.success() {
        return Ok("not installed; the check of licences above stands alone".to_owned());
    }
    cargo(root, &["deny", "check"], "see deny.toml; an exception needs a reason and an end")
}

/// The licences that `deny.toml` allows.
fn allowed(text: &str) -> Result<BTreeSet<String>, String> {
    let table: toml::Table = text.parse().map_err(|error| format!("deny.toml: {error}"))?;
    let list = table.get("licenses").and_then(|licenses| licenses.get("allow")).and_then(toml::Value::as_array);
    let list = list.ok_or("deny.toml: [licenses] has no `allow`")?;
    let names = list.iter().map(|name| name.as_str().map(str::to_owned));
    names.collect::<Option<_>>().ok_or_else(|| "deny.toml: `allow` holds something that is no text".to_owned())
}

fn metadata(root: &Path) -> Result<Value, Vec<String>> {
    let platform = platform(root)?;
    let mut arguments =
        vec!["metadata", "--format-version", "1", "--locked", "--filter-platform", &platform, "--offline"];
    let mut output = cargo_output(root, &arguments)?;
    if !output.status.success() {
        // In a fresh clone some packages may not be there yet.
        arguments.pop();
        output = cargo_output(root, &arguments)?;
    }
    if !output.status.success() {
        return Err(vec![format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim())]);
    }
    serde_json::from_slice(&output.stdout).map_err(|error| vec![format!("cargo metadata: {error}")])
}

/// The platform that the program is built for here.
fn platform(root: &Path) -> Result<String, Vec<String>> {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = std::process::Command::new(program).arg("-vV").current_dir(root).output();
    let output = output.map_err(|error| vec![format!("rustc can't be run: {error}")])?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| vec!["rustc -vV names no host".to_owned()])
}

/// A package, and what is asked of it.
#[derive(Clone, Debug)]
struct Package {
    name: String,
    version: String,
    /// None for our own.
    source: Option<String>,
    license: Option<String>,
    /// Its direct dependencies from elsewhere: name and wanted version.
    wants: Vec<(String, String)>,
    /// Ids of what is linked with it.
    linked: Vec<String>,
}

impl Package {
    fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    /// What is wrong with it besides its licence.
    fn other_complaints(&self, reasons: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.source.as_ref().is_some_and(|source| source != REGISTRY) {
            wrong.push(format!(
                "{}: it does not come from crates.io\n  what to do: use a published version",
                self.title()
            ));
        }
        if self.source.is_some() {
            return wrong;
        }
        for (name, version) in &self.wants {
            if version == "*" {
                let what = "any version of it is taken\n  what to do: name a version in Cargo.toml";
                wrong.push(format!("{name}, for {}: {what}", self.name));
            }
            if !reasons.contains(&format!("`{name}`")) {
                wrong.push(format!(
                    "{name}, for {}: nobody has said why it is there\n  what to do: add a row to {REASONS}",
                    self.name
                ));
            }
        }
        wrong
    }
}

/// What is wrong with a package's licence, if anything.
fn complaint(package: &Package, allowed: &BTreeSet<String>) -> Option<String> {
    let Some(license) = &package.license else { return Some("it names no licence".to_owned()) };
    match spdx::is_allowed(license, &|name| allowed.contains(name)) {
        Ok(true) => None,
        Ok(false) => Some(format!("its licence {license:?} is not allowed")),
        Err(error) => Some(format!("its licence {license:?} is not understood: {error}")),
    }
}

/// The packages of cargo's metadata, by id.
fn packages(metadata: &Value) -> Result<BTreeMap<String, Package>, String> {
    let text = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let misread = || "cargo metadata: not as expected".to_owned();
    let mut packages = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        let wants = list(&package["dependencies"]);
        let wants = wants.iter().filter(|wanted| wanted["source"].is_string());
        let read = Package {
            name: text(&package, "name").ok_or_else(misread)?,
            version: text(&package, "version").ok_or_else(misread)?,
            source: text(&package, "source"),
            license: text(&package, "license"),
            wants: wants.filter_map(|wanted| Some((text(wanted, "name")?, text(wanted, "req")?))).collect(),
            linked: Vec::new(),
        };
        packages.insert(text(&package, "id").ok_or_else(misread)?, read);
    }
    for node in list(&metadata["resolve"]["nodes"]) {
        let package = node["id"].as_str().and_then(|id| packages.get_mut(id)).ok_or_else(misread)?;
        for dependency in list(&node["deps"]) {
            let is_linked = list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev");
            if is_linked {
                package.linked.push(text(&dependency, "pkg").ok_or_else(misread)?);
            }
        }
    }
    Ok(packages)
}

/// The packages that become part of the program, each with the one that first asked for it.
fn linked(packages: &BTreeMap<String, Package>) -> Result<BTreeMap<String, Option<String>>, String> {
    let program = packages.iter().find(|(_, package)| package.name == PROGRAM && package.source.is_none());
    let (program, _) = program.ok_or_else(|| format!("there is no package {PROGRAM}"))?;
    let mut linked = BTreeMap::from([(program.clone(), None)]);
    let mut next = VecDeque::from([program.clone()]);
    while let Some(id) = next.pop_front() {
        let package = packages.get(&id).ok_or_else(|| format!("cargo metadata: {id} is missing"))?;
        for wanted in &package.linked {
            if !linked.contains_key(wanted) {
                linked.insert(wanted.clone(), Some(id.clone()));
                next.push_back(wanted.clone());
            }
        }
    }
    Ok(linked)
}

/// How a package came to be linked: the names from the program down to it.
fn way(
    id: &str,
    from: Option<&String>,
    linked: &BTreeMap<String, Option<String>>,
    packages: &BTreeMap<String, Package>,
) -> String {
    let mut names = vec![packages[id].name.as_str()];
    let mut above = from;
    while let Some(id) = above {
        names.push(&packages[id].name);
        above = linked[id].as_ref();
    }
    names.reverse();
    names.join(" → ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata_of(licences: [Value; 3]) -> Value {
        let [direct, below, tests_only] = licences;
        let package = |name: &str, source: Value, license: Value, wants: Value| {
            json!({ "id": name, "name": name, "version": "1.0.0", "source": source, "license": license,
                "dependencies": wants })
        };
        let dependency = |name: &str, kind: Value| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let ours = json!("MIT OR Apache-2.0");
        let wants = json!([{ "name": "direct", "req": "^1", "source": REGISTRY }]);
        json!({
            "packages": [
                package("whimbrel", Value::Null, ours, wants),
                package("direct", json!(REGISTRY), direct, json!([])),
                package("below", json!(REGISTRY), below, json!([{ "name": "x", "req": "*", "source": REGISTRY }])),
                package("tests-only", json!(REGISTRY), tests_only, json!([])),
            ],
            "resolve": { "nodes": [
                { "id": "whimbrel", "deps": [dependency("direct", Value::Null), dependency("tests-only", json!("dev"))] },
                { "id": "direct", "deps": [dependency("below", json!("build"))] },
                { "id": "below", "deps": [] },
                { "id": "tests-only", "deps": [] },
            ] },
        })
    }

    fn complaints(metadata: &Value) -> Vec<String> {
        let allowed = BTreeSet::from(["MIT".to_owned()]);
        let packages = packages(metadata).unwrap();
        let linked = linked(&packages).unwrap();
        let wrong = linked.iter().filter_map(|(id, from)| {
            let what = complaint(&packages[id], &allowed)?;
            Some(format!("{}: {what} ({})", packages[id].title(), way(id, from.as_ref(), &linked, &packages)))
        });
        wrong.collect()
    }

    #[test]
    fn only_what_is_linked_is_judged() {
        assert!(complaints(&metadata_of([json!("MIT"), json!("X OR MIT"), json!("GPL-3.0-only")])).is_empty());
        let wrong = complaints(&metadata_of([Value::Null, json!("GPL-3.0-only"), json!("MIT")]));
        assert_eq!(
            wrong,
            [
                "below 1.0.0: its licence \"GPL-3.0-only\" is not allowed (whimbrel → direct → below)",
                "direct 1.0.0: it names no licence (whimbrel → direct)",
            ]
        );
        assert!(complaints(&metadata_of([json!("MIT ISC"), json!("MIT"), json!("MIT")]))[0].contains("not understood"));
    }

    #[test]
    fn our_own_say_why_and_which_version_and_take_from_one_place() {
        let packages = packages(&metadata_of([json!("MIT"), json!("MIT"), json!("MIT")])).unwrap();
        assert!(packages["whimbrel"].other_complaints("| `direct` | why").is_empty());
        assert!(packages["whimbrel"].other_complaints("| `directory` | why")[0].contains("nobody has said why"));
        assert!(packages["below"].other_complaints("").is_empty(), "what others want of others is theirs");
        let mut any = packages["whimbrel"].clone();
        any.wants[0].1 = "*".to_owned();
        assert!(any.other_complaints("`direct`")[0].contains("any version"));
        let from_git = Package { source: Some("git+https://x".to_owned()), ..packages["direct"].clone() };
        assert!(from_git.other_complaints("")[0].contains("crates.io"));
    }

    #[test]
    fn the_list_of_licences_is_read() {
        let text = "[licenses]\nallow = [\n  \"MIT\", # a reason\n  \"ISC\",\n]\n";
        assert_eq!(allowed(text).unwrap().into_iter().collect::<Vec<_>>(), ["ISC", "MIT"]);
        for wrong in ["", "[licenses]", "[licenses]\nallow = [1]", "[licenses"] {
            assert!(allowed(wrong).is_err(), "{wrong}");
        }
    }
}
