//! Where the MX records of legacy domains lead mail, as they were last looked at.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::Side;
use mx::history::{Observation, Place, leads};
use mx::standing::Wanted;
use routing::{Domain, Mx, Pending};
use store::{ProjectKey, Store};

/// Looks are read again after this: a switch of thousands asks thousands of times.
const LAST: Duration = Duration::from_secs(30);

/// By domain: where its mail comes.
pub(crate) type Seen = BTreeMap<Domain, Pending<Mx>>;

/// Legacy domains, and what was last seen of their MX records.
#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    wanted: Vec<Wanted>,
    last: Mutex<Option<(Instant, Arc<Seen>)>>,
}

impl Exchanges {
    /// Those of these domains.
    pub(crate) fn of(wanted: Vec<Wanted>) -> Self {
        Self { wanted, last: Mutex::default() }
    }

    /// Where the mail of each domain comes whose MX records were looked at, and are known to lead to either side.
    pub(crate) async fn seen(&self, store: &Store, key: ProjectKey) -> Result<Arc<Seen>, store::Error> {
        {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, seen)) = last.as_ref().filter(|(at, _)| at.elapsed() < LAST) {
                return Ok(seen.clone());
            }
        }
        let now = Timestamp::now();
        let mut seen = Seen::new();
        for wanted in &self.wanted {
            let name = wanted.domain.to_string();
            let looks = store.mx_looks(key, &name).await?;
            let looks = observations(&looks)?;
            if let Some((first, besides)) = leads(&looks, wanted, now) {
                let place = Pending { now: exchange(first), then: besides.map(exchange) };
                seen.insert(Domain::new(name.trim_end_matches('.')), place);
            }
        }
        let seen = Arc::new(seen);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), seen.clone()));
        Ok(seen)
    }
}

/// What was seen at each look.
pub(crate) fn observations(looks: &[String]) -> Result<Vec<Observation>, store::Error> {
    let read = |what: &String| serde_json::from_str(what).map_err(|_| store::Error::damaged("a look at MX records"));
    looks.iter().map(read).collect()
}

fn exchange(place: Place) -> Mx {
    match place {
        Place::Local => Mx::Site(Side::Source),
        Place::Wanted => Mx::Site(Side::Target),
        Place::Nowhere => Mx::Nowhere,
    }
}
