//! A line to the in-memory platform on which a test meddles: between two requests the world changes, a request is lost, an
//! answer is lost, or says something else than the platform did.

use std::sync::Arc;

use async_trait::async_trait;
use connector::Error;
use connector::memory::{Dial, Request, Response, Wire};

/// What a test may do at a moment.
pub enum At<'m> {
    /// The request is about to be sent.
    Request(&'m Request),
    /// It was obeyed; its answer has not been heard.
    Answer(&'m Request, &'m mut Response),
}

/// What is done at each moment; an error breaks the line there.
pub type Meddler = Arc<dyn Fn(At<'_>) -> Result<(), Error> + Send + Sync>;

/// Dials lines on which somebody meddles.
#[derive(Clone)]
pub struct MeddlingDial {
    inner: Arc<dyn Dial>,
    meddler: Meddler,
}

impl MeddlingDial {
    /// Lines of `inner`, with this meddler on each.
    pub fn new(
        inner: Arc<dyn Dial>,
        meddler: impl Fn(At<'_>) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { inner, meddler: Arc::new(meddler) })
    }
}

#[async_trait]
impl Dial for MeddlingDial {
    async fn dial(&self) -> Result<Box<dyn Wire>, Error> {
        let wire = self.inner.dial().await?;
        Ok(Box::new(MeddledWire { wire, meddler: self.meddler.clone(), asked: None, broken: None }))
    }
}

struct MeddledWire {
    wire: Box<dyn Wire>,
    meddler: Meddler,
    asked: Option<Request>,
    broken: Option<Error>,
}

impl MeddledWire {
    fn meddle(&mut self, at: At<'_>) -> Result<(), Error> {
        if self.broken.is_none() {
            self.broken = (self.meddler)(at).err();
        }
        self.broken.clone().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Wire for MeddledWire {
    async fn send(&mut self, request: Request) -> Result<(), Error> {
        self.meddle(At::Request(&request))?;
        self.asked = Some(request.clone());
        self.wire.send(request).await
    }

    async fn receive(&mut self) -> Result<Response, Error> {
        let mut response = self.wire.receive().await?;
        if let Some(asked) = self.asked.take() {
            self.meddle(At::Answer(&asked, &mut response))?;
        }
        Ok(response)
    }
}
