//! `alerts:`: who is reported, of what, and where. Secrets come from the environment only (I18).

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::check::Checker;
use super::problem::Span;
use super::source::is_loopback;
use super::spanned::{Entries, Spanned};
use super::waivers::is_region;
use super::{Alert, AwsPlace, Channel, LedgerLocation, Pager, Secret};
use prodpin_core::model::{Severity, SourceName};

/// One way to tell people or programs of findings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "an alert", rename_all = "lowercase")]
#[schemars(rename = "Alert", untagged)]
pub(super) enum RawAlert {
    Webhook(RawWebhook),
    Slack(RawSlack),
    Pagerduty(RawPagerDuty),
    Opsgenie(RawOpsgenie),
    Sns(RawSns),
    Eventbridge(RawEventBridge),
}

/// A CloudEvent, posted over HTTPS and signed as Standard Webhooks says.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "a webhook alert")]
#[schemars(rename = "WebhookAlert", default, extend("required" = ["webhook", "secret"]))]
pub(super) struct RawWebhook {
    /// The address it is posted to.
    webhook: Spanned<String>,
    /// What it is signed with, as `${NAME}` from the environment: any text, or `whsec_` and base64.
    secret: Spanned<String>,
    /// Findings of this severity or above are told. Default `high`.
    severity: Spanned<Severity>,
    /// Whether the host may have a private address.
    private: Spanned<bool>,
}

/// A message to Slack, or to whatever takes its incoming webhooks.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "a slack alert")]
#[schemars(rename = "SlackAlert", default, extend("required" = ["slack"]))]
pub(super) struct RawSlack {
    /// The incoming webhook's address, as `${NAME}` from the environment: whoever knows it can post.
    slack: Spanned<String>,
    /// Findings of this severity or above are told. Default `high`.
    severity: Spanned<Severity>,
    /// Whether the host may have a private address.
    private: Spanned<bool>,
}

/// An incident in PagerDuty, by its Events API v2.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "a pagerduty alert")]
#[schemars(rename = "PagerDutyAlert", default, extend("required" = ["pagerduty"]))]
pub(super) struct RawPagerDuty {
    /// The integration's routing key, as `${NAME}` from the environment.
    pagerduty: Spanned<String>,
    /// Findings of this severity or above are told. Default `high`.
    severity: Spanned<Severity>,
    /// The service's address. Default `https://events.pagerduty.com`; in the EU `https://events.eu.pagerduty.com`.
    endpoint: Spanned<String>,
    /// Whether that host may have a private address.
    private: Spanned<bool>,
}

/// An alert in Opsgenie.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "an opsgenie alert")]
#[schemars(rename = "OpsgenieAlert", default, extend("required" = ["opsgenie"]))]
pub(super) struct RawOpsgenie {
    /// The API integration's key, as `${NAME}` from the environment.
    opsgenie: Spanned<String>,
    /// Findings of this severity or above are told. Default `high`.
    severity: Spanned<Severity>,
    /// The service's address. Default `https://api.opsgenie.com`; in the EU `https://api.eu.opsgenie.com`.
    endpoint: Spanned<String>,
    /// Whether that host may have a private address.
    private: Spanned<bool>,
}

/// A message to an SNS topic.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "an sns alert")]
#[schemars(rename = "SnsAlert", default, extend("required" = ["sns"]))]
pub(super) struct RawSns {
    /// The topic's ARN.
    sns: Spanned<String>,
    /// Findings of this severity or above are told. Default `high`.
    severity: Spanned<Severity>,
    /// The address of a server in place of AWS.
    endpoint: Spanned<String>,
}

/// An event on an EventBridge bus.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "an eventbridge alert")]
#[schemars(rename = "EventBridgeAlert", default, extend("required" = ["eventbridge"]))]
pub(super) struct RawEventBridge {
    /// The bus: its name or its ARN.
    eventbridge: Spanned<String>,
    /// Findings of this severity or above are told. Default `high`.
    severity: Spanned<Severity>,
    /// The bus's region. Default: the ARN's, then the AWS configuration's.
    region: Spanned<String>,
    /// The address of a server in place of AWS.
    endpoint: Spanned<String>,
}

impl Checker<'_> {
    pub(super) fn alerts(&self, spanned: &Spanned<Entries<RawAlert>>, ledger: &LedgerLocation) -> Vec<Alert> {
        let entries = spanned.value().map_or(&[][..], |entries| &entries.0);
        if let Some(span) = spanned.span().filter(|_| !entries.is_empty() && *ledger == LedgerLocation::None) {
            // Each alert names a committed position, and once reported is reported once: both need a record (I10).
            let fix = "keep a ledger, or remove the alerts".to_owned();
            self.problems.error(span, "alerts need a ledger", fix);
        }
        let alerts = entries.iter().filter_map(|(key, value)| {
            let name: Option<SourceName> = self.parsed(key, "an alert's name");
            let (span, raw) = value.read()?;
            let (channel, severity) = self.channel(span, raw);
            let severity = severity.value().copied().unwrap_or(Severity::High);
            Some(Alert { name: name?.as_str().into(), severity, channel: channel? })
        });
        alerts.collect()
    }

    fn channel<'r>(&self, span: Span, raw: &'r RawAlert) -> (Option<Channel>, &'r Spanned<Severity>) {
        match raw {
            RawAlert::Webhook(raw) => (self.webhook(span, raw), &raw.severity),
            RawAlert::Slack(raw) => (self.slack(raw), &raw.severity),
            RawAlert::Pagerduty(raw) => {
                let key = self.secret(&raw.pagerduty, "pagerduty");
                let pager = self.pager(key, &raw.endpoint, &raw.private, "https://events.pagerduty.com");
                (pager.map(Channel::PagerDuty), &raw.severity)
            }
            RawAlert::Opsgenie(raw) => {
                let key = self.secret(&raw.opsgenie, "opsgenie");
                let pager = self.pager(key, &raw.endpoint, &raw.private, "https://api.opsgenie.com");
                (pager.map(Channel::Opsgenie), &raw.severity)
            }
            RawAlert::Sns(raw) => (self.sns(raw), &raw.severity),
            RawAlert::Eventbridge(raw) => (self.eventbridge(raw), &raw.severity),
        }
    }

    fn webhook(&self, span: Span, raw: &RawWebhook) -> Option<Channel> {
        let private = raw.private.value().copied().unwrap_or(false);
        let url = self.hook(&raw.webhook, private);
        if raw.secret.span().is_none() {
            let fix = "add secret: ${NAME}, and set it in the environment".to_owned();
            self.problems.error(span, "a webhook without a secret cannot be told from anybody else's", fix);
        }
        let secret = self.secret(&raw.secret, "secret");
        Some(Channel::Webhook { url: Secret::new(url?), secret: secret?, private })
    }

    fn slack(&self, raw: &RawSlack) -> Option<Channel> {
        let private = raw.private.value().copied().unwrap_or(false);
        self.secret(&raw.slack, "slack")?;
        Some(Channel::Slack { url: Secret::new(self.hook(&raw.slack, private)?), private })
    }

    fn pager(
        &self,
        key: Option<Secret>,
        endpoint: &Spanned<String>,
        private: &Spanned<bool>,
        usual: &str,
    ) -> Option<Pager> {
        let private = private.value().copied().unwrap_or(false);
        let url = match endpoint.span() {
            Some(_) => self.hook(endpoint, private)?,
            None => usual.to_owned(),
        };
        Some(Pager { key: key?, url: Url::parse(&url).ok()?, private })
    }

    fn sns(&self, raw: &RawSns) -> Option<Channel> {
        let endpoint = self.endpoint(&raw.endpoint);
        let (span, arn) = raw.sns.read()?;
        let Some(region) = region_of_arn(arn, "sns") else {
            let fix = "write it as arn:aws:sns:eu-west-1:111122223333:alerts".to_owned();
            self.problems.error(span, "this is no topic's ARN", fix);
            return None;
        };
        Some(Channel::Sns { topic: arn.clone(), aws: AwsPlace { region: Some(region), endpoint } })
    }

    fn eventbridge(&self, raw: &RawEventBridge) -> Option<Channel> {
        let endpoint = self.endpoint(&raw.endpoint);
        let (span, bus) = raw.eventbridge.read()?;
        let named = !bus.is_empty() && bus.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
        let of_arn = region_of_arn(bus, "events");
        if !named && of_arn.is_none() {
            let fix = "write the bus's name, such as default, or its ARN".to_owned();
            self.problems.error(span, "this is no event bus", fix);
            return None;
        }
        let region = raw.region.read().map(|(at, region)| {
            if !is_region(region) {
                self.problems.error(at, "this is no region", "write it as AWS does, such as eu-west-1".to_owned());
            }
            region.clone()
        });
        Some(Channel::EventBridge { bus: bus.clone(), aws: AwsPlace { region: region.or(of_arn), endpoint } })
    }

    /// Where a hook is posted: https, or this machine where private hosts are meant.
    fn hook(&self, spanned: &Spanned<String>, private: bool) -> Option<String> {
        let (span, text) = spanned.read()?;
        if self.problems.has_error_at(span) {
            return None;
        }
        let refuse = |message: &str, fix: &str| {
            self.problems.error(span, message, fix.to_owned());
            None
        };
        let Ok(url) = Url::parse(text.trim()) else {
            return refuse("this is no address", "write it as https://HOST/PATH");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("a URL must not hold a user name or password", "take it out of the URL");
        }
        if url.scheme() != "https" && !(url.scheme() == "http" && private && is_loopback(&url)) {
            return refuse("an alert goes over https", "write https:// in front of the host");
        }
        if (url.query().is_some() || url.fragment().is_some()) && !spanned.from_environment {
            let fix = "put the whole address in the environment and write ${NAME}";
            return refuse("what follows '?' or '#' may be a secret", fix);
        }
        Some(url.into())
    }

    /// A secret: written in the policy it would be one no longer (F71).
    pub(super) fn secret(&self, spanned: &Spanned<String>, key: &str) -> Option<Secret> {
        let (span, text) = spanned.read()?;
        if self.problems.has_error_at(span) {
            return None;
        }
        if !spanned.from_environment {
            let fix = format!("write {key}: ${{NAME}}, and set it in the environment");
            self.problems.error(span, "a secret is written in the policy", fix);
            return None;
        }
        if text.trim().is_empty() {
            self.problems.error(span, "this value is empty", None);
            return None;
        }
        Some(Secret::new(text.trim()))
    }

    fn endpoint(&self, spanned: &Spanned<String>) -> Option<Url> {
        let (span, text) = spanned.read()?;
        let url =
            Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.username().is_empty());
        if url.is_none() {
            self.problems.error(span, "this is no address", "write it as https://HOST[:PORT]".to_owned());
        }
        url
    }
}

/// The region that an ARN of this service names.
fn region_of_arn(arn: &str, service: &str) -> Option<String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [scheme, partition, of, region, account, name] = parts[..] else { return None };
    let account_is_one = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let whole = scheme == "arn" && partition.starts_with("aws") && of == service && account_is_one && !name.is_empty();
    (whole && is_region(region)).then(|| region.to_owned())
}
