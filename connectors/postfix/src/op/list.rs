//! Every forwarder of the whole site.

use std::fs;
use std::path::Path;

use connector::Error;
use connector::router::{Destination, Force, Forwarder, ForwarderOwner, ForwarderSink, LocalCopy};
use model::{Cause, Scope};

use super::maps::{covers, entries, forward_file, place, query, shown};
use super::setup::Setup;
use super::table::Store;
use crate::config::{Config, Syntax};
use crate::text::address::{folded, local_part};
use crate::text::targets::{Target, targets};
use crate::wire::file::{blocking, failed};

/// How many are told at once.
const PORTION: usize = 500;

struct Telling<'s> {
    sink: &'s mut dyn ForwarderSink,
    portion: Vec<(String, Forwarder)>,
    unread: Vec<String>,
}

/// Tells what all maps and forwarding files say. What can't be listed ends it with an error, once all else was told.
pub(crate) async fn list(config: &Config, sink: &mut dyn ForwarderSink) -> Result<(), Error> {
    let setup = Setup::read(config).await?;
    let mut telling = Telling { sink, portion: Vec::new(), unread: Vec::new() };
    // Whether the table can be read at all is looked at by its own means.
    Store::of(config).at(&[" ".to_owned()]).await?;
    for map in &config.maps {
        let found = match &map.path {
            Some(path) => entries(path, map.syntax).await.map(|all| {
                let placed = |(key, value, line)| (key, value, format!("{}, line {line}", path.display()));
                all.into_iter().map(placed).collect::<Vec<_>>()
            }),
            None => query(config, map, &|_| String::new(), &[])
                .await
                .map(|rows| rows.into_iter().map(|(key, value)| (key, value, place(map))).collect()),
        };
        match found {
            Ok(all) => {
                // The domain of virtual addresses may stand for itself in a table, and leads nowhere.
                let ends: std::collections::HashSet<String> = all
                    .iter()
                    .filter_map(|(key, ..)| key.rsplit_once('@').map(|(_, domain)| domain.to_owned()))
                    .collect();
                let is_domain = |key: &String| map.syntax == Syntax::Virtual && ends.contains(key);
                for (key, value, place) in all.into_iter().filter(|(key, ..)| !is_domain(key)) {
                    telling.entry(&key, targets(&value), ForwarderOwner::Administrator, &place).await?;
                }
            }
            Err(error) => telling.unread.push(error.to_string()),
        }
    }
    for (parameter, syntax) in [("virtual_alias_maps", Syntax::Virtual), ("alias_maps", Syntax::Aliases)] {
        for name in setup.maps(parameter) {
            let is_listed = config.maps.iter().any(|map| map.syntax == syntax && covers(map, &name));
            if !is_listed && config.map_name().as_ref() != Some(&name) {
                telling.unread.push(format!("{name} of {parameter} can't be listed: name what it is made of in maps"));
            }
        }
    }
    for template in &config.forward_files {
        telling.forward_files(template).await?;
    }
    telling.flush().await?;
    if telling.unread.is_empty() {
        return Ok(());
    }
    let what = format!("not all was listed: {}", telling.unread.join("; "));
    Err(Error::new(Cause::Unreadable, Scope::Run, what))
}

impl Telling<'_> {
    async fn entry(&mut self, key: &str, all: Vec<Target>, owner: ForwarderOwner, place: &str) -> Result<(), Error> {
        let is_own = |text: &str| folded(text) == key || folded(text) == local_part(key);
        let stays = all.iter().any(|target| match target {
            Target::Address(text) => is_own(text),
            Target::File => true,
            _ => false,
        });
        let copy = match stays {
            true => LocalCopy::Kept,
            false if all.contains(&Target::Program) => LocalCopy::Perhaps,
            false => LocalCopy::NotKept,
        };
        for target in all {
            let to = match target {
                Target::Address(text) if is_own(&text) => continue,
                Target::Address(text) => shown(text),
                Target::Program => Destination::Unknown("a program".to_owned()),
                Target::Include(path) => Destination::Unknown(format!("the list in {path}")),
                Target::File | Target::Nowhere => continue,
            };
            let forwarder = Forwarder { to, copy, force: Force::Always, owner, place: place.to_owned() };
            self.portion.push((key.to_owned(), forwarder));
            if self.portion.len() >= PORTION {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Error> {
        if self.portion.is_empty() {
            return Ok(());
        }
        self.sink.take(std::mem::take(&mut self.portion)).await
    }

    /// The files of everybody who has a folder where the template says so.
    async fn forward_files(&mut self, template: &str) -> Result<(), Error> {
        let Some((above, _)) = template.split_once("{local}") else { return Ok(()) };
        if !above.ends_with('/') {
            self.unread
                .push(format!("the files {template} can't be listed: {{local}} is not the whole name of a folder"));
            return Ok(());
        }
        let above = above.to_owned();
        let names = blocking(move || {
            let path = Path::new(&above);
            let wrong = |error: &std::io::Error| failed("cannot list", path, error);
            let mut names = Vec::new();
            for entry in fs::read_dir(path).map_err(|error| wrong(&error))? {
                names.push(entry.map_err(|error| wrong(&error))?.file_name().to_string_lossy().into_owned());
            }
            names.sort();
            Ok(names)
        })
        .await;
        let names = match names {
            Ok(names) => names,
            Err(error) => {
                self.unread.push(error.to_string());
                return Ok(());
            }
        };
        for name in names.into_iter().filter(|name| !name.starts_with('.')) {
            match forward_file(template, &name).await {
                Ok(Some((place, all, _))) => self.entry(&name, all, ForwarderOwner::Person, &place).await?,
                Ok(None) => {}
                Err(error) => self.unread.push(error.to_string()),
            }
        }
        Ok(())
    }
}
