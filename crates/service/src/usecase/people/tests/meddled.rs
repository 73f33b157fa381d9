//! A platform in memory that is not as it should be when it is changed.

use super::*;
use connector::{ChangeOutcome, Door, PlannedChange};

/// What becomes of changes in place of being made.
#[async_trait::async_trait]
pub(in super::super) trait Meddles: Send + Sync {
    async fn apply(
        &self,
        platform: &DirectoryInMemory,
        changes: &[PlannedChange],
        door: &dyn Door,
    ) -> Result<Vec<ChangeOutcome>, connector::Error>;

    /// What it says of itself.
    fn declaration(&self, own: DirectoryDeclaration) -> DirectoryDeclaration {
        own
    }
}

/// The platform, and who meddles with it.
pub(in super::super) struct Meddled<M>(pub(in super::super) DirectoryInMemory, pub(in super::super) M);

impl<M: Meddles + 'static> Meddled<M> {
    /// As the platform of a project.
    pub(in super::super) fn opened(platform: &DirectoryInMemory, meddles: M) -> (String, Opened) {
        ("platform".to_owned(), Opened::Written(Arc::new(Self(platform.clone(), meddles))))
    }
}

#[async_trait::async_trait]
impl<M: Meddles> Directory for Meddled<M> {
    fn declaration(&self) -> DirectoryDeclaration {
        self.1.declaration(self.0.declaration())
    }

    async fn read(
        &self,
        since: Option<&DirectoryCursor>,
        sink: &mut dyn EntrySink,
    ) -> Result<DirectoryRead, connector::Error> {
        self.0.read(since, sink).await
    }

    async fn check(&self) -> Vec<Finding> {
        Vec::new()
    }
}

#[async_trait::async_trait]
impl<M: Meddles> DirectoryTarget for Meddled<M> {
    async fn apply(&self, changes: &[PlannedChange], door: &dyn Door) -> Result<Vec<ChangeOutcome>, connector::Error> {
        self.1.apply(&self.0, changes, door).await
    }

    async fn find_origin(&self, origin: &str) -> Result<Vec<Entry>, connector::Error> {
        self.0.find_origin(origin).await
    }

    async fn entries(&self, keys: &[String]) -> Result<Vec<Entry>, connector::Error> {
        self.0.entries(keys).await
    }

    async fn holders(&self, addresses: &[String]) -> Result<Vec<Entry>, connector::Error> {
        self.0.holders(addresses).await
    }
}
