//! Reads a mailbox of mbox files through the connector.

use std::path::Path;
use std::sync::Arc;

use connector::{Account, Connector, Cursor, Event, Holds, HoldsLimits, ReadFolder, Source, SystemClock};
use mbox::{Dialect, MboxConfig, MboxConnector};
use model::{Cause, Flags, FolderPath, ItemId};

/// A message as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) id: ItemId,
    pub(crate) bytes: Vec<u8>,
    pub(crate) flags: Flags,
    pub(crate) received: i64,
}

impl Got {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// What a reading of a folder gave.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) got: Vec<Got>,
    pub(crate) listed: Vec<(ItemId, Flags)>,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) skipped: Option<Cause>,
}

pub(crate) async fn open(path: &Path, dialect: Dialect) -> Box<dyn Source> {
    let config = MboxConfig { path: path.to_str().unwrap().to_owned(), dialect, ..MboxConfig::default() };
    MboxConnector::new(config, Arc::new(SystemClock)).source(&Account::named("ann")).await.unwrap()
}

pub(crate) async fn read(source: &mut dyn Source, path: &FolderPath, since: Option<Cursor>) -> Reading {
    let mut read = Reading::default();
    let holds = Holds::new(HoldsLimits::default());
    let mut reading = source.read(vec![ReadFolder { path: path.clone(), since }], &holds).await.unwrap();
    loop {
        let events = reading.next().await.unwrap();
        if events.is_empty() {
            return read;
        }
        for event in events {
            match event {
                Event::Begin { .. } => {}
                Event::Item(item) => read.got.push(Got {
                    id: item.id,
                    bytes: item.body.to_vec().await.unwrap(),
                    flags: item.flags,
                    received: item.received.unwrap().unix_seconds,
                }),
                Event::Flags(listed) => read.listed.extend(listed),
                Event::End { cursor, .. } => read.cursor = Some(cursor),
                Event::Skipped { error } => read.skipped = Some(error.cause),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// All messages of a single file.
pub(crate) async fn all(path: &Path, dialect: Dialect) -> Vec<Got> {
    let read = read(open(path, dialect).await.as_mut(), &FolderPath::inbox(), None).await;
    assert_eq!(read.skipped, None);
    read.got
}
