//! Several people at a time.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::Error;
use crate::error::Exit;

/// Looks at each of these, so many at once, and returns what came of them in their order.
pub(crate) async fn each<R, T, F>(
    at_once: usize,
    rows: Vec<R>,
    stop: &watch::Receiver<bool>,
    look: impl Fn(R) -> F,
) -> Result<Vec<T>, Error>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(at_once.max(1)));
    let mut tasks = JoinSet::new();
    for (number, row) in rows.into_iter().enumerate() {
        let (places, stop, looked) = (places.clone(), stop.clone(), look(row));
        tasks.spawn(async move {
            let _place = places.acquire_owned().await;
            if *stop.borrow() { None } else { Some((number, looked.await)) }
        });
    }
    let mut found = Vec::new();
    while let Some(task) = tasks.join_next().await {
        found.extend(task.map_err(|error| Error {
            exit: Exit::Internal,
            rule: None,
            what: format!("a look at a mailbox ended: {error}"),
            advice: None,
        })?);
    }
    if *stop.borrow() {
        let what = "stopped on request".to_owned();
        return Err(Error { exit: Exit::Stopped, rule: None, what, advice: None });
    }
    found.sort_by_key(|(number, _)| *number);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn so_many_at_once_and_all_in_their_order() {
        let (_, stop) = watch::channel(false);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let look = |number: u64| {
            let (now, most) = (now.clone(), most.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20 - number)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                number
            }
        };
        assert_eq!(each(3, (0..10).collect(), &stop, look).await.unwrap(), (0..10).collect::<Vec<_>>());
        assert_eq!(most.load(Ordering::SeqCst), 3);
        let (_, stopped) = watch::channel(true);
        assert_eq!(each(3, vec![1], &stopped, look).await.unwrap_err().exit, Exit::Stopped);
    }
}
