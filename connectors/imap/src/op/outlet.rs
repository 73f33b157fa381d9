//! Readings as they are written here: a task that goes straight on and puts events out, and whoever reads takes them.
//!
//! The task runs only while somebody waits for events. When it would wait (for the server, or for room for a body) and
//! has events to give, they are given first: a body may be waiting for the very room that they take up.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use async_trait::async_trait;
use connector::{Error, Event, Reading};

/// Events given at once, at most: what lies between reading and handing on stays small.
const EVENTS_MAX: usize = 256;

/// Where a reading puts its events.
#[derive(Clone, Default)]
pub(crate) struct Outlet(Arc<Mutex<Vec<Event>>>);

impl Outlet {
    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event out; waits until some were taken when there are many.
    pub(crate) async fn put(&self, event: Event) {
        self.events().push(event);
        // Nobody need be woken: whoever polls takes the events as soon as this waits.
        poll_fn(|_| if self.events().len() < EVENTS_MAX { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events())
    }
}

/// What makes a reading.
type Task<'s> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 's>>;

/// A reading that a task makes.
pub(crate) struct Made<'s> {
    task: Option<Task<'s>>,
    outlet: Outlet,
    /// How the task ended, to be said once its last events were taken.
    error: Option<Error>,
}

impl<'s> Made<'s> {
    /// A reading made by this task, which puts its events into the outlet.
    pub(crate) fn boxed<F>(make: impl FnOnce(Outlet) -> F) -> Box<dyn Reading + 's>
    where
        F: Future<Output = Result<(), Error>> + Send + 's,
    {
        let outlet = Outlet::default();
        Box::new(Self { task: Some(Box::pin(make(outlet.clone()))), outlet, error: None })
    }
}

#[async_trait]
impl Reading for Made<'_> {
    async fn next(&mut self) -> Result<Vec<Event>, Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let Some(task) = &mut self.task else { return Ok(Vec::new()) };
        let outlet = &self.outlet;
        let ended = poll_fn(|cx| match task.as_mut().poll(cx) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if outlet.events().is_empty() => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
        });
        match ended.await {
            None => Ok(self.outlet.take()),
            Some(ended) => {
                self.task = None;
                let events = self.outlet.take();
                match ended {
                    Err(error) if events.is_empty() => Err(error),
                    Err(error) => {
                        self.error = Some(error);
                        Ok(events)
                    }
                    Ok(()) => Ok(events),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Cause, ItemId, Scope};

    use super::*;

    fn gone(id: u32) -> Event {
        Event::Gone(vec![ItemId::from_u32(id)])
    }

    #[tokio::test]
    async fn events_come_in_order_and_not_too_many_at_once() {
        let mut reading = Made::boxed(|outlet| async move {
            for id in 0..1000 {
                outlet.put(gone(id)).await;
            }
            Ok(())
        });
        let mut expected = 0;
        loop {
            let events = reading.next().await.unwrap();
            if events.is_empty() {
                break;
            }
            assert!(events.len() <= EVENTS_MAX);
            for event in events {
                let Event::Gone(ids) = event else { panic!() };
                assert_eq!(ids, [ItemId::from_u32(expected)]);
                expected += 1;
            }
        }
        assert_eq!(expected, 1000);
        assert!(reading.next().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn events_are_given_before_the_task_waits() {
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let mut reading = Made::boxed(|outlet| async move {
            outlet.put(gone(1)).await;
            receiver.await.unwrap();
            outlet.put(gone(2)).await;
            Err(Error::new(Cause::Connection, Scope::Connection, "it broke"))
        });
        assert_eq!(reading.next().await.unwrap().len(), 1);
        sender.send(()).unwrap();
        assert_eq!(reading.next().await.unwrap().len(), 1, "the events before a failure are not lost with it");
        assert_eq!(reading.next().await.unwrap_err().what, "it broke");
        assert!(reading.next().await.unwrap().is_empty());
    }
}
