//! Which running host answers: the flags that every verb has that asks one.

use std::path::PathBuf;

use clap::Args;
use oarlock::{Api, Purpose, Selection};

use crate::failure::Failure;

/// With one host running here, none of these is needed.
#[derive(Args, Debug)]
pub struct HostChoice {
    /// Ask the host of this name
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Ask a host of the datastore of this name
    #[arg(long, value_name = "LABEL")]
    store: Option<String>,
    /// Ask the host at this socket; the environment's OARLOCK_API does the same
    #[arg(long, value_name = "PATH", conflicts_with_all = ["host", "store"])]
    api: Option<PathBuf>,
}

impl HostChoice {
    /// Finds the host.
    ///
    /// # Errors
    /// Where there is none, or the user must choose.
    pub fn find(&self, purpose: Purpose) -> Result<Api, Failure> {
        let selection =
            Selection { host: self.host.clone(), store: self.store.clone(), api: self.api.clone() };
        Ok(Api::find(&selection, purpose)?)
    }
}
