use crate::{MeshManager, conditions::Conditions, spending};
use mesh_types::{MeshConfig, MeshError};

impl MeshManager {
    /// Takes what of these settings can change while the mesh runs: `mode`, the prices, `refunds`, `free_lane`, `spending` and
    /// `announce_addresses`. The next packet is decided by them; links, credit and packets on their way stay as they are.
    ///
    /// # Errors
    /// [`MeshError::ConfigError`] when one of them is wrong; nothing has changed then.
    pub fn reload(&self, config: &MeshConfig) -> Result<(), MeshError> {
        let (shared, now) = (&self.shared, self.shared.node_api.now());
        spending::check(&config.spending)?;
        shared
            .learning
            .reload(config, self.engine().routes(), now)?;
        shared.spending.set_config(config.spending);
        self.engine().set_conditions(Conditions::of(config), now);
        Ok(())
    }
}
