//! Bodies that are larger than memory: handed on piece by piece, with a time for each piece rather than for the whole.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::HeaderMap;
use tokio::time::timeout_at;
use url::Url;

use super::super::answer::{HttpAnswer, Limits};
use super::super::fault::Fault;
use super::super::throttle::{Permit, out_of_time};
use super::judged::judged;
use super::{Begun, Call, MOST_GIVEN_UP, Setback, Transport, broken, shown};
use prodpin_core::model::Cause;
use std::sync::atomic::Ordering;

/// An answer of which the body is still to come.
pub struct Incoming<'w> {
    /// Status and headers; of what is no success, the body too.
    pub answer: HttpAnswer,
    response: Option<Response>,
    call: &'w Call,
    url: Url,
    patience: Duration,
    deadline: Option<Instant>,
    /// A body under way is a request in flight.
    _permit: Permit<'w>,
}

impl Transport {
    /// Sends a call and hands over its answer as soon as that has begun. Each piece must come within the time that a
    /// request has, and all of them before the deadline; whoever is cut off asks for the rest by range.
    pub async fn stream<'w>(&'w self, call: &'w Call, headers: &HeaderMap) -> Result<Incoming<'w>, Fault> {
        self.must_be_permitted(call)?;
        if self.given_up.load(Ordering::Relaxed) >= MOST_GIVEN_UP {
            return Err(Fault::new(Cause::TimedOut, format!("{}: the server stopped answering", shown(call))));
        }
        let mut failures = 0;
        loop {
            if self.deadline.is_some_and(|end| Instant::now() >= end) {
                return Err(out_of_time());
            }
            let permit = self.throttle.acquire(self.deadline).await?;
            let (fault, wait) = match self.begin(call, headers, permit).await {
                Ok(incoming) => {
                    self.throttle.well();
                    return Ok(incoming);
                }
                Err(Setback::Final(fault)) => return Err(fault),
                Err(Setback::Fleeting(fault) | Setback::Slow(fault)) => (fault, None),
                Err(Setback::Overload(fault, wait)) => {
                    self.throttle.complaint(wait.map(|wait| wait.min(self.timing.longest_wait)));
                    (fault, wait)
                }
            };
            failures += 1;
            self.pause(failures, wait, fault).await?;
        }
    }

    async fn begin<'w>(
        &'w self,
        call: &'w Call,
        headers: &HeaderMap,
        permit: Permit<'w>,
    ) -> Result<Incoming<'w>, Setback> {
        let until = end_of(self.timing.request, self.deadline);
        let slow = || {
            let seconds = self.timing.request.as_secs_f64();
            Setback::Slow(Fault::new(Cause::TimedOut, format!("{}: no answer within {seconds} s", shown(call))))
        };
        let begun = timeout_at(until.into(), self.respond(call, headers)).await.map_err(|_| slow())?;
        let Begun { response, url, elsewhere } = begun?;
        let (answer, response) = if response.status().is_success() {
            let (status, headers) = (response.status(), response.headers().clone());
            (HttpAnswer { status, headers, body: Bytes::new(), elsewhere, is_left: false }, Some(response))
        } else {
            let limits = Limits { cap: call.cap, shorter_than: None };
            let read = timeout_at(until.into(), HttpAnswer::read(response, limits, elsewhere, None)).await;
            let broke = |_| Setback::Fleeting(Fault::new(Cause::Unreachable, format!("{}: broke off", shown(call))));
            (judged(call, read.map_err(|_| slow())?.map_err(broke)?)?, None)
        };
        let (patience, deadline) = (self.timing.request, self.deadline);
        Ok(Incoming { answer, response, call, url, patience, deadline, _permit: permit })
    }
}

/// The nearer of two ends.
fn end_of(patience: Duration, deadline: Option<Instant>) -> Instant {
    let end = Instant::now() + patience;
    deadline.map_or(end, |deadline| end.min(deadline))
}

impl Incoming<'_> {
    /// The next piece of the body; none at its end. A body that ends short of what it announced is a fault (F4).
    pub async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let Some(response) = &mut self.response else { return Ok(None) };
        match timeout_at(end_of(self.patience, self.deadline).into(), response.chunk()).await {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) => Err(match broken(self.call, &self.url, &error) {
                Setback::Final(fault)
                | Setback::Fleeting(fault)
                | Setback::Slow(fault)
                | Setback::Overload(fault, _) => fault,
            }),
            Err(_) if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) => Err(out_of_time()),
            Err(_) => {
                let seconds = self.patience.as_secs_f64();
                Err(Fault::new(Cause::TimedOut, format!("{}: nothing came for {seconds} s", shown(self.call))))
            }
        }
    }
}
