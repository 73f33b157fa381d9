//! The suite of directories, on the directory in memory.

#![allow(clippy::expect_used, reason = "a test's helper")]

use std::sync::Arc;

use async_trait::async_trait;
use conformance::directory_suite::DirectoryWorld;
use conformance::directory_suite::writing::TargetWorld;
use connector::{Directory, DirectoryInMemory, DirectoryTarget};
use model::Entry;

struct World(DirectoryInMemory);

impl World {
    fn entry(&self, key: &str) -> Entry {
        self.0.all().into_iter().find(|entry| entry.key == key).expect("it was put there")
    }
}

#[async_trait]
impl DirectoryWorld for World {
    fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(self.0.clone())
    }

    async fn add(&self, entry: &Entry) -> String {
        self.0.put(entry.clone());
        entry.key.clone()
    }

    async fn change(&self, key: &str, department: &str) {
        self.0.put(Entry { department: Some(department.to_owned()), ..self.entry(key) });
    }

    async fn rename(&self, key: &str, display: &str) {
        let mut entry = self.entry(key);
        entry.names.display = Some(display.to_owned());
        self.0.put(entry);
    }

    async fn remove(&self, key: &str) {
        self.0.remove(key);
    }
}

conformance::directory_suite!(Some(World(DirectoryInMemory::default())));

impl TargetWorld for World {
    fn target(&self) -> Arc<dyn DirectoryTarget> {
        Arc::new(self.0.clone())
    }
}

mod written {
    use super::{DirectoryInMemory, World};

    conformance::directory_target_suite!(Some(World(DirectoryInMemory::default())));
}
