//! How fast an endpoint may be asked: shared by all connections to it, wherever they are.

use async_trait::async_trait;

/// Keeps count of what an endpoint is asked, and holds back whoever asks too much.
#[async_trait]
pub trait Pace: std::fmt::Debug + Send + Sync {
    /// So many requests were sent, and so many bytes went either way; returns once more of both may follow.
    async fn spend(&self, requests: u64, bytes: u64);
}
