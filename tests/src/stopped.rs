//! Starting `stopped`, the engine that stops or freezes at one of its effects on real servers.

use std::{
    path::PathBuf,
    process::{Child, Command as Process, Stdio},
};

use conformance::stop::{Orders, SubjectEnd, ended};
use serde::{Deserialize, Serialize};

use crate::project::beside_the_test;

/// What it is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Command {
    /// Whom to copy, and where to stop.
    pub orders: Orders,
    /// The ports of source and target.
    pub ports: [u16; 2],
}

impl Command {
    /// Starts it.
    pub fn start(&self) -> Child {
        let text = serde_json::to_string(self).expect("orders can be written");
        let mut process = Process::new(program());
        process.arg(text).stdout(Stdio::piped()).stderr(Stdio::piped());
        process.spawn().expect("the program starts")
    }

    /// Runs it to its end.
    pub fn run(&self) -> SubjectEnd {
        ended(&self.start().wait_with_output().expect("the program ends"))
    }

    /// The same without a stop.
    #[must_use]
    pub fn undisturbed(&self) -> Self {
        let orders = Orders { stop_at: 0, freeze_at: 0, lease_ms: 0, ..self.orders.clone() };
        Self { orders, ports: self.ports }
    }
}

fn program() -> PathBuf {
    beside_the_test("stopped")
}
