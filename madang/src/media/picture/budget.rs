//! Bounds what is decoded at the same time.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::{Header, MAX_PIXELS, Picture, Refused, header, inspect, reencode, thumbnail};

const BUDGET: u32 = MAX_PIXELS.div_ceil(1_000_000) as u32;

/// Megapixels that may be in decoding at the same time: one picture of the largest size, or many
/// small ones. Clones share the budget.
#[derive(Debug, Clone)]
pub struct DecodeBudget {
    megapixels: Arc<Semaphore>,
}

impl DecodeBudget {
    /// A budget of [`MAX_PIXELS`].
    pub fn new() -> Self {
        Self { megapixels: Arc::new(Semaphore::new(BUDGET as usize)) }
    }

    /// [`reencode`](super::reencode()) on a blocking thread, within the budget.
    ///
    /// Cancelled, it behaves as [`spend`](Self::spend).
    ///
    /// # Errors
    /// [`Refused`]; what the header gives away does not wait for the budget.
    pub async fn reencode(&self, bytes: Vec<u8>) -> Result<Picture, Refused> {
        self.within(bytes, inspect, reencode).await
    }

    /// [`thumbnail`](super::thumbnail()) on a blocking thread, within the budget.
    ///
    /// Cancelled, it behaves as [`spend`](Self::spend).
    ///
    /// # Errors
    /// As [`reencode`](Self::reencode).
    pub async fn thumbnail(&self, bytes: Vec<u8>) -> Result<Picture, Refused> {
        self.within(bytes, header, thumbnail).await
    }

    async fn within(
        &self,
        bytes: Vec<u8>,
        look: fn(&[u8]) -> Result<Header, Refused>,
        work: fn(&[u8]) -> Result<Picture, Refused>,
    ) -> Result<Picture, Refused> {
        let looked = spawn_blocking(move || look(&bytes).map(|header| (header, bytes)));
        let (header, bytes) = looked.await.map_err(|_| Refused::Broken)??;
        self.spend(header, move || work(&bytes)).await
    }

    /// Runs `work`, which decodes a picture with this header, on a blocking thread, after waiting in
    /// line for as many megapixels as the picture has.
    ///
    /// Cancelled while waiting, nothing was run. Cancelled later, the work runs to its end and keeps
    /// its share of the budget until then.
    ///
    /// # Errors
    /// Those of `work`; [`Refused::Broken`] if it panics.
    pub async fn spend<T: Send + 'static>(
        &self,
        header: Header,
        work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let share = Arc::clone(&self.megapixels)
            .acquire_many_owned(header.megapixels().min(BUDGET))
            .await
            .map_err(|_| Refused::Broken)?; // never: the semaphore is not closed
        let working = spawn_blocking(move || {
            let _share = share;
            work()
        });
        working.await.unwrap_or(Err(Refused::Broken))
    }
}

impl Default for DecodeBudget {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::super::Format;
    use super::*;

    fn header(megapixels: u32) -> Header {
        Header { format: Format::Png, width: 1_000, height: megapixels * 1_000 }
    }

    async fn waits<T>(future: impl Future<Output = T>) -> bool {
        timeout(Duration::from_millis(20), future).await.is_err()
    }

    #[tokio::test]
    async fn cancelled_work_keeps_its_share_until_it_ends() {
        let budget = DecodeBudget::new();
        let (end, ended) = mpsc::channel::<()>();
        let large = budget.spend(header(39), move || {
            ended.recv().ok();
            Ok(())
        });
        assert!(waits(large).await, "cancelled while working");
        assert_eq!(budget.spend(header(1), || Ok(1)).await, Ok(1));
        assert!(waits(budget.spend(header(2), || Ok(2))).await);
        end.send(()).unwrap();
        assert_eq!(budget.spend(header(40), || Ok(40)).await, Ok(40));
    }

    #[tokio::test]
    async fn the_line_is_fair() {
        let budget = DecodeBudget::new();
        let (end, ended) = mpsc::channel::<()>();
        let [first, large, small] = [(); 3].map(|()| budget.clone());
        let work = move || {
            ended.recv().ok();
            Ok(())
        };
        let first = tokio::spawn(async move { first.spend(header(30), work).await });
        tokio::task::yield_now().await;
        let large = tokio::spawn(async move { large.spend(header(40), || Ok(())).await });
        tokio::task::yield_now().await;
        // It would fit, but the large one came before.
        assert!(waits(small.spend(header(1), || Ok(()))).await);
        end.send(()).unwrap();
        first.await.unwrap().unwrap();
        large.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_a_broken_picture_and_gives_its_share_back() {
        let budget = DecodeBudget::new();
        let panicked: Result<(), _> = budget.spend(header(40), || panic!("decoder")).await;
        assert_eq!(panicked, Err(Refused::Broken));
        assert_eq!(budget.spend(header(40), || Ok(())).await, Ok(()));
    }

    #[test]
    fn megapixels_are_rounded_up() {
        let header = |width, height| Header { format: Format::Png, width, height };
        assert_eq!(header(1, 1).megapixels(), 1);
        assert_eq!(header(1_000, 1_000).megapixels(), 1);
        assert_eq!(header(1_000, 1_001).megapixels(), 2);
        assert_eq!(header(8_000, 5_000).megapixels(), 40);
    }
}
