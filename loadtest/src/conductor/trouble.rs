//! What befalls nodes in the scenario `cluster`: one is killed, one is drained, one more is killed; each comes back.

use std::time::Duration;

use tokio::time::sleep;

use crate::hubs::Target;

/// Makes trouble for so long; ends when every node is back.
pub(super) async fn make(target: &Target, time: Duration) -> anyhow::Result<()> {
    let (nodes, pause) = (target.nodes(), time / 8);
    sleep(pause).await;
    for (turn, kills) in [true, false, true].into_iter().enumerate() {
        let node = turn % nodes;
        if kills {
            target.kill(node)?;
        } else {
            target.drain(node).await?;
        }
        sleep(pause).await;
        target.start_again(node).await?;
        sleep(pause).await;
    }
    Ok(())
}
