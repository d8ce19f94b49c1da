//! Checked export settings: one [`Destination`] for each signal at each place, from the configuration or the environment.

use std::{fmt, time::Duration};

use http::HeaderMap;

use super::{
    Compression, DestinationConfig, Endpoint, EndpointError, ExportConfig, MetricsConfig, Protocol, Signal,
    TlsConfig, endpoint::Given, environment, headers,
};

/// Where one signal goes, and how.
#[derive(Clone)]
pub struct Destination {
    /// Name in messages and counters.
    pub name: String,
    /// What is sent.
    pub signal: Signal,
    /// Where to.
    pub endpoint: Endpoint,
    /// How OTLP is carried.
    pub protocol: Protocol,
    /// Headers of each request; their values are marked sensitive.
    pub(crate) headers: HeaderMap,
    /// Compression of requests.
    pub compression: Compression,
    /// Longest time for one attempt; `None` is no limit.
    pub timeout: Option<Duration>,
    /// TLS files.
    pub tls: TlsConfig,
    /// Bounds of the queue.
    pub queue: QueueLimits,
    /// When a batch is sent.
    pub batch: BatchLimits,
    /// When a failed batch is sent again.
    pub retry: RetryPolicy,
    /// How metrics are reported.
    pub metrics: MetricsConfig,
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {} by {:?} ({})", self.signal.name(), self.endpoint, self.protocol, self.name)
    }
}

/// Bounds of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Most bytes that wait or are being sent.
    pub max_bytes: usize,
    /// Most items, if they are bounded too.
    pub max_items: Option<usize>,
}

/// When a batch is sent: whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Encoded bytes.
    pub max_bytes: usize,
    /// Number of items.
    pub max_items: usize,
    /// Age of the oldest item.
    pub delay: Duration,
}

/// When a failed batch is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Wait after the first failure.
    pub initial_delay: Duration,
    /// Longest wait.
    pub max_delay: Duration,
    /// After this long the batch is given up.
    pub give_up_after: Duration,
}

/// Why there is no usable export configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// An endpoint makes no sense.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// A value makes no sense.
    #[error("{key}: {problem}")]
    Value {
        /// Variable or configuration key.
        key: String,
        /// What is wrong and what to do.
        problem: String,
    },
}

impl SettingsError {
    pub(crate) fn value(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Value { key: key.into(), problem: problem.into() }
    }
}

/// Reads one environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// All destinations.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// One for each signal at each place.
    pub destinations: Vec<Destination>,
    /// What was ignored, and why: to be logged. Never holds a secret.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Checks the configuration and, where it names no destination, the environment. No I/O.
    ///
    /// The environment counts only when it really asks for OTLP: an endpoint is set, or `OTEL_TRACES_EXPORTER` or
    /// `OTEL_METRICS_EXPORTER` is `otlp`. Without either nothing is exported, so that a first run on a host without a
    /// collector does not fill its output with failed connections.
    ///
    /// # Errors
    /// When a destination cannot be used as written. Values of variables that the specification says to ignore when they
    /// are invalid become [`Settings::warnings`] instead.
    pub fn resolve(config: &ExportConfig, environment: Environment<'_>) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        if environment::is_disabled(environment, &mut settings.warnings) {
            return Ok(settings);
        }
        if config.otlp.is_empty() {
            if config.environment {
                environment::destinations(environment, &mut settings)?;
            }
            return Ok(settings);
        }
        for (index, destination) in config.otlp.iter().enumerate() {
            settings.add(destination, index, environment)?;
        }
        Ok(settings)
    }

    /// Whether anything is exported.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        !self.destinations.is_empty()
    }

    fn add(
        &mut self,
        config: &DestinationConfig,
        index: usize,
        environment: Environment<'_>,
    ) -> Result<(), SettingsError> {
        let key = |field: &str| format!("export.otlp[{index}].{field}");
        let mut headers = HeaderMap::new();
        if let Some(variable) = &config.headers_variable {
            let text = environment(variable).ok_or_else(|| {
                SettingsError::value(
                    key("headers_variable"),
                    format!("the environment variable {variable} is not set"),
                )
            })?;
            let (more, problems) = headers::parse_list(&text);
            headers.extend(more);
            self.warnings
                .extend(problems.into_iter().map(|problem| format!("{variable}: {problem}; left out")));
        }
        let fixed = headers::from_map(&config.headers)
            .map_err(|problem| SettingsError::value(key("headers"), problem))?;
        headers.extend(fixed);
        if config.tls.certificate_file.is_some() != config.tls.key_file.is_some() {
            return Err(SettingsError::value(
                key("tls"),
                "certificate_file and key_file belong together: set both or none",
            ));
        }
        if config.signals.is_empty() {
            return Err(SettingsError::value(
                key("signals"),
                "the list is empty: name traces, metrics or both",
            ));
        }
        for (field, zero) in [
            ("queue_size", config.queue_size.0 == 0),
            ("batch.max_size", config.batch.max_size.0 == 0),
            ("batch.max_spans", config.batch.max_spans == 0),
            ("retry.initial_delay", config.retry.initial_delay.0.is_zero()),
            ("metrics.interval", config.metrics.interval.0.is_zero()),
            ("metrics.max_series", config.metrics.max_series == 0),
        ] {
            if zero {
                return Err(SettingsError::value(key(field), "must be more than 0"));
            }
        }
        let mut signals = config.signals.clone();
        signals.sort_unstable();
        signals.dedup();
        for signal in signals {
            let (own, field) = match signal {
                Signal::Traces => (&config.traces_endpoint, "traces_endpoint"),
                Signal::Metrics => (&config.metrics_endpoint, "metrics_endpoint"),
            };
            let variable = key(if own.is_some() { field } else { "endpoint" });
            let text = own.as_deref().unwrap_or(&config.endpoint);
            let given =
                Given { text, variable: &variable, for_signal: own.is_some(), insecure: config.insecure };
            let endpoint = Endpoint::resolve(given, config.protocol, signal)?;
            self.destinations.push(Destination {
                name: config.name.clone().unwrap_or_else(|| endpoint.authority()),
                signal,
                endpoint,
                protocol: config.protocol,
                headers: headers.clone(),
                compression: config.compression,
                timeout: Some(config.timeout.0).filter(|timeout| !timeout.is_zero()),
                tls: config.tls.clone(),
                queue: QueueLimits { max_bytes: config.queue_size.as_usize(), max_items: None },
                batch: BatchLimits {
                    max_bytes: config.batch.max_size.as_usize(),
                    max_items: config.batch.max_spans,
                    delay: config.batch.delay.0,
                },
                retry: RetryPolicy {
                    initial_delay: config.retry.initial_delay.0,
                    max_delay: config.retry.max_delay.0.max(config.retry.initial_delay.0),
                    give_up_after: config.retry.give_up_after.0,
                },
                metrics: config.metrics,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::ByteSize, export::Secret};

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn a_destination_becomes_one_for_each_signal() {
        let settings =
            Settings::resolve(&ExportConfig::to("http://collector:4318", Protocol::HttpProtobuf), &none)
                .unwrap();
        let shown: Vec<String> =
            settings.destinations.iter().map(|d| format!("{} {}", d.signal.name(), d.endpoint)).collect();
        assert_eq!(
            shown,
            ["traces http://collector:4318/v1/traces", "metrics http://collector:4318/v1/metrics"]
        );
        assert_eq!(settings.destinations[0].name, "collector:4318");
        assert_eq!(settings.destinations[0].timeout, Some(Duration::from_secs(10)));
    }

    #[test]
    fn nothing_is_exported_unless_something_asks_for_it() {
        assert!(!Settings::resolve(&ExportConfig::default(), &none).unwrap().is_enabled());
    }

    #[test]
    fn a_disabled_sdk_exports_nothing() {
        let config = ExportConfig::to("http://collector:4318", Protocol::HttpProtobuf);
        let environment = |name: &str| (name == "OTEL_SDK_DISABLED").then(|| "TRUE".to_owned());
        assert!(!Settings::resolve(&config, &environment).unwrap().is_enabled());
    }

    #[test]
    fn headers_may_come_from_a_variable() {
        let mut config = ExportConfig::to("http://collector:4318", Protocol::HttpProtobuf);
        config.otlp[0].headers_variable = Some("TOKEN".to_owned());
        config.otlp[0].headers.insert("x-tenant".to_owned(), Secret::new("blue"));
        let environment = |name: &str| (name == "TOKEN").then(|| "authorization=Bearer%20t".to_owned());
        let settings = Settings::resolve(&config, &environment).unwrap();
        assert_eq!(settings.destinations[0].headers["authorization"], "Bearer t");
        assert_eq!(settings.destinations[0].headers["x-tenant"], "blue");
        let error = Settings::resolve(&config, &none).unwrap_err().to_string();
        assert_eq!(error, "export.otlp[0].headers_variable: the environment variable TOKEN is not set");
    }

    #[test]
    fn nonsense_is_an_error_that_names_the_key() {
        let error = |change: &dyn Fn(&mut DestinationConfig)| {
            let mut config = ExportConfig::to("http://collector:4318", Protocol::HttpProtobuf);
            change(&mut config.otlp[0]);
            Settings::resolve(&config, &none).unwrap_err().to_string()
        };
        assert!(error(&|d| d.endpoint = String::new()).starts_with("export.otlp[0].endpoint: "));
        assert!(
            error(&|d| d.metrics_endpoint = Some("x".to_owned()))
                .starts_with("export.otlp[0].metrics_endpoint: ")
        );
        assert!(error(&|d| d.queue_size = ByteSize(0)).starts_with("export.otlp[0].queue_size: "));
        assert!(error(&|d| d.signals.clear()).starts_with("export.otlp[0].signals: "));
        assert!(error(&|d| d.tls.key_file = Some("k.pem".into())).starts_with("export.otlp[0].tls: "));
        let message = error(&|d| drop(d.headers.insert("bad name".to_owned(), Secret::new("hush"))));
        assert!(message.starts_with("export.otlp[0].headers: ") && !message.contains("hush"));
    }
}
