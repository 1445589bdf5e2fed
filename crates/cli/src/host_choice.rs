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

    /// Whether nobody said which host is to answer.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let is_set = std::env::var_os("OARLOCK_API").is_some_and(|value| !value.is_empty());
        self.host.is_none() && self.api.is_none() && !is_set
    }

    /// The host of that name, of the same datastore where one was named.
    ///
    /// # Errors
    /// Where it does not run here.
    pub fn at(&self, host: &str) -> Result<Api, Failure> {
        let selection = Selection { host: Some(host.to_owned()), store: self.store.clone(), api: None };
        Ok(Api::find(&selection, Purpose::OneHost)?)
    }
}
