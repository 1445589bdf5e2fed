//! A component and its version, as logs state them.

/// A driver, a firmware, a product or an operating system, with its version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Component {
    /// Its name, in lower case: `lpfc`, `nfnic`, `nc553i`, `esxi`, `ibm 2145`.
    pub name: Box<str>,
    /// Its version, as printed: `10.0.10.1`; empty where only the name is known.
    pub version: Box<str>,
}
