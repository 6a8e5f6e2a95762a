//! The one place that sends. What leaves here is allowed (I17), in time, counted, and answered or given up with a
//! reason.

mod acr;
mod broken;
mod harbor;
mod head;
mod judged;
mod permitted;
mod quay;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, Request};
use tokio::time::timeout_at;
use tracing::debug;
use url::Url;

use self::broken::broken;
use self::judged::judged;
use self::permitted::Powers;
use super::address::Dialer;
use super::answer::{BodyFault, Limits, Sink};
use super::environment::Timing;
use super::fault::Fault;
use super::place::redacted;
use super::redirect::{self, Redirects};
use super::throttle::{Throttle, out_of_time};
use crate::jitter;
use prodpin_core::model::Cause;

pub use self::head::{head_not_offered, may_refuse_head};
pub use self::stream::Incoming;
pub use super::answer::HttpAnswer;

/// What a call is for. It decides the methods that may carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It changes nothing.
    Read,
    /// Asking a server what it is. Its answer says nothing about whether the credentials reach anything.
    Recognise,
    /// Asking a token server, which takes a POST from whoever holds an identity token.
    Token,
    /// Writing a pin.
    Pin,
    /// Putting back what a vault kept: blobs, manifests under their own digests, tags that nobody holds.
    Restore,
    /// Removing a pin's tag.
    Unpin,
    /// Asking for a dry run of rules, which changes nothing and is asked for by POST.
    Rehearse,
}

/// One call, complete but for the connection.
#[derive(Debug, Clone)]
pub struct Call {
    /// What it is for.
    pub purpose: Purpose,
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Media types that are taken.
    pub accept: Option<HeaderValue>,
    /// Credentials.
    pub authorization: Option<HeaderValue>,
    /// What is sent, with its media type.
    pub content: Option<(HeaderValue, Bytes)>,
    /// Where it may be sent on.
    pub redirects: Redirects,
    /// The most bytes that its answer may have.
    pub cap: usize,
}

/// What few calls have: headers of their own, and a place other than memory for the body.
#[derive(Default)]
pub struct Extras<'a> {
    /// Conditions, say: `If-None-Match`.
    pub headers: HeaderMap,
    /// What takes the body of a success as it arrives; the answer's own is empty then.
    pub sink: Option<&'a mut dyn Sink>,
    /// Whether the first byte of the body is enough.
    pub first_byte: bool,
    /// A body of a success that is longer than this is not read: who wants it must first see that there is room.
    pub shorter_than: Option<usize>,
}

/// The HTTP client of one source.
#[derive(Debug)]
pub struct Transport {
    http: reqwest::Client,
    dialer: Arc<Dialer>,
    throttle: Arc<Throttle>,
    timing: Timing,
    deadline: Option<Instant>,
    powers: Powers,
    /// Calls in a row that were given up because no try had its whole answer in time.
    given_up: AtomicU32,
}

/// A try that brought no answer to hand on.
enum Setback {
    /// No further try would help.
    Final(Fault),
    /// The next try may go better. What was sent may have been carried out.
    Fleeting(Fault),
    /// Too much was asked at once, and the server perhaps said for how long to wait. Nothing was carried out.
    Overload(Fault, Option<Duration>),
    /// No whole answer in time.
    Slow(Fault),
}

/// An answer whose body is still to come.
struct Begun {
    response: reqwest::Response,
    url: Url,
    elsewhere: bool,
}

/// So often one call may be told to wait by a host that answers others meanwhile.
const MOST_PACED: u32 = 64;

/// After so many calls in a row that took all the time there is, with nothing answered in between, the server is left
/// alone: each further one would take as long, and a run has thousands (F5).
const MOST_GIVEN_UP: u32 = 8;

impl Transport {
    /// Sends through this client, within these limits.
    pub fn new(
        http: reqwest::Client,
        dialer: Arc<Dialer>,
        throttle: Arc<Throttle>,
        timing: Timing,
        deadline: Option<Instant>,
        write: bool,
    ) -> Self {
        Self { http, dialer, throttle, timing, deadline, powers: Powers::of(write), given_up: AtomicU32::new(0) }
    }

    /// The same with the power to put back what a vault kept.
    #[must_use]
    pub fn restoring(self) -> Self {
        Self { powers: Powers { restores: true, ..self.powers }, ..self }
    }

    /// The same with the power to remove pins, and to make again those that are needed after all.
    #[must_use]
    pub fn releasing(self) -> Self {
        Self { powers: Powers { releases: true, write: true, ..self.powers }, ..self }
    }

    /// The same with the power to ask for dry runs.
    #[must_use]
    pub fn rehearsing(self) -> Self {
        Self { powers: Powers { rehearses: true, ..self.powers }, ..self }
    }

    /// The most requests that may ever be in flight.
    pub fn width(&self) -> usize {
        self.throttle.cap()
    }

    /// Whether requests wait because the server told them to, while it answers others.
    pub fn is_pacing(&self) -> bool {
        self.throttle.is_pacing()
    }

    /// How long all pages of one list may take together.
    pub fn longest_list(&self) -> Duration {
        self.timing.list
    }

    /// Sends a call until it is answered, or until its tries or the run's time are used up.
    pub async fn send(&self, call: &Call) -> Result<HttpAnswer, Fault> {
        self.send_with(call, Extras::default()).await
    }

    /// The same with extras. A sink is started anew with every try.
    pub async fn send_with(&self, call: &Call, extras: Extras<'_>) -> Result<HttpAnswer, Fault> {
        if self.given_up.load(Ordering::Relaxed) >= MOST_GIVEN_UP {
            let detail = format!(
                "{}: not asked any more, because {MOST_GIVEN_UP} calls in a row had no whole answer in time",
                shown(call)
            );
            return Err(Fault::new(Cause::TimedOut, detail));
        }
        let outcome = self.send_until_answered(call, extras).await;
        match &outcome {
            // To say that a call is not offered costs a server nothing, and gets nobody further.
            Ok(answer) if matches!(answer.status.as_u16(), 405 | 501) => {}
            Ok(_) => self.given_up.store(0, Ordering::Relaxed),
            // A path that a gateway lets hang says nothing of what lies behind the others.
            Err(_) if call.purpose == Purpose::Recognise => {}
            Err(fault) if fault.cause == Cause::TimedOut => _ = self.given_up.fetch_add(1, Ordering::Relaxed),
            Err(_) => {}
        }
        outcome
    }

    async fn send_until_answered(&self, call: &Call, mut extras: Extras<'_>) -> Result<HttpAnswer, Fault> {
        self.must_be_permitted(call)?;
        let (mut failures, mut throttled) = (0_u32, 0_u32);
        loop {
            if self.deadline.is_some_and(|end| Instant::now() >= end) {
                return Err(out_of_time());
            }
            let permit = self.throttle.acquire(self.deadline).await?;
            let went_well = self.throttle.went_well();
            let outcome = self.attempt(call, &mut extras).await;
            drop(permit);
            let (fault, wait) = match outcome {
                Ok(answer) => {
                    self.throttle.well();
                    return Ok(answer);
                }
                Err(Setback::Final(fault)) => return Err(fault),
                // A write is sent again only if nothing was done with it.
                Err(Setback::Fleeting(fault) | Setback::Slow(fault)) if writes(call) => return Err(fault),
                // A removal is not sent again by itself, even where nothing seems to be done with it: who sends it looks first.
                Err(Setback::Overload(fault, wait)) if call.purpose == Purpose::Unpin => {
                    self.throttle.complaint(wait.map(|wait| wait.min(self.timing.longest_wait)));
                    return Err(fault);
                }
                // Every repository of the source waits for this answer: once is long enough.
                Err(Setback::Slow(fault)) if call.purpose == Purpose::Recognise => return Err(fault),
                Err(Setback::Fleeting(fault)) => (fault, None),
                Err(Setback::Slow(fault)) => {
                    self.throttle.complaint(None);
                    // As long as two quick failures.
                    failures += 1;
                    (fault, None)
                }
                Err(Setback::Overload(fault, wait)) => {
                    // Even where the run has no end, nobody waits for longer than it may.
                    self.throttle.complaint(wait.map(|wait| wait.min(self.timing.longest_wait)));
                    // A host that answers others meanwhile is pacing this run, not refusing it (F113).
                    throttled += 1;
                    if throttled <= MOST_PACED && self.throttle.went_well() != went_well {
                        failures = failures.saturating_sub(1);
                    }
                    (fault, wait)
                }
            };
            failures += 1;
            self.pause(failures, wait, fault).await?;
        }
    }

    fn must_be_permitted(&self, call: &Call) -> Result<(), Fault> {
        match self.powers.permit(call) {
            true => Ok(()),
            false => Err(Fault::refused(format!("{} {} is no call that this run may make", call.method, shown(call)))),
        }
    }

    /// Waits before the next try, or gives the fault back if there is none.
    async fn pause(&self, failures: u32, asked: Option<Duration>, fault: Fault) -> Result<(), Fault> {
        // A throttled call is worth more patience than a broken one: the server is there, and says what it wants.
        let most = if fault.cause == Cause::Throttled { self.timing.tries * 4 } else { self.timing.tries };
        if failures >= most {
            return Err(fault);
        }
        let backoff = jitter::backoff(self.timing.backoff, failures, self.timing.backoff * 64);
        let own = jitter::wait(backoff);
        let wait = asked.map_or(own, |asked| asked.max(backoff / 2) + own.min(asked / 4));
        let too_long = match self.deadline {
            Some(end) => Instant::now() + wait >= end,
            None => wait > self.timing.longest_wait,
        };
        if too_long {
            let detail = format!("{}; waiting for the next try would pass the deadline", fault.detail);
            return Err(Fault::new(fault.cause, detail));
        }
        let _waits = asked.map(|_| self.throttle.wait());
        tokio::time::sleep(wait).await;
        Ok(())
    }

    async fn attempt(&self, call: &Call, extras: &mut Extras<'_>) -> Result<HttpAnswer, Setback> {
        let mut end = Instant::now() + self.timing.request;
        if let Some(deadline) = self.deadline {
            end = end.min(deadline);
        }
        let answer = match timeout_at(end.into(), self.exchange(call, extras)).await {
            Ok(answer) => answer?,
            Err(_) if self.deadline.is_some_and(|deadline| deadline <= end) => {
                return Err(Setback::Final(out_of_time()));
            }
            Err(_) => {
                let limit = self.timing.request.as_secs_f64();
                let detail = format!("{}: no whole answer within {limit} s", shown(call));
                return Err(Setback::Slow(Fault::new(Cause::TimedOut, detail)));
            }
        };
        debug!(method = %call.method, url = %shown(call), status = answer.status.as_u16(), "answered");
        judged(call, answer)
    }

    /// Sends once and follows redirects as far as the call allows.
    async fn exchange(&self, call: &Call, extras: &mut Extras<'_>) -> Result<HttpAnswer, Setback> {
        let Begun { response, url, elsewhere } = self.respond(call, &extras.headers).await?;
        if call.method == Method::HEAD {
            return Ok(HttpAnswer::bare(response, elsewhere));
        }
        let read = match extras.first_byte {
            true => HttpAnswer::begin(response, call.cap, elsewhere).await,
            false => {
                let limits = Limits { cap: call.cap, shorter_than: extras.shorter_than };
                HttpAnswer::read(response, limits, elsewhere, extras.sink.as_deref_mut()).await
            }
        };
        read.map_err(|fault| match fault {
            BodyFault::Broken(error) => broken(call, &url, &error),
            BodyFault::TooLarge => Setback::Final(Fault::malformed(format!(
                "{}: the answer is larger than the {} bytes that are read of it",
                shown(call),
                call.cap
            ))),
        })
    }

    /// Sends once and follows redirects as far as the call allows; the body is still to come.
    async fn respond(&self, call: &Call, extra: &HeaderMap) -> Result<Begun, Setback> {
        let (mut url, mut elsewhere) = (call.url.clone(), false);
        for hop in 0.. {
            self.dialer.check(&url).map_err(Setback::Final)?;
            let mut request = Request::new(call.method.clone(), url.clone());
            let headers = request.headers_mut();
            headers.extend(extra.clone());
            if let Some(accept) = &call.accept {
                headers.insert(header::ACCEPT, accept.clone());
            }
            // Once a redirect has left the origin, nothing brings the credentials back: not even the way home (F7, F15).
            if let Some(authorization) = call.authorization.as_ref().filter(|_| !elsewhere) {
                headers.insert(header::AUTHORIZATION, authorization.clone());
            }
            if let Some((media_type, bytes)) = &call.content {
                headers.insert(header::CONTENT_TYPE, media_type.clone());
                *request.body_mut() = Some(bytes.clone().into());
            }
            let response = self.http.execute(request).await.map_err(|error| broken(call, &url, &error))?;
            if redirect::is_redirect(response.status()) {
                let next = redirect::next(&url, response.headers(), call.redirects, hop).map_err(Setback::Final)?;
                elsewhere |= next.origin() != url.origin();
                url = next;
                continue;
            }
            return Ok(Begun { response, url, elsewhere });
        }
        Err(Setback::Final(Fault::refused(format!("{}: redirects without end", shown(call)))))
    }
}

/// What is sent again only if nothing was done with it.
fn writes(call: &Call) -> bool {
    call.content.is_some() || call.method == Method::DELETE
}

/// The call for messages: queries are left out, since tokens and cursors travel in them (I18).
fn shown(call: &Call) -> String {
    format!("{} {}", call.method, redacted(&call.url))
}
