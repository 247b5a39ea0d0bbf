use crate::api::CallerLimits;
use blvm_mesh::{MeshConfig, Msat};
use serde::Deserialize;
use toml::{Table, Value};

/// What other modules and RPC callers may spend: `[mesh.module_api]`.
pub(crate) enum Callers {
    /// So much.
    May(u64),
    /// What the operator lets a route cost.
    MayWhatIsSetFor,
    /// Nothing: nobody has thought about it.
    MayNot,
}

impl Callers {
    /// Takes what is said of them out of `[mesh]`, which does not know it.
    pub(crate) fn taken_from(mesh: &mut Table) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Section {
            per_send_msat: Option<u64>,
        }
        let section = mesh.remove("module_api").map(Value::try_into::<Section>);
        let section = section.transpose();
        let section = section.map_err(|error| error.message().to_owned())?;
        Ok(match section.and_then(|section| section.per_send_msat) {
            Some(msat) => Self::May(msat),
            None if mesh.contains_key("spending") => Self::MayWhatIsSetFor,
            None => Self::MayNot,
        })
    }

    /// Their limits in a mesh with these settings.
    pub(crate) const fn limits(&self, mesh: &MeshConfig) -> CallerLimits {
        let per_send_msat = match self {
            Self::May(msat) => *msat,
            Self::MayWhatIsSetFor => mesh.spending.per_route_msat,
            Self::MayNot => 0,
        };
        CallerLimits {
            per_send: Msat::from_msat(per_send_msat),
        }
    }
}
