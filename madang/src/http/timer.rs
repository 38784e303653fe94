//! hyper's timer, for connections that ask again and again.
//!
//! hyper sets the deadline of a request's head anew for each request, and tokio's timer would be told each time. This one fires at
//! a deadline or before, and is moved only then.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};

/// Makes alarms that are cheap to put off.
#[derive(Clone, Copy, Debug)]
pub(super) struct LazyTimer;

struct Alarm {
    deadline: Instant,
    /// Set to the deadline, or to one before it.
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Timer for LazyTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Alarm { deadline, sleep: Box::pin(tokio::time::sleep_until(deadline.into())) })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, new_deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Alarm>() {
            Some(mut alarm) if new_deadline >= alarm.deadline => alarm.deadline = new_deadline,
            _ => *sleep = self.sleep_until(new_deadline),
        }
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let deadline = tokio::time::Instant::from(self.deadline);
            if self.sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(deadline);
        }
    }
}

impl Sleep for Alarm {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_alarm_that_was_put_off_fires_at_its_last_deadline() {
        let (began, second) = (LazyTimer.now(), Duration::from_secs(1));
        let mut alarm = LazyTimer.sleep(second);
        for seconds in 2..5 {
            LazyTimer.reset(&mut alarm, began + seconds * second);
        }
        alarm.as_mut().await;
        assert_eq!(LazyTimer.now() - began, 4 * second);
        let mut alarm = LazyTimer.sleep(9 * second);
        LazyTimer.reset(&mut alarm, LazyTimer.now() + second);
        alarm.as_mut().await;
        assert_eq!(LazyTimer.now() - began, 5 * second);
    }
}
